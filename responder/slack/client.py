"""Slack's Web API over our own HTTP session: calls, their errors, and the upload of a file.

A call answers 200 with `ok`, or 429 with Retry-After:
https://docs.slack.dev/apis/web-api/ and https://docs.slack.dev/apis/web-api/rate-limits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from toolkit.secrets import Secret

_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_ERROR = re.compile(r"[a-z_]{1,60}")
_LONGEST_WAIT_SECONDS = 5.0


class SlackError(Exception):
    """Slack did not do what it was asked: `error` is its own word, or ours where it had none.

    `is_answer` tells that Slack itself said so; without, it may have done it all the same.
    """

    def __init__(
        self, error: str, *, after_seconds: float | None = None, is_answer: bool = True
    ) -> None:
        """Keep what is known."""
        super().__init__(error)
        self.error = error
        self.after_seconds = after_seconds
        self.is_answer = is_answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Slack:
    """Calls methods of the Web API at `server` with `token`.

    Each call may take `timeout_seconds`; none lasts longer than `ends_at` on the loop's clock.
    """

    session: aiohttp.ClientSession
    server: str
    token: Secret
    timeout_seconds: float
    ends_at: float

    async def call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """Call *method*; raises SlackError when it is not done, SecretError without a token."""
        headers = self._authorised({"Content-Type": "application/json; charset=utf-8"})
        body = orjson.dumps(arguments)
        return await self._asked("POST", method, headers=headers, data=body)

    async def read(self, method: str, **arguments: str) -> Mapping[str, Any]:
        """Call a *method* that takes no JSON; raises as `call` does."""
        return await self._asked("GET", method, headers=self._authorised({}), params=arguments)

    async def call_again(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """Call *method*, and once more when Slack only wants a moment between two calls."""
        try:
            return await self.call(method, **arguments)
        except SlackError as error:
            wait_seconds = error.after_seconds
            if wait_seconds is None or wait_seconds > min(_LONGEST_WAIT_SECONDS, self._left()):
                raise
        await asyncio.sleep(wait_seconds)
        return await self.call(method, **arguments)

    async def upload(self, data: bytes, name: str, *, channel: str, thread: str) -> None:
        """Share a file in a thread; raises SlackError.

        https://docs.slack.dev/messaging/working-with-files#uploading_files
        """
        size = str(len(data))
        given = await self.read("files.getUploadURLExternal", filename=name, length=size)
        url, file_id = str(given.get("upload_url", "")), str(given.get("file_id", ""))
        await self._put(self._checked(url), data)
        files = [{"id": file_id, "title": name}]
        await self.call_again(
            "files.completeUploadExternal", files=files, channel_id=channel, thread_ts=thread
        )

    def _checked(self, url: str) -> str:
        """Give *url* when it is Slack's own: what an answer names is not believed."""
        own = URL(self.server)
        try:
            given = URL(url)
        except ValueError:
            raise SlackError("upload_url_not_valid") from None
        host, home = given.host or "", own.host or ""
        if given.scheme != own.scheme or not (host == home or host.endswith(f".{home}")):
            raise SlackError("upload_url_elsewhere")
        return url

    async def _put(self, url: str, data: bytes) -> None:
        # Without the token: the address itself is the permission.
        headers = {"Content-Type": "application/octet-stream"}
        status, _, _ = await self._sent("POST", url, headers=headers, data=data)
        if status != 200:
            raise SlackError(f"upload answered {status}")

    def _authorised(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, "Authorization": f"Bearer {self.token.reveal()}"}

    async def _asked(self, verb: str, method: str, **options: Any) -> Mapping[str, Any]:
        url = f"{self.server}/{method}"
        status, retry_after, body = await self._sent(verb, url, **options)
        if status == 429:
            raise SlackError("ratelimited", after_seconds=_seconds(retry_after))
        if status != 200:
            is_answer = 400 <= status < 500
            raise SlackError(f"answered {status}", is_answer=is_answer)
        return _read(body, retry_after)

    def _left(self) -> float:
        return self.ends_at - asyncio.get_running_loop().time()

    async def _sent(self, verb: str, url: str, **options: Any) -> tuple[int, str, bytes]:
        limit = aiohttp.ClientTimeout(total=min(self.timeout_seconds, self._left()))
        if limit.total is None or limit.total <= 0:
            raise SlackError("no time left", is_answer=False)
        try:
            async with self.session.request(
                verb, url, timeout=limit, allow_redirects=False, **options
            ) as response:
                body = await response.content.read(_LARGEST_ANSWER_BYTES)
                while not response.content.at_eof() and len(body) < _LARGEST_ANSWER_BYTES:
                    body += await response.content.read(_LARGEST_ANSWER_BYTES)
                return response.status, response.headers.get("Retry-After", ""), body
        except TimeoutError:
            problem = f"no answer within {limit.total:.3g} s"
            raise SlackError(problem, is_answer=False) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = f"not reached ({type(error).__name__})"
            raise SlackError(problem, is_answer=False) from None


def _read(body: bytes, retry_after: str) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise SlackError("answered no JSON", is_answer=False) from None
    if not isinstance(answer, dict):
        raise SlackError("answered no object", is_answer=False)
    if answer.get("ok") is True:
        return answer
    error = str(answer.get("error", ""))
    # An answer's text could hold anything; Slack's own words are of this form.
    known = error if _ERROR.fullmatch(error) else "unknown_error"
    raise SlackError(known, after_seconds=_seconds(retry_after) if retry_after else None)


def _seconds(retry_after: str) -> float:
    text = retry_after.strip()
    return float(text[:9]) if text.isascii() and text.isdecimal() else 1.0
