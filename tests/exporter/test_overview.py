"""Which targets the landing page shows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.overview import ROWS, Overview, RefusedError, Wanted, overview, wanted
from exporter.record import TargetRecord
from exporter.target import Observation, Outcome, Reason, State
from tests.exporter.world import chat, http

KINDS = ("http", "openai_chat")


def record(name: str, state: State | None = State.OK, kind: str = "http") -> TargetRecord:
    """Make a target's record in a state; None for one that has not run."""
    target = (http() if kind == "http" else chat()).model_copy(update={"name": name})
    made = TargetRecord(target, now=0.0)
    if state is not None:
        outcome = Outcome(
            canary="" if kind == "http" else "alive",
            prompt=None,
            finished_timestamp_seconds=1.0,
            observation=Observation(),
            reason=None if state is State.OK else Reason.CONNECT,
            state=state,
            why=f"because {state}",
        )
        made.finish(outcome, now=0.0)
    return made


def names(found: Overview) -> list[str]:
    """Return the names shown."""
    return [str(row.record.target.name) for row in found.rows]


FLEET = (
    record("b-ok"),
    record("a-ok"),
    record("c-down", State.DOWN),
    record("d-new", None),
    record("chat", State.HUNG, kind="openai_chat"),
)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["c-down", "chat", "d-new", "a-ok", "b-ok"]),
        ({"state": "ok"}, ["a-ok", "b-ok"]),
        ({"kind": "openai_chat"}, ["chat"]),
        ({"name": "C"}, ["c-down", "chat"]),
        ({"name": " -ok ", "state": "ok", "kind": "http"}, ["a-ok", "b-ok"]),
        ({"name": "<script>"}, []),
        ({"page": "77"}, ["c-down", "chat", "d-new", "a-ok", "b-ok"]),
    ],
)
def test_what_is_asked_for_is_shown_the_worst_first(
    query: Mapping[str, str], shown: list[str]
) -> None:
    """Filters hold together; the name is any part in any case; a page too far is the last."""
    found = overview(FLEET, wanted(query, KINDS), now=1.0)
    assert names(found) == shown
    assert found.matching == len(shown)
    assert found.total == 5
    assert dict(found.states) == {"down": 1, "hung": 1, "unknown": 1, "ok": 2}
    assert tuple(found.kinds) == KINDS


@pytest.mark.parametrize(
    "query",
    [
        *({"state": "nope"}, {"kind": "nope"}),
        *({"page": each} for each in ("0", "x", "-1", "9" * 5000, "\N{ARABIC-INDIC DIGIT THREE}")),
    ],
)
def test_what_cannot_be_is_refused(query: Mapping[str, str]) -> None:
    """A query that nothing could answer says so by its parameter's name."""
    (name,) = query
    with pytest.raises(RefusedError, match=f"^{name}: "):
        wanted(query, KINDS)


def test_many_targets_are_shown_in_pages() -> None:
    """Every target stands on exactly one page, and all but the last are full."""
    fleet = [record(f"t{number:05}") for number in range(950)]
    seen: list[str] = []
    for page in range(1, 11):
        found = overview(fleet, Wanted(page=page), now=1.0)
        assert (found.pages, found.before) == (10, len(seen))
        assert len(found.rows) == (ROWS if page < 10 else 50)
        seen += names(found)
    assert seen == [f"t{number:05}" for number in range(950)]


def test_why_a_state_is_unknown_is_said() -> None:
    """A target that has not run, or no longer runs, is told apart."""
    new, old = record("new", None), record("old")
    whys = {row.record.target.name: row.why for row in overview([new, old], Wanted(), 5.0).rows}
    assert whys == {"new": "no run has ended yet", "old": "because ok"}
    (stale,) = overview([old], Wanted(), now=1000.0).rows
    assert (stale.state, stale.last) == (State.UNKNOWN, None)
    assert stale.why == "no run has ended for three intervals"


def test_query_of_another_page_keeps_the_filter() -> None:
    """A link to the next page asks for the same targets; empty parts are left out."""
    asked = Wanted(state=State.DOWN, name="a&b", page=3)
    assert asked.query(page=4) == {"state": "down", "name": "a&b", "page": "4"}
    assert asked.query(state="") == {"name": "a&b"}
