"""The Slack channel against a workspace that keeps Slack's rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest

from responder.channel import Delivered, Message, Rejected, Retry
from responder.channels.slack import SlackChannel
from responder.slack import blocks
from tests.responder.channels.messages import HOSTILE, PAGE, message, resolved
from tests.responder.channels.slack_double import CHANNEL, TOKEN, Workspace, workspace
from toolkit.secrets import Secret

Outcome = Delivered | Retry | Rejected


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    """Run a workspace."""
    async with workspace() as running:
        yield running


async def send(slack: Workspace, told: Message, **settings: Any) -> Outcome:
    """Send one message with a channel of its own."""
    token = Secret.from_environ("TOKEN", {"TOKEN": settings.pop("token", TOKEN)})
    channel = SlackChannel.model_validate(
        {"token": token, "channel": CHANNEL, "server": slack.url} | settings
    )
    async with aiohttp.ClientSession() as session:
        return await channel.send(told, session, 20)


async def test_one_message_is_edited_to_its_end(slack: Workspace) -> None:
    """A report is one message with its details and chart in the thread; its end edits it."""
    first = await send(slack, message(destination=CHANNEL))
    assert isinstance(first, Delivered)
    (parent,) = slack.parents()
    assert first.reference == f"{CHANNEL} {parent['ts']}"
    assert PAGE in parent["text"]
    assert parent["unfurl_links"] is False
    lines = parent["blocks"][1]["text"]["text"].splitlines()
    assert [line.split(":")[0] for line in lines] == ["*What", "*Cause", "*Do"]
    assert slack.shared == [("F00000000", parent["ts"])]
    assert slack.files["F00000000"].startswith(b"\x89PNG")

    last = await send(slack, resolved(reference=first.reference))
    assert last == first
    assert len(slack.parents()) == 1
    assert slack.parents()[0]["text"].startswith("Resolved: ")
    details, end = slack.replies(parent["ts"])
    assert "Timeline" in str(details["blocks"])
    assert "Resolved: " in end["text"]


async def test_a_lost_answer_is_not_posted_twice(slack: Workspace) -> None:
    """What was posted without an answer is found by its key and edited, its thread completed."""
    slack.script["chat.postMessage"] = ["lose"]
    outcome = await send(slack, message(), timeout=0.3)
    assert outcome == Retry(problem="slack: no answer within 0.3 s")
    for _ in range(2):
        again = await send(slack, message(earlier_attempts=1))
        assert isinstance(again, Delivered)
        assert again.reference.endswith(slack.parents()[0]["ts"])
    (parent,) = slack.parents()
    assert len(slack.replies(parent["ts"])) == 1


async def test_an_end_without_a_known_place_finds_the_message(slack: Workspace) -> None:
    """The reference may be lost: the incident's message is found by what it carries."""
    await send(slack, message())
    outcome = await send(slack, resolved())
    (parent,) = slack.parents()
    assert outcome == Delivered(reference=f"{CHANNEL} {parent['ts']}")


async def test_a_deleted_message_is_posted_anew(slack: Workspace) -> None:
    """When somebody has deleted the message, its end is a message of its own."""
    outcome = await send(slack, resolved(reference=f"{CHANNEL} 1600000000.000100"))
    assert isinstance(outcome, Delivered)
    assert len(slack.parents()) == 1


