"""Incidents as a responder's API tells them, with the truth beside them, read from a folder.

A file is `{"incident": ..., "changes": ..., "truth": {"component": ..., "kind": ...}}`, where
`incident` is what `GET /api/v1/incidents/ID` answered and `changes` the list of
`GET /api/v1/changes`; or the first answer alone, whose verdict is the truth then. `.json(.gz)`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from responder.alert import Change, Episode
from responder.evaluation.problem import EvaluationError
from responder.incident import Incident, IncidentState
from responder.investigation.analyst import Brief
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import CauseKind, Evidence, Status, Suspect

LARGEST_BYTES = 64 << 20
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])
_SUSPECTS = TypeAdapter(tuple[Suspect, ...])
_DISPROOFS = TypeAdapter(tuple[Disproof, ...])
_EPISODES = TypeAdapter(tuple[Episode, ...])


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """One incident as it was seen then, and its true cause.

    `is_undecided` says that what was seen does not tell the kind, so that a report may leave it
    open.
    """

    name: str
    brief: Brief
    disproofs: tuple[Disproof, ...]
    component: str
    kind: CauseKind
    is_undecided: bool = False


def read_folder(folder: Path) -> tuple[Recorded, ...]:
    """Read all cases of a folder, by name; raises EvaluationError."""
    paths = sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")])
    if not paths:
        raise EvaluationError(folder, "no recorded incidents", "give a folder of *.json(.gz)")
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Recorded:
    try:
        return _case(path.name.removesuffix(".gz").removesuffix(".json"), _loaded(path))
    except EvaluationError:
        raise
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise EvaluationError(path, f"cannot be read ({error})", "record it again") from None
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"not what the API answers ({type(error).__name__}: {str(error)[:200]})"
        raise EvaluationError(path, told, "record it with this version") from None


def _loaded(path: Path) -> Any:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        body = file.read(LARGEST_BYTES + 1)
    if len(body) > LARGEST_BYTES:
        raise EvaluationError(path, "larger than 64 MiB", "leave the charts out")
    return orjson.loads(body)


def _case(name: str, whole: Mapping[str, Any]) -> Recorded:
    told = whole.get("incident", whole)
    truth = whole.get("truth") or _judged(name, told)
    evidence = _EVIDENCE.validate_python(told["evidence"])
    brief = Brief(
        incident=_incident(told),
        onset_at=_onset(name, evidence),
        evidence=evidence,
        suspects=_SUSPECTS.validate_python(told["suspects"]),
        changes=tuple(Change(**each) for each in whole.get("changes", ())),
        runbooks=_runbooks(evidence),
    )
    return Recorded(
        name=name,
        brief=brief,
        disproofs=_DISPROOFS.validate_python(told["disproofs"]),
        component=str(truth["component"]),
        kind=CauseKind(truth["kind"]),
        is_undecided=bool(truth.get("is_undecided", False)),
    )


def _judged(name: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the last verdict for the truth."""
    cause = next((each["cause"] for each in told.get("verdicts", ())), None)
    if not cause:
        problem = "neither a truth nor a verdict that names the cause"
        raise EvaluationError(name, problem, "judge the incident with `verdict`, or add `truth`")
    return dict(cause)


def _incident(told: Mapping[str, Any]) -> Incident:
    plain: Sequence[Mapping[str, Any]] = told["episodes"]
    bare = [{k: v for k, v in each.items() if k != "resent"} for each in plain]
    return Incident(
        id=str(told["id"]),
        opened_at=float(told["opened_at"]),
        state=IncidentState.INVESTIGATING,
        reason=str(told["reason"]),
        episodes=_EPISODES.validate_python(bare),
    )


def _onset(name: str, evidence: Iterable[Evidence]) -> float:
    for each in evidence:
        for quantity in each.quantities:
            if quantity.name == "onset":
                return quantity.value
    raise EvaluationError(name, "no evidence of the onset", "record an incident with a report")


def _runbooks(evidence: Iterable[Evidence]) -> dict[str, str]:
    return {
        each.facts["alert"]: each.detail
        for each in evidence
        if each.source == "runbooks" and each.status is Status.OK and "alert" in each.facts
    }
