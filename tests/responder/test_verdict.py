"""Verdicts: what can be said, by API, page and command, what it leads to, and what is refused."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from responder.investigation.evidence import CauseKind
from responder.judging import command
from responder.outlet import Outlet
from responder.store import retention, verdicts
from responder.store.engine import url_of
from responder.store.store import Store
from responder.verdict import (
    LONGEST_NOTE,
    MOST_OF_AN_INCIDENT,
    NoReportError,
    Ruling,
    Said,
    VerdictError,
    said,
)
from tests.responder.conftest import Place, Start
from tests.responder.fakes import alert, post
from tests.responder.test_pages import HOSTILE, assert_tame

CORRECTED = {"verdict": "correct", "cause": {"component": "features", "kind": "capacity"}}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Give a new store of each kind."""
    with Store(url_of(database_url, Path())) as made:
        yield made


async def reported(place: Place) -> str:
    """Have an incident reported; give its id."""
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await place.reported()
    return str(incident["id"])


async def judge(place: Place, identity: str, given: Any, **options: Any) -> tuple[int, Any]:
    """Post a verdict to the API; give the status and the answer."""
    address = place.url / "api/v1/incidents" / identity / "verdict"
    how = {"data": given} if isinstance(given, bytes) else {"json": given}
    async with place.session.post(address, **how, **options) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("ruling", Ruling)
def test_each_ruling_is_read_and_told(ruling: Ruling) -> None:
    """A correction names the cause, in either form; the others name none."""
    given: dict[str, Any] = {"verdict": ruling.value, "note": "n", "by": "ann"}
    if ruling is Ruling.CORRECT:
        given["cause"] = "a:b:out_of_memory"
    read = said(given)
    assert (read.ruling, read.note, read.by) == (ruling, "n", "ann")
    expected = ("a:b", "out_of_memory") if ruling is Ruling.CORRECT else ("", "")
    assert (read.component, read.kind) == expected


@pytest.mark.parametrize("kind", CauseKind)
def test_any_kind_may_be_the_true_one(kind: CauseKind) -> None:
    """Those that reports name, no more and no less."""
    assert said({"verdict": "correct", "component": "chat", "kind": kind.value}).kind == kind


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "verdict: must be one of confirm, correct, reject"),
        ({"verdict": 7}, "verdict: must be one of"),
        ({"verdict": ["confirm"]}, "verdict: must be one of"),
        ({"verdict": "correct"}, "cause: no component"),
        ({"verdict": "correct", "cause": "chat"}, "cause: no component"),
        (
            {"verdict": "correct", "cause": "chat:bug"},
            "unknown kind 'bug'; it is one of bad",
        ),
        ({"verdict": "correct", "cause": ["chat"]}, "cause: must be COMPONENT:KIND"),
        ({"verdict": "correct", "cause": {"component": 1, "kind": "crash"}}, "component: must be"),
        ({"verdict": "confirm", "cause": "chat:crash"}, "cause: confirm names none"),
        ({"verdict": "reject", "component": "chat"}, "cause: reject names none"),
        ({"verdict": "confirm", "note": {}}, "note: must be text"),
        ({"verdict": "confirm", "sure": True}, "unknown field 'sure'"),
    ],
)
def test_what_is_no_verdict_is_refused(given: Mapping[str, Any], problem: str) -> None:
    """With the place, the problem and what to do."""
    with pytest.raises(VerdictError, match="; ") as error:
        said(given)
    assert problem in str(error.value)


def test_what_is_said_is_cleaned() -> None:
    """No control characters, no secret, no end in sight."""
    note = "\x1b[31m\u202e\x00 password=hunter2 " + "x" * 10_000
    read = said({**CORRECTED, "note": note, "by": "a\nb" + "y" * 500})
    assert len(read.note) <= LONGEST_NOTE
    assert not {"\x1b", "\u202e", "\x00"} & set(read.note)
    assert "hunter2" not in read.note
    assert "\n" not in read.by


async def test_a_verdict_is_taken_shown_and_counted(start: Start) -> None:
    """The last one counts, all of them are shown, on page, list, JSON and metrics."""
    place = await start()
    identity = await reported(place)
    assert "Nobody has judged" in await place.text(f"/incidents/{identity}")
    assert (await place.incidents())[0]["verdict"] is None
    status, answer = await judge(place, identity, {"verdict": "confirm", "by": "ann"})
    first = (await place.read(f"/api/v1/incidents/{identity}"))["report"]["causes"][0]
    assert (status, answer["told"]) == (200, "confirmed by ann")
    assert answer["cause"] == {"component": first["component"], "kind": first["kind"]}
    status, answer = await judge(place, identity, {**CORRECTED, "by": "bob", "note": "see #7"})
    assert answer["told"] == "corrected by bob: the cause was features, capacity"
    whole = await place.read(f"/api/v1/incidents/{identity}")
    assert [each["verdict"] for each in whole["verdicts"]] == ["correct", "confirm"]
    assert whole["verdict"] == (await place.incidents())[0]["verdict"] == "correct"
    page = await place.text(f"/incidents/{identity}")
    assert "corrected by bob: the cause was features, capacity" in page
    assert "see #7" in page
    assert '<span class="verdict correct">correct</span>' in await place.text("/")
    counted = [
        line
        for line in (await place.text("/metrics")).splitlines()
        if line.startswith("vigie_responder_reports_judged{")
    ]
    assert len(counted) == 1
    assert 'verdict="correct"} 1.0' in counted[0]


