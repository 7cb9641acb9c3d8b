"""The contract of an analyst: a brief in, a draft out, within a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.evidence import Evidence, Frame, Suspect
from responder.investigation.report import Draft, Spend


@dataclass(frozen=True, kw_only=True, slots=True)
class Brief:
    """All that an analyst may stand on.

    `runbooks` maps an alert's name to its page; `onset_at` is in seconds since the epoch; `frame`
    is what a model's tools look closer at, where it is known.
    """

    incident: Incident
    onset_at: float
    evidence: tuple[Evidence, ...]
    suspects: tuple[Suspect, ...]
    changes: tuple[Change, ...]
    runbooks: Mapping[str, str]
    frame: Frame | None = None


class Analyst(Protocol):
    """Writes a draft from a brief; raises AnalystError where it cannot."""

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft; every claim cites evidence ids of the brief."""
        ...


class AnalystError(Exception):
    """The analyst could not write a draft; the embedded one takes over."""

    def __init__(self, problem: str, spend: Spend | None = None) -> None:
        """Keep what was spent all the same."""
        super().__init__(problem)
        self.spend = spend or Spend()
        self.evidence: tuple[Evidence, ...] = ()
        """What the analyst had looked at before it could not go on."""


class CeilingError(AnalystError):
    """A call would cross a ceiling on spend, and was not made."""


class AnswerError(AnalystError):
    """The model answered, and with no report that can be read: its failure, no network's."""
