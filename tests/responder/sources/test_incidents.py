"""Our own memory: what is remembered, of which incidents, and that nothing rests on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest

from responder.incident import Incident
from responder.investigation.compose import compose
from responder.investigation.evidence import Evidence, Status
from responder.investigation.report import Standing
from responder.investigation.stages import Ranked
from responder.investigation.tool import Remembers
from responder.past import ORIGIN, Past
from responder.source import Question, sources
from responder.sources.incidents import IncidentsSource
from responder.store.memory import MOST_TOLD, alike
from tests.responder.conftest import Place, place_in
from tests.responder.fakes import alert, post
from tests.responder.investigation.scene import Scene, stages
from tests.responder.investigation.test_compose import STAMP, brief_of, cause, draft
from tests.responder.investigation.test_truths import hang
from tests.responder.sources.far_end import incident, question

PAST = Past(
    incident="old",
    opened_at=1_690_000_000.0,
    likeness="the same alert",
    headline="an engine \x1b[31mhangs\nnow",
    component="engine",
    kind="hung_engine",
    confidence="high",
    decision="page",
)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


async def _told(asked: Question) -> Evidence:
    (evidence,) = (await IncidentsSource().gather(asked)).evidence
    return evidence


async def test_what_is_remembered_is_told_as_a_hypothesis(session: aiohttp.ClientSession) -> None:
    """Headline, day, likeness and verdict, on one clean line; about the incident's components."""
    about: list[frozenset[str]] = []

    async def remember(_incident: Incident, components: frozenset[str]) -> Sequence[Past]:
        about.append(components)
        return [PAST]

    labels = {"alertname": "Slow", "target": "chat", "service": "gateway"}
    evidence = await _told(replace(question(session, labels=labels), memory=remember))
    assert about == [frozenset({"chat", "gateway"})]
    assert (evidence.status, evidence.component) == (Status.OK, None)
    assert evidence.facts["origin"] == ORIGIN
    assert evidence.facts["seen before 1"] == (
        "an engine hangs now on 2023-07-22 04:26 UTC"
        " (the same alert; page, high confidence; incident old)"
    )


async def test_nothing_remembered_and_no_memory_are_told_apart(
    session: aiohttp.ClientSession,
) -> None:
    """Empty, unavailable and failed are three things."""

    async def nothing(_incident: Incident, _components: frozenset[str]) -> Sequence[Past]:
        return []

    async def broken(_incident: Incident, _components: frozenset[str]) -> Sequence[Past]:
        raise OSError("disk")

    asked = question(session)
    assert (await _told(asked)).status is Status.UNAVAILABLE
    assert (await _told(replace(asked, memory=nothing))).status is Status.EMPTY
    assert (await _told(replace(asked, memory=broken))).status is Status.FAILED
    assert "incidents" in sources.kinds()


def _remembered(text: str) -> Evidence:
    scene = Scene()
    first = brief_of(scene, *hang(scene)).evidence[0]
    facts = {"origin": ORIGIN, "seen before 1": text}
    return first.model_copy(
        update={"id": "E99", "source": "incidents", "title": "past", "facts": facts}
    )


def test_nothing_rests_on_it_but_the_reader_is_told() -> None:
    """A claim that cites it is not verified; suspects are the same with it and without."""
    scene = Scene()
    brief = brief_of(scene, *hang(scene))
    memory = _remembered("engine hung on 2023-07-22 with 17 requests waiting")
    with_it = replace(brief, evidence=(*brief.evidence, memory))
    guess = draft(cause("engine hung with 17 requests waiting", "E99"))
    report = compose(with_it, guess, (), STAMP)
    assert report.notes[-1] == (
        "seen before: engine hung on 2023-07-22 with 17 requests waiting; not evidence"
    )
    assert [each.standing for each in report.unverified] == [Standing.UNVERIFIED]
    assert (
        "E99" not in orjson.dumps([each.model_dump(mode="json") for each in report.causes]).decode()
    )
    assert {each.source for each in report.coverage} >= {"incidents"}
    found = scene.gathered(brief.incident)
    more = replace(found, evidence=(*found.evidence, memory))
    ranked: list[Ranked] = [stages().rank(brief.incident, each, ()) for each in (found, more)]
    assert ranked[0] == ranked[1]


async def _names(place: Place, like: Incident, *components: str) -> list[tuple[str, str]]:
    found = await place.responder.store.read(
        lambda database: alike(database, like, frozenset(components))
    )
    return [(each.likeness, each.headline) for each in found]


