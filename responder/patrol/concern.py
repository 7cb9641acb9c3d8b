"""What a look finds, and what became of it over the rounds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import pydantic
from pydantic import AfterValidator

from responder.guard import clean_labels, line, mask_secrets

LONGEST_TEXT = 400
ALERTNAME = "VigiePatrolFinding"
RAISED_BY = "vigie-responder"


class Grade(StrEnum):
    """Whether it is worth a line, or an incident."""

    NOTE = "note"
    SERIOUS = "serious"


def _cleaned(text: str) -> str:
    """Clean what may quote what is watched."""
    return mask_secrets(line(text, LONGEST_TEXT))


class Concern(pydantic.BaseModel):
    """One thing that a look finds, in one sentence with its figures; `labels` say what it is about.

    `query` gives its series, over as long as it is looked at. A concern is the same at the next
    round when its look, `measure` and labels are.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    look: str
    measure: str
    labels: Annotated[Mapping[str, str], AfterValidator(clean_labels)]
    grade: Grade
    text: Annotated[str, AfterValidator(_cleaned)]
    query: str

    @property
    def key(self) -> str:
        """Name it, the same way in each round."""
        about = ",".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        return f"{self.look}/{self.measure}/{about}"


class Standing(pydantic.BaseModel):
    """A concern over the rounds: since when, how often found or missed in a row, whether raised.

    `over_at` is when a raised one was held for over; it is told so for a while after. One that an
    alert covered from the first is not `told` of before the alert is over.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    concern: Concern
    since: float
    seen_at: float
    found: int = 1
    missed: int = 0
    raised_at: float | None = None
    over_at: float | None = None
    told: bool = True

    @property
    def holds(self) -> bool:
        """Tell whether it is not over."""
        return self.over_at is None

    def withdrawn(self, at: float) -> Standing:
        """Give it as over, where it was raised and holds."""
        is_raised = self.raised_at is not None and self.holds
        return self.model_copy(update={"over_at": at}) if is_raised else self


class RoundReport(pydantic.BaseModel):
    """What a round had to say: what is new or over, and what it saw in part only, or not at all."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    at: float
    seconds: float
    new: tuple[Concern, ...] = ()
    over: tuple[Concern, ...] = ()
    raised: tuple[Concern, ...] = ()
    standing: int = 0
    unseen: Mapping[str, str] = {}
    remarks: Mapping[str, tuple[str, ...]] = {}

    @property
    def says_something(self) -> bool:
        """Tell whether anything is new or over."""
        return bool(self.new or self.over or self.raised)
