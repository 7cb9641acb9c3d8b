"""The email channel against a real SMTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from responder.channel import Delivered, Message, Rejected, Retry
from responder.channels.email import EmailChannel
from tests.responder.channels.messages import HOSTILE, PAGE, message, resolved
from tests.responder.channels.post_office import PASSWORD, USER, PostOffice, post_office
from toolkit.secrets import Secret

Outcome = Delivered | Retry | Rejected
TO = "oncall@example.org"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[PostOffice]:
    """Run a server that demands STARTTLS and a login."""
    async with post_office(tmp_path) as running:
        yield running


def channel(office: PostOffice, **settings: Any) -> EmailChannel:
    """Make a channel to the server."""
    secret = Secret.from_environ("P", {"P": settings.pop("secret", PASSWORD)})
    usual = {
        "host": "localhost",
        "port": office.port,
        "ca_file": office.ca_file,
        "username": USER,
        "password": secret,
        "sender": "vigie@example.org",
        "to": (TO, "second@example.org"),
    }
    return EmailChannel.model_validate(usual | settings)


async def send(office: PostOffice, told: Message, **settings: Any) -> Outcome:
    """Send one message."""
    async with aiohttp.ClientSession() as session:
        return await channel(office, **settings).send(told, session, 20)


async def test_an_email_has_text_html_and_the_chart(office: PostOffice) -> None:
    """The chart is within the email, nothing is fetched, and the only link is to our page."""
    outcome = await send(office, message(destination=TO))
    assert outcome == Delivered(reference=f"<{'k' * 32}@example.org>")
    ((recipient, mail),) = office.letters
    assert (recipient, mail["To"], mail["From"]) == (TO, TO, "Vigie <vigie@example.org>")
    assert mail["Message-ID"] == f"<{'k' * 32}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"].startswith("[critical] ")
    assert mail["Date"]
    assert mail["In-Reply-To"] is None
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert PAGE in text.get_content()
    assert html is not None
    shown = html.get_content()
    assert "cid:chart@vigie" in shown
    assert shown.count("http") == shown.count(PAGE) == 1
    (picture,) = [each for each in mail.walk() if each.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<chart@vigie>"
    assert picture.get_content().startswith(b"\x89PNG")


async def test_the_end_answers_the_report(office: PostOffice) -> None:
    """The email about the end refers to the first, and both name the first as their place."""
    first = await send(office, message(destination=TO))
    assert isinstance(first, Delivered)
    assert await send(office, resolved(destination=TO, reference=first.reference)) == first
    _, mail = office.letters[1]
    assert mail["In-Reply-To"] == mail["References"] == first.reference
    assert mail["Subject"].startswith("Resolved: [critical]")


async def test_a_repeat_is_known_by_its_id(office: PostOffice) -> None:
    """The same message has the same Message-ID, however often it comes."""
    for _ in range(2):
        await send(office, message(destination=TO))
    first, second = (mail["Message-ID"] for _, mail in office.letters)
    assert first == second


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("450 4.2.0 later", Retry(problem="localhost: answered 450 4.2.0 (recipient refused)")),
        ("550 5.1.1 who", Rejected(problem="localhost: answered 550 5.1.1 (recipient refused)")),
    ],
)
async def test_a_refused_recipient_delays_no_other(
    office: PostOffice, answer: str, expected: Outcome
) -> None:
    """4xx is tried again and 5xx never; each recipient's email is its own."""
    office.refusals[TO] = answer
    assert await send(office, message(destination=TO)) == expected
    assert isinstance(await send(office, message(destination="second@example.org")), Delivered)
    assert [to for to, _ in office.letters] == ["second@example.org"]


@pytest.mark.parametrize(
    ("answer", "expected"), [("452 4.3.1 full", Retry), ("554 5.7.1 spam", Rejected)]
)
async def test_refused_content(
    office: PostOffice, answer: str, expected: type[Retry | Rejected]
) -> None:
    """What the server says of the content is judged by its code."""
    office.content_answer = answer
    outcome = await send(office, message(destination=TO))
    assert isinstance(outcome, expected)
    assert "content refused" in outcome.problem


async def test_a_wrong_password_is_not_told(office: PostOffice) -> None:
    """A refused login is tried again, and the server's words are not repeated."""
    outcome = await send(office, message(), secret="another-pass-word")
    problem = "localhost: answered 535 5.7.8 (login refused); check username and password"
    assert outcome == Retry(problem=problem)


async def test_a_server_that_hangs(office: PostOffice) -> None:
    """The channel's timeout holds."""
    office.hold.clear()
    outcome = await send(office, message(), timeout=0.5)
    assert outcome == Retry(problem="localhost: no answer within 0.5 s")


async def test_a_certificate_that_is_not_known(office: PostOffice) -> None:
    """Without its authority the server is not spoken to."""
    outcome = await send(office, message(), ca_file=None)
    assert isinstance(outcome, Retry)
    assert not office.letters


async def test_other_ways_to_connect(tmp_path: Path) -> None:
    """TLS from the start, and none at all, work as well; STARTTLS is never left out."""
    plain = {"username": "", "password": None}
    async with post_office(tmp_path, "tls") as office:
        assert isinstance(await send(office, message(), security="tls", **plain), Delivered)
    async with post_office(tmp_path, "none") as office:
        assert isinstance(await send(office, message(), security="none", **plain), Delivered)
        outcome = await send(office, message(), **plain)
        assert isinstance(outcome, Retry)
        assert len(office.letters) == 1


async def test_nothing_from_outside_becomes_a_header_or_mark_up(office: PostOffice) -> None:
    """Hostile text makes no header, no element and no link, and control characters are gone."""
    told = message(HOSTILE, 3, destination=TO, note=HOSTILE)
    assert isinstance(await send(office, replace(told, event="updated")), Delivered)
    ((_, mail),) = office.letters
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    html = mail.get_body(("html",))
    assert html is not None
    shown = html.get_content()
    for each in ("<script", "<img src=http", 'href="http://evil', "\x1b", "\u202e", "leaked"):
        assert each not in shown
    assert "&lt;script&gt;" in shown


@asynccontextmanager
async def nobody() -> AsyncIterator[PostOffice]:
    """Give a server that does not run."""
    yield PostOffice(port=9)


async def test_nobody_there() -> None:
    """A closed port is tried again."""
    async with nobody() as office:
        outcome = await send(office, message(), ca_file=None)
    assert isinstance(outcome, Retry)
    assert outcome.problem.startswith("localhost: not ")
