"""Who calls whom, by configuration, by series that name a peer, and by service graphs."""

from __future__ import annotations

import aiohttp
import pytest

from responder.investigation.calls import seen_calls
from responder.investigation.evidence import (
    CALL,
    CALLEE,
    CALLER,
    CALLS,
    Evidence,
    Quantity,
    Status,
    Window,
)
from responder.investigation.movement import Movement
from responder.investigation.vocabulary import Role
from responder.prometheus_calls import GRAPHS
from responder.sources.prometheus import PrometheusSource
from tests.responder.sources.far_end import FarEnd, question, vector
from tests.responder.sources.test_prometheus import healthy

KNOWN = {"door", "engine", "vectors", "facts"}


def graph(*calls: tuple[str, str], source: str = "prometheus") -> Evidence:
    """Make the evidence of a service graph."""
    return Evidence(
        id="E1",
        source=source,
        title=f"{CALLS}, by a graph",
        query="q",
        window=Window(start=0, end=1),
        status=Status.OK,
        quantities=tuple(
            Quantity(name=CALL, value=1.0, labels={CALLER: one, CALLEE: two}) for one, two in calls
        ),
    )


def upstream(component: str, peer: str) -> Movement:
    """Make the movement of a series that names its peer."""
    return Movement(
        index=0,
        role=Role.UPSTREAM_LATENCY,
        name="client_seconds",
        component=component,
        unit="seconds",
        evidence="E2",
        labels={"peer": peer},
    )


def test_what_is_seen_is_added_to_what_is_configured() -> None:
    """Sorted, each once, and only between components that are known of."""
    evidence = [graph(("door", "vectors"), ("user", "door"), ("facts", "facts"))]
    seen = [upstream("engine", "facts"), upstream("door", "engine"), upstream("door", "10.0.0.1")]
    assert seen_calls([("door", "engine")], evidence, seen, KNOWN) == (
        ("door", "engine"),
        ("door", "vectors"),
        ("engine", "facts"),
    )


def test_a_configured_call_is_not_turned_round() -> None:
    """A mesh that counts answers as calls does not make the callee the caller."""
    assert seen_calls([("door", "engine")], [graph(("engine", "door"))], [], KNOWN) == (
        ("door", "engine"),
    )


def test_cycles_are_kept_and_no_others_evidence_is_believed() -> None:
    """Who calls whom in a circle is so; a title alone, from another source, says nothing."""
    circle = graph(("door", "engine"), ("engine", "door"))
    assert seen_calls([], [circle], [], KNOWN) == (("door", "engine"), ("engine", "door"))
    assert seen_calls([], [graph(("door", "engine"), source="loki")], [], KNOWN) == ()


@pytest.mark.parametrize("made", GRAPHS, ids=lambda each: each.family)
async def test_each_graph_is_asked_and_read(made: object) -> None:
    """Its own labels become caller and callee, the busiest first; what is no call is left out."""
    (known,) = (each for each in GRAPHS if each is made)
    before = healthy()["/api/v1/query"]

    def answer(asked: dict[str, str]) -> object:
        if known.family not in asked["query"]:
            return before(asked)
        pairs = [("door", "engine", 2.0), ("door", "vectors", 5.0), ("door", "door", 9.0)]
        pairs += [("idle", "engine", 0.0)]
        return vector(*(({known.caller: one, known.callee: two}, rate) for one, two, rate in pairs))

    answers = {**healthy(), "/api/v1/query": answer}
    async with FarEnd(answers=answers) as far, aiohttp.ClientSession() as session:
        found = await PrometheusSource(url=far.url).gather(question(session))
    (told,) = (each for each in found.evidence if each.title.startswith(CALLS))
    assert [tuple(each.labels.values()) for each in told.quantities] == [
        ("door", "vectors"),
        ("door", "engine"),
    ]
    assert told.facts["origin"] == "topology"


async def test_where_there_is_no_graph_nothing_is_said_of_it() -> None:
    """A ledger need not list what an installation does not have."""
    async with FarEnd(answers=healthy()) as far, aiohttp.ClientSession() as session:
        found = await PrometheusSource(url=far.url).gather(question(session))
    assert not [each for each in found.evidence if each.title.startswith(CALLS)]
