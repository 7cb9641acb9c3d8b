"""One rig for each kind of channel: a far end that works, hangs, or is told what to answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from responder.channel import Channel
from responder.channels.email import EmailChannel
from responder.channels.log import LogChannel
from responder.channels.slack import SlackChannel
from responder.channels.webhook import WebhookChannel
from tests.responder.channels.post_office import PASSWORD, USER, post_office
from tests.responder.channels.slack_double import CHANNEL, TOKEN, workspace
from tests.responder.receiver import listening
from toolkit.secrets import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Rig:
    """A channel before its far end; `hang` lets that take everything and answer nothing.

    `count` tells how many messages the far end shows; `merges` that repeats of one are known.
    """

    channel: Channel
    secret: str
    hang: Callable[[], None]
    count: Callable[[], int]
    merges: bool = True


def _secret(value: str) -> Secret:
    return Secret.from_environ("SECRET", {"SECRET": value})


@asynccontextmanager
async def log_rig(_: Path) -> AsyncIterator[Rig]:
    """Give a log, which has no far end."""
    yield Rig(channel=LogChannel(), secret="", hang=lambda: None, count=lambda: 1)


@asynccontextmanager
async def webhook_rig(_: Path) -> AsyncIterator[Rig]:
    """Give a receiver of posts."""
    async with listening() as receiver:
        token = "bearer-of-the-hook"
        yield Rig(
            channel=WebhookChannel(url=receiver.url, bearer=_secret(token)),
            secret=token,
            hang=receiver.hold.clear,
            count=lambda: len({each.key for each in receiver.received}),
        )


@asynccontextmanager
async def slack_rig(_: Path) -> AsyncIterator[Rig]:
    """Give a workspace."""
    async with workspace() as slack:

        def hang() -> None:
            slack.script["chat.postMessage"] = ["hang"]

        yield Rig(
            channel=SlackChannel(token=_secret(TOKEN), channel=CHANNEL, server=slack.url),
            secret=TOKEN,
            hang=hang,
            count=lambda: len(slack.parents()),
        )


@asynccontextmanager
async def email_rig(folder: Path) -> AsyncIterator[Rig]:
    """Give a mail server."""
    async with post_office(folder) as office:
        yield Rig(
            channel=EmailChannel(
                host="localhost",
                port=office.port,
                ca_file=office.ca_file,
                username=USER,
                password=_secret(PASSWORD),
                sender="vigie@example.org",
                to=("oncall@example.org",),
            ),
            secret=PASSWORD,
            hang=office.hold.clear,
            count=lambda: len({mail["Message-ID"] for _, mail in office.letters}),
        )


RIGS: dict[str, Callable[[Path], AbstractAsyncContextManager[Rig]]] = {
    "email": email_rig,
    "log": log_rig,
    "slack": slack_rig,
    "webhook": webhook_rig,
}
