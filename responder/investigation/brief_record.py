"""A brief as plain data and back, but for its evidence and its series, which are stored apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Suspect


def brief_data(brief: Brief) -> dict[str, Any]:
    """Write a brief."""
    return {
        "incident": brief.incident.model_dump(mode="json"),
        "onset_at": brief.onset_at,
        "suspects": [each.model_dump(mode="json") for each in brief.suspects],
        "changes": [asdict(each) for each in brief.changes],
        "runbooks": dict(brief.runbooks),
    }


def brief_from(data: Mapping[str, Any], evidence: tuple[Evidence, ...]) -> Brief:
    """Read one back, with the evidence that it had."""
    return Brief(
        incident=Incident.model_validate(data["incident"]),
        onset_at=data["onset_at"],
        evidence=evidence,
        suspects=tuple(Suspect.model_validate(each) for each in data["suspects"]),
        changes=tuple(Change(**each) for each in data["changes"]),
        runbooks=data["runbooks"],
    )
