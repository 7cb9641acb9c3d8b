"""Posts a message as JSON to a URL of the operator's choice."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import aiohttp
import orjson
from pydantic import AfterValidator
from yarl import URL

from responder.channel import ChannelSettings, Delivered, Message, Rejected, Retry, channels
from toolkit.secrets import Secret, SecretError
from toolkit.settings import Duration, fault

# What is wrong with the body itself (RFC 9110, 15.5): the same body will never be taken. All else
# (credentials, a moved address, a proxy, an overload) is mended by who runs the far end.
_NEVER = frozenset({400, 413, 422})


def _web_url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise fault("not a URL", "write it like https://example.org/hook") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise fault("not a web URL", "write it like https://example.org/hook")
    if url.user or url.password:
        raise fault("a URL that holds credentials", "use `bearer` instead")
    return value


@channels.register("webhook")
class WebhookChannel(ChannelSettings):
    """`status`, `note`, `incident`, `report` and `url` as JSON, with `Idempotency-Key`.

    `status` is reported, updated or resolved.
    A 2xx means delivered; 400, 413 and 422 refuse the message for ever; every other answer, such
    as 3xx, 401, 403, 404, 407, 429 or 5xx, is tried again until `horizon` is over.
    In the configuration: `{kind: webhook, url: "https://example.org/hook", bearer: {env: TOKEN}}`.
    """

    name: str = "webhook"
    url: Annotated[str, AfterValidator(_web_url)]
    bearer: Secret | None = None
    timeout: Duration = 10.0

    async def send(
        self, message: Message, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Delivered | Retry | Rejected:
        """Post the message once; redirects are not followed."""
        limit = aiohttp.ClientTimeout(total=min(self.timeout, deadline_seconds))
        try:
            async with session.post(
                self.url,
                data=io.BytesIO(orjson.dumps(body(message))),
                headers=self._headers(message),
                timeout=limit,
                allow_redirects=False,
            ) as response:
                return self._judged(response.status, response.headers.get("Retry-After"))
        except SecretError as error:
            return Retry(problem=str(error))
        except TimeoutError:
            return Retry(problem=f"{self.name}: no answer within {limit.total:g} s")
        except aiohttp.InvalidURL:
            return Retry(problem=f"{self.name}: the URL is not valid; correct `url`")
        except (aiohttp.ClientError, OSError) as error:
            return Retry(problem=f"{self.name}: not reached ({type(error).__name__})")

    def _judged(self, status: int, retry_after: str | None) -> Delivered | Retry | Rejected:
        problem = f"{self.name}: answered {status}"
        if 200 <= status < 300:
            return Delivered()
        if status in _NEVER:
            return Rejected(problem=problem)
        return Retry(problem=problem, after_seconds=_seconds(retry_after))

    def _headers(self, message: Message) -> Mapping[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.idempotency_key,
            "User-Agent": "vigie-responder",
        }
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {self.bearer.reveal()}"
        return headers


def body(message: Message) -> dict[str, Any]:
    """Give a message as plain data."""
    incident = message.incident
    return {
        "status": message.event,
        "note": message.note,
        "url": message.page_url,
        "incident": incident.model_dump(mode="json")
        | {
            "severity": incident.severity,
            "targets": incident.targets,
            "alertnames": incident.alertnames,
        },
        "report": message.report.model_dump(mode="json"),
    }


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds or a date."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
