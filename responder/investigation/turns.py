"""The turns of a model's analysis as they are journalled: plain records, in their order.

Played again, one after the other, they bring an analysis to where it was, without asking anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

import pydantic
from pydantic import Field

from responder.investigation.evidence import Evidence, Record
from responder.investigation.report import Refutation, Spend


class Asked(Record):
    """One call that the model made; the arguments are a mapping or text, as they came."""

    name: str
    arguments: str | dict[str, Any]


class Answered(Record):
    """The model answered; `spend` is that of all its answers so far.

    `limit` says why nothing but the report was on offer, empty where everything was.
    """

    kind: Literal["answered"] = "answered"
    model: str
    calls: tuple[Asked, ...]
    finish_reason: str
    spend: Spend
    limit: str = ""


class Result(Record):
    """What came of one call: what the model is told, and by which key it is known again."""

    name: str
    key: str
    outcome: Literal["ok", "empty", "failed", "again", "invalid", "refused"]
    text: str
    evidence: tuple[str, ...] = ()


class Looked(Record):
    """The calls of an answer were made, in their order."""

    kind: Literal["looked"] = "looked"
    results: tuple[Result, ...]
    evidence: tuple[Evidence, ...]


class Tried(Record):
    """What would refute the leading cause, by the model's own word, was asked."""

    kind: Literal["tried"] = "tried"
    refutation: Refutation
    evidence: tuple[Evidence, ...]


class Switched(Record):
    """The model failed for good, and the fallback goes on."""

    kind: Literal["switched"] = "switched"
    problem: str


class Ended(Record):
    """The analysis ended without a report; the problem says why."""

    kind: Literal["ended"] = "ended"
    problem: str
    is_ceiling: bool = False
    spend: Spend = Spend()


Entry = Answered | Looked | Tried | Switched | Ended
_ENTRY: pydantic.TypeAdapter[Entry] = pydantic.TypeAdapter(
    Annotated[Entry, Field(discriminator="kind")]
)


class Opening(Record):
    """What an analysis begins with: what it asks by, and the brief but for its evidence.

    The evidence itself is stored with the report; `evidence` are the ids of what was there first.
    """

    model: str
    fallback_model: str | None
    turns: int
    offered: tuple[str, ...]
    brief: dict[str, Any]
    evidence: tuple[str, ...]
    digest: str
    """Of the whole brief: turns of another one are not gone on with."""


def entry(data: Any) -> Entry:
    """Read an entry back; raises ValidationError."""
    return _ENTRY.validate_python(data)


class Journal(Protocol):
    """Where turns are written down; each is stored before the next begins."""

    async def begin(self, incident_id: str, opening: Opening) -> Sequence[Entry]:
        """Open the journal of an incident, or give what is in it where it is of the same brief."""
        ...

    async def append(self, incident_id: str, number: int, entry: Entry) -> None:
        """Write the entry of a number down; raises OSError or StoreError where it cannot be."""
        ...


class NoJournal:
    """Keeps nothing: for an analysis that no other process will go on with."""

    async def begin(self, incident_id: str, opening: Opening) -> Sequence[Entry]:  # noqa: ARG002 - the contract's
        """Give nothing."""
        return ()

    async def append(self, incident_id: str, number: int, entry: Entry) -> None:
        """Keep nothing."""