async def test_the_form_of_the_page_is_taken(start: Start) -> None:
    """Empty fields are none; a foreign page's form is refused, and so is an endless one."""
    place = await start()
    identity = await reported(place)
    address = place.url / "incidents" / identity / "verdict"
    form = {"verdict": "reject", "component": "", "kind": "", "note": "no", "by": "ann"}
    async with place.session.post(address, data=form) as answer:
        assert (answer.status, answer.url.path) == (200, f"/incidents/{identity}")
        assert "rejected by ann" in await answer.text()
    refusals: list[tuple[dict[str, Any], dict[str, str], int]] = [
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, form, 403),
        ({}, {**form, "note": "x" * 40_000}, 413),
        ({}, {**form, "verdict": "perhaps"}, 400),
    ]
    for options, given, expected in refusals:
        async with place.session.post(address, data=given, **options) as answer:
            assert answer.status == expected
    async with place.session.post(address, json=form) as answer:
        assert answer.status == 415


async def test_bad_posts_get_a_reason(start: Start) -> None:
    """Whatever comes, the answer is JSON that says what to do."""
    place = await start()
    identity = await reported(place)
    assert (await judge(place, "nobody", {"verdict": "confirm"}))[0] == 404
    for body in (b"", b"[]", b"{", b"\xff", b'{"verdict": "confirm", "note": "' + b"x" * 40_000):
        headers = {"Content-Type": "application/json"}
        status, answer = await judge(place, identity, body, headers=headers)
        assert status == 400
        assert answer["error"]
    status, _ = await judge(
        place, identity, b"verdict=confirm", headers={"Content-Type": "text/plain"}
    )
    assert status == 415
    assert (await place.read(f"/api/v1/incidents/{identity}"))["verdicts"] == []


async def test_whatever_is_said_is_text_on_the_page(start: Start) -> None:
    """Names, notes and people may be called anything."""
    place = await start()
    identity = await reported(place)
    cause = {"component": HOSTILE, "kind": "crash"}
    given = {"verdict": "correct", "cause": cause, "note": HOSTILE, "by": HOSTILE}
    assert (await judge(place, identity, given))[0] == 200
    for path in ("/", f"/incidents/{identity}"):
        assert_tame(await place.text(path))


async def test_who_has_a_password_speaks_under_his_own_name(start: Start) -> None:
    """What the body says of it does not count then."""
    place = await start()
    identity = await reported(place)
    headers = {"Authorization": aiohttp.encode_basic_auth("ann", "x")}
    _, answer = await judge(place, identity, {"verdict": "confirm", "by": "bob"}, headers=headers)
    assert answer["by"] == "ann"


async def test_two_at_once_are_both_kept(start: Start) -> None:
    """One of them is the last, and neither is lost; more than there is room for are refused."""
    place = await start()
    identity = await reported(place)
    many = [judge(place, identity, {"verdict": "confirm"}) for _ in range(MOST_OF_AN_INCIDENT + 5)]
    answers = await asyncio.gather(*many)
    statuses = [status for status, _ in answers]
    assert statuses.count(200) == MOST_OF_AN_INCIDENT
    assert statuses.count(400) == 5
    whole = await place.read(f"/api/v1/incidents/{identity}")
    assert len(whole["verdicts"]) == MOST_OF_AN_INCIDENT


async def test_verdicts_go_with_their_incident(start: Start) -> None:
    """Retention leaves none behind, and is not held up by one."""
    place = await start()
    identity = await reported(place)
    assert (await judge(place, identity, CORRECTED))[0] == 200
    await place.responder.store.write(lambda database: retention.delete(database, [identity]))
    assert await place.responder.store.read(verdicts.judged) == {}
    assert await place.incidents() == []


async def test_a_store_knows_no_verdict_without_a_report(store: Store) -> None:
    """On either database."""
    with pytest.raises(NoReportError):
        await store.write(
            lambda database: verdicts.add(database, "x", Said(ruling=Ruling.CONFIRM), 1.0)
        )
    assert await store.read(verdicts.judged) == {}
    assert await store.read(lambda database: verdicts.latest(database, ["x"])) == {}


def outlet() -> tuple[Outlet, io.StringIO, list[str]]:
    """Give where a command writes, and what it wrote."""
    out, lines = io.StringIO(), list[str]()
    return Outlet(console=Console(file=out, width=200), tell=lines.append), out, lines


async def test_the_command_speaks_to_one_that_runs(start: Start) -> None:
    """By its address while it runs; a verdict that makes no sense is refused before that."""
    place = await start()
    identity = await reported(place)
    wanted = [identity, "correct", "--cause", "chat:crash", "--by", "ann"]
    namespace = command.parser().parse_args([*wanted, "--url", str(place.url)])
    here, out, _ = outlet()
    assert await command.run(namespace, {}, here) == 0
    assert out.getvalue() == f"{identity}: corrected by ann: the cause was chat, crash\n"
    with pytest.raises(VerdictError, match="cause: confirm names none"):
        await command.run(command.parser().parse_args([identity, "confirm", *wanted[2:]]), {}, here)
    gone = command.parser().parse_args(["nobody", "reject", "--url", str(place.url)])
    with pytest.raises(VerdictError, match="no such incident"):
        await command.run(gone, {}, here)
    nowhere = command.parser().parse_args([identity, "reject", "--url", "http://127.0.0.1:9"])
    with pytest.raises(VerdictError, match="is a responder there"):
        await command.run(nowhere, {}, here)


async def test_the_command_writes_to_a_database_that_nobody_holds(tmp_path: Path) -> None:
    """With the configuration that names it."""
    (tmp_path / "responder.yml").write_text("incidents: {quiet: 0s}\n", encoding="utf-8")
    config = ["--config.file", str(tmp_path / "responder.yml")]
    here, _, _ = outlet()
    namespace = command.parser().parse_args(["nobody", "confirm", *config])
    with pytest.raises(NoReportError):
        await command.run(namespace, {}, here)
