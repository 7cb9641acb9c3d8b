"""A double of Slack's Web API that keeps its rules, and breaks them when it is told to.

The rules: https://docs.slack.dev/reference/methods/ (chat.postMessage, chat.update,
conversations.history, conversations.replies, files.getUploadURLExternal,
files.completeUploadExternal) and https://docs.slack.dev/reference/block-kit/blocks/.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

TOKEN = "xoxb-1234567890-secretsecret"
CHANNEL = "C024BE91L"
_TS = re.compile(r"\d{10}\.\d{6}")
_MENTION = re.compile(r"<[!@#]")
_LINK = re.compile(r"<(?!https?://)[^>]*>")
_LIMITS = {"header": 150, "section": 3000}
_MOST_CHARACTERS = 13_200


class Refusal(Exception):  # noqa: N818 - what Slack answers, no fault of the double
    """What is answered instead: `ok: false` and the error."""


@dataclass(kw_only=True, slots=True)
class Workspace:
    """What was posted; `script` holds what is answered instead, once each, by method.

    An entry is an error's name, a number of seconds (429 with Retry-After), `hang`, `lose` (done,
    but never answered), `garbage` or a status like `500`.
    """

    posted: list[dict[str, Any]] = field(default_factory=list)
    script: dict[str, list[str | int]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)
    shared: list[tuple[str, str]] = field(default_factory=list)
    reserved: dict[str, int] = field(default_factory=dict)
    upload_host: str = ""
    url: str = ""
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def parents(self) -> list[dict[str, Any]]:
        """Give the messages that are in no thread."""
        return [each for each in self.posted if "thread_ts" not in each]

    def replies(self, ts: str) -> list[dict[str, Any]]:
        """Give what is in a thread."""
        return [each for each in self.posted if each.get("thread_ts") == ts]

    async def api(self, request: web.Request) -> web.StreamResponse:
        """Answer a method."""
        method = request.match_info["method"]
        self.calls[method] += 1
        script = self.script.get(method, [])
        told = script.pop(0) if script else None
        early = await self._early(told)
        if early is not None:
            return early
        try:
            answer = await self._done(method, request, told)
        except Refusal as error:
            return web.json_response({"ok": False, "error": str(error)})
        if told == "lose":
            await self.held.wait()
        return web.json_response({"ok": True} | answer)

    async def _early(self, told: str | int | None) -> web.Response | None:
        if isinstance(told, int):
            body = {"ok": False, "error": "ratelimited"}
            return web.json_response(body, status=429, headers={"Retry-After": str(told)})
        if told == "hang":
            await self.held.wait()
        if told == "garbage":
            return web.Response(text="<html>proxy</html>", content_type="text/html")
        if told is not None and told.isdigit():
            return web.Response(status=int(told), text=f"Bearer {TOKEN}")
        return None

    async def _done(
        self, method: str, request: web.Request, told: str | int | None
    ) -> dict[str, Any]:
        if told is not None and told != "lose":
            raise Refusal(str(told))
        given = request.headers.get("Authorization", "")
        if not given:
            raise Refusal("not_authed")
        if given != f"Bearer {TOKEN}":
            raise Refusal("invalid_auth")
        handler = _METHODS.get(method)
        if handler is None:
            raise Refusal("unknown_method")
        is_json = request.content_type == "application/json"
        arguments = orjson.loads(await request.read()) if is_json else dict(request.query)
        return handler(self, arguments)

    def post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer chat.postMessage."""
        self._in_channel(arguments)
        _check_content(arguments)
        thread = arguments.get("thread_ts")
        if thread is not None and not any(each["ts"] == thread for each in self.parents()):
            raise Refusal("thread_not_found")
        ts = f"17000000{len(self.posted):02d}.000100"
        kept = ("channel", "text", "blocks", "metadata", "thread_ts", "unfurl_links")
        message = {name: arguments[name] for name in kept if name in arguments}
        self.posted.append(message | {"ts": ts})
        return {"channel": arguments["channel"], "ts": ts}

    def update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer chat.update."""
        self._in_channel(arguments)
        if not _TS.fullmatch(str(arguments.get("ts", ""))):
            raise Refusal("message_not_found")
        _check_content(arguments)
        for each in self.posted:
            if each["ts"] == arguments["ts"]:
                if each.get("foreign"):
                    raise Refusal("cant_update_message")
                each.update({name: arguments.get(name) for name in ("text", "blocks", "metadata")})
                return {"channel": arguments["channel"], "ts": each["ts"]}
        raise Refusal("message_not_found")

    def history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer conversations.history: no replies, newest first."""
        self._in_channel(arguments)
        return {"messages": self._shown(self.parents()[::-1], arguments)}

    def thread(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer conversations.replies: the parent first."""
        self._in_channel(arguments)
        parent = [each for each in self.parents() if each["ts"] == arguments.get("ts")]
        if not parent:
            raise Refusal("thread_not_found")
        return {"messages": self._shown([*parent, *self.replies(arguments["ts"])], arguments)}

    def _shown(
        self, messages: list[dict[str, Any]], arguments: dict[str, Any]
    ) -> list[dict[str, Any]]:
        limit = int(arguments.get("limit", 100))
        if limit > 999:
            raise Refusal("invalid_limit")
        hidden = set() if arguments.get("include_all_metadata") == "true" else {"metadata"}
        return [{k: v for k, v in each.items() if k not in hidden} for each in messages[:limit]]

    def reserve(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer files.getUploadURLExternal."""
        if not arguments.get("filename") or int(arguments.get("length", 0)) <= 0:
            raise Refusal("invalid_arguments")
        file_id = f"F{len(self.reserved):08d}"
        self.reserved[file_id] = int(arguments["length"])
        host = self.upload_host or self.url.removesuffix("/api")
        return {"upload_url": f"{host}/upload/{file_id}", "file_id": file_id}

    async def upload(self, request: web.Request) -> web.Response:
        """Take a file where it was said."""
        data, file_id = await request.read(), request.match_info["file"]
        if "Authorization" in request.headers or len(data) != self.reserved.get(file_id):
            return web.Response(status=400)
        self.files[file_id] = data
        return web.Response(text=f"OK - {len(data)}")

    def complete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer files.completeUploadExternal: only what has been uploaded."""
        if arguments.get("channel_id") != CHANNEL:
            raise Refusal("channel_not_found")
        for each in arguments["files"]:
            if each["id"] not in self.files:
                raise Refusal("file_not_found")
            self.shared.append((each["id"], arguments.get("thread_ts", "")))
        return {"files": arguments["files"]}

    def _in_channel(self, arguments: dict[str, Any]) -> None:
        if arguments.get("channel") != CHANNEL:
            raise Refusal("channel_not_found")


_METHODS = {
    "chat.postMessage": Workspace.post,
    "chat.update": Workspace.update,
    "conversations.history": Workspace.history,
    "conversations.replies": Workspace.thread,
    "files.getUploadURLExternal": Workspace.reserve,
    "files.completeUploadExternal": Workspace.complete,
}


def _check_content(arguments: dict[str, Any]) -> None:
    blocks, text = arguments.get("blocks") or [], arguments.get("text") or ""
    if not blocks and not text:
        raise Refusal("no_text")
    if len(text) > 40_000:
        raise Refusal("msg_too_long")
    if len(blocks) > 50 or any(not _is_right(each) for each in blocks):
        raise Refusal("invalid_blocks")
    if len(orjson.dumps(blocks).decode()) > _MOST_CHARACTERS:
        raise Refusal("msg_blocks_too_long")
    metadata = arguments.get("metadata")
    if metadata is not None and set(metadata) != {"event_type", "event_payload"}:
        raise Refusal("invalid_metadata_format")
    for shown in (text, *_texts(blocks)):
        assert not _MENTION.search(shown), shown
        assert not _LINK.search(shown), shown


def _is_right(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "context":
        elements = block.get("elements", [])
        return 1 <= len(elements) <= 10 and all(_is_text(each, 2000) for each in elements)
    if kind not in _LIMITS:
        return kind == "divider"
    wanted = "plain_text" if kind == "header" else None
    text = block.get("text", {})
    return _is_text(text, _LIMITS[kind]) and wanted in {None, text["type"]}


def _is_text(text: dict[str, Any], limit: int) -> bool:
    is_kind = text.get("type") in {"mrkdwn", "plain_text"}
    is_odd = "emoji" in text and text["type"] == "mrkdwn"
    return is_kind and not is_odd and 1 <= len(text.get("text", "")) <= limit


def _texts(blocks: list[dict[str, Any]]) -> list[str]:
    found = [each["text"] for block in blocks for each in block.get("elements", [])]
    sections = [each["text"]["text"] for each in blocks if each["type"] == "section"]
    return found + sections


@asynccontextmanager
async def workspace() -> AsyncIterator[Workspace]:
    """Run a workspace on a free port."""
    slack = Workspace()
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/api/{method}", slack.api)
    app.router.add_post("/upload/{file}", slack.upload)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        yield slack
    finally:
        slack.held.set()
        await runner.cleanup()