async def test_a_channel_that_cannot_be_read_is_still_told(slack: Workspace) -> None:
    """Without the scope to look, a repeat is posted rather than lost."""
    slack.script["conversations.history"] = ["missing_scope"]
    assert isinstance(await send(slack, message(earlier_attempts=2)), Delivered)
    assert len(slack.parents()) == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (7, Retry(problem="slack: ratelimited", after_seconds=7)),
        ("internal_error", Retry(problem="slack: internal_error")),
        ("not_in_channel", Retry(problem="slack: not_in_channel; invite the app to the channel")),
        ("account_inactive", Retry(problem="slack: account_inactive; make a new token")),
        ("is_archived", None),
        ("no_text", Rejected(problem="slack: no_text")),
        ("Bearer xoxb-1", Retry(problem="slack: unknown_error")),
        ("500", Retry(problem="slack: answered 500")),
        ("302", Retry(problem="slack: answered 302")),
        ("garbage", Retry(problem="slack: answered no JSON")),
        ("hang", Retry(problem="slack: no answer within 0.5 s")),
    ],
)
async def test_what_slack_says_is_judged(
    slack: Workspace, told: str | int, expected: Outcome | None
) -> None:
    """What can be put right is tried again, what is wrong with the message never."""
    slack.script["chat.postMessage"] = [told]
    outcome = await send(slack, message(), timeout=0.5)
    assert isinstance(outcome, Retry) if expected is None else outcome == expected
    assert TOKEN not in str(outcome)


async def test_a_wrong_token_waits_for_a_right_one(slack: Workspace) -> None:
    """A token may be replaced while the message waits."""
    outcome = await send(slack, message(), token="xoxb-wrong")
    assert outcome == Retry(problem="slack: invalid_auth; check the token")


async def test_blocks_that_are_not_taken_give_way_to_text(slack: Workspace) -> None:
    """The message arrives as text when Slack takes no block of it."""
    slack.script["chat.postMessage"] = ["invalid_blocks"]
    assert isinstance(await send(slack, message()), Delivered)
    assert slack.parents()[0]["blocks"] == []


@pytest.mark.parametrize("step", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_a_message_never_fails_for_its_chart(slack: Workspace, step: str) -> None:
    """Where the upload fails, the message is delivered, and the thread says so."""
    slack.script[step] = ["missing_scope"]
    assert isinstance(await send(slack, message()), Delivered)
    (parent,) = slack.parents()
    assert "chart could not be shared" in slack.replies(parent["ts"])[-1]["text"]
    assert not slack.shared


async def test_a_file_goes_nowhere_but_to_slack(slack: Workspace) -> None:
    """An upload address on another host is not followed."""
    async with workspace() as other:
        slack.upload_host = other.url.removesuffix("/api").replace("127.0.0.1", "localhost")
        assert isinstance(await send(slack, message()), Delivered)
        assert not other.files
    assert not slack.files


async def test_a_thread_waits_a_moment_for_its_turn(slack: Workspace) -> None:
    """Slack takes about a message a second: the details come after the wait that it asks for."""
    await send(slack, message(), chart=False)
    slack.script["chat.postMessage"] = [0]
    await send(slack, resolved(reference=f"{CHANNEL} {slack.parents()[0]['ts']}"))
    assert len(slack.replies(slack.parents()[0]["ts"])) == 2


@pytest.mark.parametrize("count", [1, 1000])
async def test_nothing_from_outside_becomes_mark_up(slack: Workspace, count: int) -> None:
    """Mentions, links and control characters of hostile text are shown as text, within limits."""
    assert isinstance(await send(slack, message(HOSTILE * 3, count)), Delivered)
    (parent,) = slack.parents()
    assert "&lt;!channel&gt;" in parent["text"]
    for each in ("<!channel>", "<@U123>", "<https://evil", "\x1b", "\u202e", "leaked"):
        assert each not in "".join(_strings(slack.posted))
    for text in blocks.overview(message(HOSTILE * 3, count)):
        assert len(str(text)) < 4000
    assert len(slack.replies(parent["ts"])) >= 1


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return (
        [text for part in parts for text in _strings(part)] if isinstance(parts, Iterable) else []
    )


def test_escaped_text_is_never_cut_within_an_entity() -> None:
    """A cut leaves whole entities, and no more than the limit."""
    for limit in range(1, 40):
        cut = blocks.escape("a<&>" * 20, limit)
        assert len(cut) <= limit
        assert cut.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "").count("&") == 0
