"""Reads the compounds: what happens in which order, and what right reports name first."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.truth import CAUSE_KINDS

TABLE = Path(__file__).with_name("compounds.yml")


class Row(BaseModel):
    """A part of the table: frozen, and nothing in it is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Announcement(Row):
    """A change that is announced to the responder and made nowhere."""

    service: str
    kind: Literal["deployment", "flag", "config", "other"]
    title: str
    version: str | None = None


class Rounds(Row):
    """How the responder's rounds are made from here on, for a lab that has no last week."""

    interval: str
    window: str
    compare_with: tuple[str, ...]


class Step(Row):
    """One thing that is done, so many seconds after the one before: one of four."""

    after_seconds: float = Field(default=0.0, ge=0, le=60)
    fault: str | None = None
    announce: Announcement | None = None
    freeze: Literal["exporter"] | None = None
    rounds: Rounds | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        done = (self.fault, self.announce, self.freeze, self.rounds)
        if sum(each is not None for each in done) != 1:
            raise ValueError("a step is one of fault, announce, freeze, rounds")
        return self


class TrueCause(Row):
    """What the report names first in the incident of this target, or else of this alert."""

    target: str | None = None
    alert: str | None = None
    component: str
    cause_kind: str

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.target is None) is (self.alert is None):
            raise ValueError("a cause is told of a target or of an alert")
        if self.cause_kind not in CAUSE_KINDS:
            raise ValueError(f"cause kind {self.cause_kind} is not of the closed set")
        return self


class Compound(Row):
    """One story, its true causes, and whether the data allow to name them."""

    compound: str
    summary: str
    steps: tuple[Step, ...] = Field(min_length=1)
    causes: tuple[TrueCause, ...] = Field(min_length=1)
    undecided: bool = False


class _Table(Row):
    compounds: tuple[Compound, ...]


def load(path: Path = TABLE) -> dict[str, Compound]:
    """Return the compounds by name, in the file's order; raises ValueError for a wrong table."""
    rows = _Table.model_validate(yaml.safe_load(path.read_text("utf-8"))).compounds
    table = {each.compound: each for each in rows}
    if len(table) != len(rows):
        raise ValueError(f"{path.name}: a compound stands twice; keep one")
    return table
