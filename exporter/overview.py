"""Which targets the landing page shows: filtered, the worst first, a hundred at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.history import PastRun
from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.target import Outcome, State

ROWS = 100
_SHOWN_FAILURES = 3
_LONGEST_NAME = 100
_MOST_PAGES = 10**6
# Worst first.
STATES = (
    *(State.DOWN, State.HUNG, State.WRONG, State.UNRESPONSIVE, State.SATURATED),
    *(State.DEGRADED, State.UNKNOWN, State.OK),
)
_ORDER = {state: place for place, state in enumerate(STATES)}


class RefusedError(Exception):
    """A query that asks for what cannot be, by its text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a reader asked for; empty and None are all."""

    state: State | None = None
    kind: str = ""
    name: str = ""
    page: int = 1

    def query(self, **other: object) -> dict[str, str]:
        """Return the query that asks for this, or for something else beside it."""
        asked = {"state": self.state, "kind": self.kind, "name": self.name, **other}
        return {name: str(value) for name, value in asked.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One target as it stands now; `last` is None where nothing is known of a last run."""

    record: TargetRecord
    kind: str
    state: State
    why: str
    last: Outcome | None
    failures: Sequence[PastRun]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """One page of targets, and how many there are of each state in all."""

    rows: Sequence[Row]
    matching: int
    before: int
    page: int
    pages: int
    states: Mapping[State, int]
    kinds: Sequence[str]
    total: int


def wanted(query: Mapping[str, str], kinds: Sequence[str]) -> Wanted:
    """Read a query.

    Raises RefusedError for a state or kind that does not exist, or a page that is no number.
    """
    state, kind, page = (query.get(name, "").strip() for name in ("state", "kind", "page"))
    if state and state not in _ORDER:
        raise RefusedError(f"state: unknown; use one of {', '.join(STATES)}")
    if kind and kind not in kinds:
        raise RefusedError("kind: unknown; use one that `vigie-exporter describe` names")
    if page and not (page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= _MOST_PAGES):
        raise RefusedError("page: not a number of a page; use 1 or more")
    return Wanted(
        state=State(state) if state else None,
        kind=kind,
        name=query.get("name", "").strip()[:_LONGEST_NAME],
        page=int(page[:9] or 1),
    )


def overview(records: Sequence[TargetRecord], asked: Wanted, now: float) -> Overview:
    """Choose what is shown; a page after the last is the last.

    Reads only what another thread may change meanwhile without harm.
    """
    states = [(record.state(now), record) for record in records]
    found = sorted(
        (each for each in states if _matches(*each, asked)),
        key=lambda each: (_ORDER[each[0]], each[1].target.name or ""),
    )
    pages = max(1, -(-len(found) // ROWS))
    page = min(asked.page, pages)
    before = ROWS * (page - 1)
    counts = Counter(state for state, _ in states)
    return Overview(
        rows=[row(record, now) for _, record in found[before : before + ROWS]],
        matching=len(found),
        before=before,
        page=page,
        pages=pages,
        states={state: counts[state] for state in STATES if counts[state]},
        kinds=sorted(map(probes.kind_of, {type(r.target): r.target for r in records}.values())),
        total=len(records),
    )


def _matches(state: State, record: TargetRecord, asked: Wanted) -> bool:
    target = record.target
    return (
        (asked.state is None or state is asked.state)
        and (not asked.kind or probes.kind_of(target) == asked.kind)
        and asked.name.lower() in (target.name or "").lower()
    )


def row(record: TargetRecord, now: float) -> Row:
    """Return how a target stands."""
    last = record.current(now)
    return Row(
        record=record,
        kind=probes.kind_of(record.target),
        state=record.state(now),
        why=last.why if last else _unknown(record, now),
        last=last,
        failures=record.history.failures(_SHOWN_FAILURES),
    )


def _unknown(record: TargetRecord, now: float) -> str:
    if record.is_stale(now):
        return "no run has ended for three intervals"
    if record.last_run_timestamp_seconds is None:
        return "no run has ended yet"
    return "the last run was left out, or the settings have changed since"