async def test_the_store_gives_the_nearest_first_and_only_what_was_before(tmp_path: Path) -> None:
    """The same alert on the same target, then on another, then the same place of the cause."""
    async with place_in(tmp_path, "incidents: {quiet: 0s, occurrence_within: 0s}") as place:
        await _nearest(place)


async def _nearest(place: Place) -> None:
    now = time.time()
    for number, (name, target) in enumerate(
        [("Slow", "chat"), ("Slow", "scorer"), ("Down", "door"), ("Down", "other")], 1
    ):
        await place.send(post(alert(name, starts_at=now, target=target)))
        await place.reported(number)
    later = incident({"alertname": "Slow", "target": "chat"}, fired_at=time.time())
    likenesses = [likeness for likeness, _ in await _names(place, later)]
    assert likenesses == ["the same alert on the same target", "the same alert"]
    (known,) = [each for each in await place.incidents() if each["alertnames"] == ["Slow"]][:1]
    whole = await place.read(f"/api/v1/incidents/{known['id']}")
    component = whole["report"]["causes"][0]["component"]
    fresh = incident({"alertname": "Fresh", "target": "new"}, fired_at=time.time())
    found = await _names(place, fresh, component)
    assert {likeness for likeness, _ in found} == {"its cause was in the same place"}
    assert 0 < len(found) <= MOST_TOLD
    earlier = incident({"alertname": "Slow", "target": "chat"}, fired_at=now - 3600)
    assert await _names(place, earlier, component) == []


def _corrected(cause_told: str) -> Evidence:
    facts = {"origin": ORIGIN, "seen before 1": "a hang", "true cause 1": cause_told}
    return _remembered("").model_copy(update={"facts": facts})


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("engine: hung_engine", "code suspects it again (number 1)"),
        ("engine: certificate", "engine shows trouble, but not of this kind"),
        ("nowhere: crash", "nothing was seen of nowhere, so it could not be tested"),
    ],
)
def test_a_cause_that_was_confirmed_or_corrected_is_looked_for(told: str, found: str) -> None:
    """What is found of it is said beside it, and neither the causes nor their confidence move."""
    scene = Scene()
    brief = brief_of(scene, *hang(scene))
    with_it = replace(brief, evidence=(*brief.evidence, _corrected(told)))
    same, report = (compose(each, draft(), (), STAMP) for each in (brief, with_it))
    assert f"the cause of before, {told}, was looked for: {found}" in report.notes
    assert report.causes == same.causes


async def test_a_model_may_look_at_the_incidents_of_another_alert(
    session: aiohttp.ClientSession,
) -> None:
    """By its name, on the targets of this incident; a verdict is told with the cause it left."""
    asked: list[Incident] = []

    async def remember(like: Incident, _components: frozenset[str]) -> Sequence[Past]:
        asked.append(like)
        return [replace(PAST, verdict="corrected by ann", true_component="chat", true_kind="crash")]

    labels = {"alertname": "Slow", "target": "chat"}
    source = IncidentsSource()
    assert isinstance(source, Remembers)
    (evidence,) = await source.remembered(
        "Down", replace(question(session, labels=labels), memory=remember)
    )
    assert [(each.alert.name, each.alert.target) for each in asked[0].episodes] == [
        ("Down", "chat")
    ]
    assert "; corrected by ann; incident old)" in evidence.facts["seen before 1"]
    assert evidence.facts["true cause 1"] == "chat: crash"


async def test_the_causes_that_were_judged_come_first(tmp_path: Path) -> None:
    """Of equally near incidents; what was rejected names no cause."""
    async with place_in(tmp_path, "incidents: {quiet: 0s, occurrence_within: 0s}") as place:
        for number in range(1, 4):
            await place.send(post(alert("Slow", starts_at=time.time(), target=f"t{number}")))
            await place.reported(number)
        names = [each["id"] for each in (await place.incidents())[::-1]]
        for identity, given in (
            (names[0], {"verdict": "correct", "cause": "db:capacity", "note": "a note"}),
            (names[1], {"verdict": "reject"}),
        ):
            assert await place.send(given, f"/api/v1/incidents/{identity}/verdict") == 200
        later = incident({"alertname": "Slow", "target": "chat"}, fired_at=time.time())
        found = await place.responder.store.read(
            lambda database: alike(database, later, frozenset())
        )
    assert [each.incident for each in found] == [names[0], names[2], names[1]]
    assert found[0].verdict == "corrected: the cause was db, capacity (a note)"
    assert (found[0].true_component, found[0].true_kind) == ("db", "capacity")
    assert (found[2].verdict, found[2].true_kind) == ("rejected: that was not the cause", "")
