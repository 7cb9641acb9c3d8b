"""Posts each incident as one Slack message, edited in place, with its details in the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import aiohttp
import structlog
from pydantic import AfterValidator, Field
from yarl import URL

from responder.channel import ChannelSettings, Delivered, Message, Rejected, Retry, channels
from responder.raster import png
from responder.slack import blocks
from responder.slack.client import Slack, SlackError
from toolkit.secrets import Secret, SecretError
from toolkit.settings import Duration, fault

log = structlog.get_logger(__name__)

_EVENT_TYPE = "vigie_incident"
_MOST_LOOKED_AT = "200"
_SPARE_SECONDS = 0.5
# What is wrong with the message itself. All else (a token, a scope, a channel, an invitation) can
# be put right while the message waits: it is shown on the page, and given up at the horizon.
_REFUSED = frozenset(
    {
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
    }
)
_TOO_MUCH = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "metadata_too_large"}
)
# The message that was to be edited cannot be any more; another one is posted.
_LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


def _server(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise fault("not a URL", "write it like https://slack.com/api") from None
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.query:
        raise fault("not the API's address", "write it like https://slack.com/api")
    if url.scheme == "http" and url.host not in {"127.0.0.1", "localhost", "::1"}:
        raise fault("would send the token in the clear", "use https")
    return value.rstrip("/")


def _channel(value: str) -> str:
    if not (value.isascii() and value.isalnum() and value[:1] in "CGD" and len(value) >= 9):
        raise fault("not a channel's id", "copy it from the channel's details, like C024BE91L")
    return value


@channels.register("slack")
class SlackChannel(ChannelSettings):
    """One message an incident: three lines, the causes, a link; the details are in its thread.

    In the configuration: `{kind: slack, token: {env: SLACK_TOKEN}, channel: C024BE91L}`, with a
    bot token of an app that is invited to the channel and has the scopes `chat:write`,
    `files:write` (for the chart) and `channels:history` or `groups:history` (to find a message
    whose answer was lost). Slack knows no key against posting twice, and `client_msg_id` is no
    documented argument (https://docs.slack.dev/reference/methods/chat.postMessage); so each
    message carries its key as metadata, and a repeat looks for it first
    (https://docs.slack.dev/messaging/message-metadata). What is left: a message that Slack shows
    only after the look is posted twice, and so is one when the app may not read the channel.
    """

    name: str = "slack"
    token: Secret
    channel: Annotated[str, AfterValidator(_channel)]
    server: Annotated[str, AfterValidator(_server)] = "https://slack.com/api"
    timeout: Duration = Field(default=10.0, gt=0)
    chart: bool = True
    """Whether the chart is put into the thread."""

    def destinations(self) -> tuple[str, ...]:
        """Give the channel."""
        return (self.channel,)

    async def send(
        self, message: Message, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Delivered | Retry | Rejected:
        """Post or edit the message, then tell the thread; only the message itself can fail."""
        slack = Slack(
            session=session,
            server=self.server,
            token=self.token,
            timeout_seconds=self.timeout,
            ends_at=asyncio.get_running_loop().time() + deadline_seconds - _SPARE_SECONDS,
        )
        try:
            return await self._told(message, slack)
        except SecretError as error:
            return Retry(problem=str(error))
        except SlackError as error:
            return self._judged(error)

    def _judged(self, error: SlackError) -> Retry | Rejected:
        problem = f"{self.name}: {error.error}{_remedy(error.error)}"
        if error.error in _REFUSED:
            return Rejected(problem=problem)
        return Retry(problem=problem, after_seconds=error.after_seconds)

    async def _told(self, message: Message, slack: Slack) -> Delivered:
        place = _place(message.reference) or await self._found(message, slack)
        if place is None:
            return await self._posted(message, slack)
        channel, ts = place
        try:
            await self._put("chat.update", message, slack, channel=channel, ts=ts)
        except SlackError as error:
            if error.error not in _LOST:
                raise
            return await self._posted(message, slack)
        await self._thread(message, slack, channel, ts)
        return Delivered(reference=f"{channel} {ts}")

    async def _posted(self, message: Message, slack: Slack) -> Delivered:
        to = message.destination or self.channel
        answer = await self._put(
            "chat.postMessage", message, slack, channel=to, unfurl_links=False, unfurl_media=False
        )
        channel, ts = str(answer.get("channel", to)), str(answer.get("ts", ""))
        await self._thread(message, slack, channel, ts)
        return Delivered(reference=f"{channel} {ts}")

    async def _put(
        self, method: str, message: Message, slack: Slack, **place: Any
    ) -> Mapping[str, Any]:
        """Post or edit; where the blocks are not taken, the text alone."""
        whole = {**place, "text": blocks.fallback(message), "link_names": False, "parse": "none"}
        try:
            return await slack.call(
                method, **whole, blocks=blocks.overview(message), metadata=_metadata(message)
            )
        except SlackError as error:
            if error.error not in _TOO_MUCH:
                raise
            log.warning("blocks not taken, sending text", channel=self.name, problem=error.error)
        return await slack.call(method, **whole, blocks=[])

    async def _found(self, message: Message, slack: Slack) -> tuple[str, str] | None:
        """Find the incident's message where its place is not known, but it may have been posted."""
        if message.earlier_attempts == 0 and message.event == "reported":
            return None
        channel = message.destination or self.channel
        found = await self._look(slack, "conversations.history", channel=channel)
        ts = next((ts for ts, payload in found if payload.get("incident") == _of(message)), "")
        return (channel, ts) if ts else None

    async def _look(
        self, slack: Slack, method: str, **where: str
    ) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Read our own messages, each its ts and what we gave it; none when that is not allowed."""
        try:
            answer = await slack.read(
                method, limit=_MOST_LOOKED_AT, include_all_metadata="true", **where
            )
        except SlackError as error:
            if not error.is_answer or error.error == "ratelimited":
                raise
            # To tell it twice is better than not at all.
            log.warning("channel not read", channel=self.name, problem=error.error)
            return ()
        return _ours(answer.get("messages"))

    async def _thread(self, message: Message, slack: Slack, channel: str, ts: str) -> None:
        """Say what is new in the thread: an edit alone is silent, and nobody would notice it.

        What fails here is on the page as well, so the message counts as delivered.
        """
        try:
            if not await self._is_told(message, slack, channel, ts):
                await self._tell(message, slack, channel, ts)
                if message.event == "reported":
                    await self._draw(message, slack, channel, ts)
        except SlackError as error:
            log.warning("thread not told", channel=self.name, problem=error.error)

    async def _is_told(self, message: Message, slack: Slack, channel: str, ts: str) -> bool:
        if message.earlier_attempts == 0:
            return False
        found = await self._look(slack, "conversations.replies", channel=channel, ts=ts)
        key = message.idempotency_key
        return any(payload.get("key") == key for each, payload in found if each != ts)

    async def _tell(self, message: Message, slack: Slack, channel: str, ts: str) -> None:
        is_first = message.event == "reported"
        await slack.call_again(
            "chat.postMessage",
            channel=channel,
            thread_ts=ts,
            text=blocks.fallback(message),
            blocks=blocks.details(message) if is_first else blocks.note(message),
            metadata=_metadata(message),
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
        )

    async def _draw(self, message: Message, slack: Slack, channel: str, ts: str) -> None:
        drawn = await png(message.chart_svg) if self.chart else None
        if drawn is None:
            return
        try:
            await slack.upload(drawn, "chart.png", channel=channel, thread=ts)
        except SlackError as error:
            log.warning("chart not shared", channel=self.name, problem=error.error)
            text = f"The chart could not be shared here ({blocks.escape(error.error, 100)})."
            with suppress(SlackError):
                await slack.call_again("chat.postMessage", channel=channel, thread_ts=ts, text=text)


def _place(reference: str) -> tuple[str, str] | None:
    channel, _, ts = reference.partition(" ")
    return (channel, ts) if ts else None


def _of(message: Message) -> str:
    return message.incident.id


def _metadata(message: Message) -> dict[str, Any]:
    payload = {"incident": _of(message), "key": message.idempotency_key}
    return {"event_type": _EVENT_TYPE, "event_payload": payload}


def _ours(messages: object) -> Sequence[tuple[str, Mapping[str, Any]]]:
    found = []
    for each in messages if isinstance(messages, list) else ():
        metadata = each.get("metadata") if isinstance(each, dict) else None
        if isinstance(metadata, dict) and metadata.get("event_type") == _EVENT_TYPE:
            payload = metadata.get("event_payload")
            found.append((str(each.get("ts", "")), payload if isinstance(payload, dict) else {}))
    return found


_REMEDIES = {
    "channel_not_found": "check `channel`, and invite the app to it",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "unarchive the channel, or configure another",
    "invalid_auth": "check the token",
    "not_authed": "check the token",
    "token_revoked": "make a new token",
    "token_expired": "make a new token",
    "account_inactive": "make a new token",
    "missing_scope": "give the app the scope chat:write",
}


def _remedy(error: str) -> str:
    return f"; {_REMEDIES[error]}" if error in _REMEDIES else ""
