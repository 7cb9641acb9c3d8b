"""What an investigation has come to so far, as its steps store it: plain data and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence
from responder.investigation.stages import Ranked


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An incident as the stage before saw it, and what goes with its investigation."""

    investigation_id: str
    incident: Incident
    changes: tuple[Change, ...]
    started_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What the stages before have found, as they stored it."""

    gathered: Mapping[str, Any]
    ranked: Mapping[str, Any]
    disproved: Mapping[str, Any]


def report_id(incident_id: str) -> str:
    """Give the id of an incident's report: the same however often it is written."""
    return f"{incident_id}-r1"


def change_data(change: Change) -> dict[str, Any]:
    """Give a change as plain data."""
    return {
        "id": change.id,
        "at": change.at,
        "service": change.service,
        "kind": change.kind,
        "title": change.title,
        "version": change.version,
        "author": change.author,
        "link": change.link,
    }


def case_of(investigation_id: str, begun: Mapping[str, Any]) -> Case:
    """Read what the first step has stored."""
    return Case(
        investigation_id=investigation_id,
        incident=Incident.model_validate(begun["incident"]),
        changes=tuple(Change(**each) for each in begun["changes"]),
        started_at=begun["started_at"],
    )


def evidence_of(stored: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """Read the evidence that a stage has stored."""
    return tuple(Evidence.model_validate(each) for each in stored["evidence"])


def brief_of(case: Case, progress: Progress) -> Brief:
    """Put together what the analyst is given."""
    ranked = Ranked.model_validate(progress.ranked)
    return Brief(
        incident=case.incident,
        onset_at=ranked.onset_at,
        evidence=(*evidence_of(progress.gathered), *evidence_of(progress.disproved)),
        suspects=ranked.suspects,
        changes=case.changes,
        runbooks=progress.gathered["runbooks"],
    )
