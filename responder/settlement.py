"""What follows when episodes end, join or come too late: resolution, parting, merging, notices."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from responder.guard import clean
from responder.incident import Incident, IncidentState, Placement, Policy, Turn, severity_rank
from responder.investigation.evidence import CauseKind, Suspect
from responder.investigation.report import Report
from responder.membership import Finding, same_cause, uncovered
from responder.store import episodes, incidents, outbox, reports, work
from responder.store.engine import Connection
from responder.store.incidents import Entry, Opening
from responder.store.reports import Dossier

log = structlog.get_logger(__name__)

RESOLVED_EARLY = "resolved before its investigation came to a result"

_POLICY = Policy()
_LONGEST_NOTE = 500
_MOST_COMPARED = 50


def settle(
    connection: Connection,
    incident_id: str,
    channels: Sequence[str],
    at: float,
    policy: Policy = _POLICY,
) -> None:
    """Resolve an incident whose episodes are all over, and do what follows from that."""
    standing = incidents.standing(connection, incident_id)
    if standing is None or standing.resolved_at is not None or standing.fires:
        return
    ended_at = at if standing.last_end_at is None else standing.last_end_at
    incidents.resolve(connection, incident_id, ended_at)
    text = "every alert of it is resolved"
    if standing.flaps:
        text += f"; it flaps, so that is told after {policy.flap_within_seconds:g} s of quiet"
    incidents.log(connection, incident_id, Entry(at=at, event="resolved", text=text))
    if work.drop(connection, incident_id, at):
        was_late = incidents.was_late(connection, incident_id)
        why = "it was over before we heard of it" if was_late else "resolved before its turn"
        closed = Entry(at=at, event="closed", text=why)
        incidents.set_state(connection, incident_id, IncidentState.CLOSED, closed)
    announce_resolution(connection, incident_id, channels, at, policy)


def close_resolved(connection: Connection, incident_id: str, at: float) -> bool:
    """Close an incident that is over while it is investigated; tell whether it is closed now.

    It is not when something has fired again in it meanwhile: its investigation then goes on.
    """
    incident = incidents.get(connection, incident_id)
    if incident is None or incident.resolved_at is None:
        return False
    if incident.state is not IncidentState.INVESTIGATING:
        return False
    closed = Entry(at=at, event="closed", text=RESOLVED_EARLY)
    incidents.set_state(connection, incident_id, IncidentState.CLOSED, closed)
    return True


def announce_joining(  # noqa: PLR0913 - what joined, why, and whom to tell
    connection: Connection,
    incident_id: str,
    placement: Placement,
    channels: Sequence[str],
    at: float,
    *,
    policy: Policy = _POLICY,
) -> None:
    """Do what follows when a placement that `flaps` or `is_told` has joined an incident."""
    if placement.flaps:
        incidents.flapped(connection, incident_id)
        why = "it fired again before it was told"
        outbox.withdraw(connection, incident_id, outbox.RESOLVED, at, why)
    # Its id alone: a report that this version cannot read must not keep people from hearing.
    report_id = reports.id_of(connection, incident_id) if placement.is_told else None
    if report_id is None:
        return
    last, due_at = outbox.last_told(connection, incident_id, outbox.UPDATED), at
    if last is not None and last.at > at and last.waits:
        return  # The one that waits will show this, too.
    # However many join, one message is enough for a while: by a clock that was not put back.
    if last is not None and last.at <= at:
        due_at = max(at, last.at + policy.join_within_seconds)
    told = _Told(incident_id=incident_id, report_id=report_id, note=placement.reason)
    _update(connection, told, channels, at=at, due_at=due_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What is new of an incident that has a report."""

    incident_id: str
    report_id: str
    note: str


def _update(
    connection: Connection, told: _Told, channels: Sequence[str], *, at: float, due_at: float
) -> None:
    notice = outbox.Notice(
        incident_id=told.incident_id,
        report_id=told.report_id,
        event=outbox.UPDATED,
        at=at,
        occasion=f"{due_at:.3f}",
        note=clean(told.note, _LONGEST_NOTE),
        due_at=due_at,
    )
    outbox.add(connection, channels, notice)


def part(connection: Connection, examined: Incident, at: float) -> None:
    """Open an incident for what joined *examined* too late for its report, if there is such."""
    incident = incidents.get(connection, examined.id)
    late = uncovered(incident, examined) if incident is not None else ()
    if not late:
        return
    names = ", ".join(dict.fromkeys(episode.alert.name or "an alert" for episode in late))
    new_id, rank = uuid.uuid4().hex[:16], min(severity_rank(e.alert.severity) for e in late)
    reason = f"{names} joined after the investigation began; it follows incident {examined.id}"
    opening = Opening(
        id=new_id, at=at, state=IncidentState.WAITING, reason=reason, severity_rank=rank
    )
    incidents.open_new(connection, opening)
    incidents.share_keys(connection, examined.id, new_id)
    episodes.move(connection, [episode.id for episode in late], new_id)
    incidents.set_rank(connection, examined.id, severity_rank(examined.severity))
    text = f"{names} joined after the investigation began: see incident {new_id}"
    incidents.log(connection, examined.id, Entry(at=at, event="parted", text=text))
    # They have waited for as long as the investigation took.
    work.add(connection, new_id, Turn(priority=rank, due_at=at), at)


def announce_resolution(
    connection: Connection,
    incident_id: str,
    channels: Sequence[str],
    at: float,
    policy: Policy = _POLICY,
) -> None:
    """Put the end of an incident that was reported into the outbox; later where it flaps."""
    report_id = reports.id_of(connection, incident_id)
    standing = incidents.standing(connection, incident_id)
    if report_id is None or standing is None:
        return
    notice = outbox.Notice(
        incident_id=incident_id,
        report_id=report_id,
        event=outbox.RESOLVED,
        at=at,
        occasion=str(standing.flaps or ""),
        due_at=at + policy.flap_within_seconds if standing.flaps else at,
    )
    outbox.add(connection, channels, notice)


def merge_if_one(
    connection: Connection,
    report: Report,
    channels: Sequence[str],
    at: float,
    policy: Policy = _POLICY,
) -> str | None:
    """Merge the incident of *report*, just stored, with the one that it turns out to be.

    Gives the incident that stands for both, the earlier of the two; None when it is its own.
    """
    if not _is_named(report):
        return None
    own = _finding(connection, report.incident)
    if own is None:
        return None
    since = at - policy.horizon_seconds
    for other_report in reports.since(connection, since, _MOST_COMPARED):
        # Before anything is read of it: in a storm there are many reports to compare with.
        if not _names_the_same(report, other_report):
            continue
        other = _readable_finding(connection, other_report.incident)
        if other is None or other.incident_id == own.incident_id:
            continue
        reason = same_cause(own, other, policy)
        if reason is not None:
            earlier, later = sorted((own, other), key=lambda one: (one.opened_at, one.incident_id))
            _merge(connection, earlier.incident_id, later.incident_id, reason, at)
            if later is other:
                _tell_late(connection, later.incident_id, earlier.incident_id, channels, at)
            return earlier.incident_id
    return None


def _is_named(report: Report) -> bool:
    return bool(report.causes) and report.causes[0].kind is not CauseKind.UNKNOWN


def _names_the_same(report: Report, other: Report) -> bool:
    if not other.causes:
        return False
    own, its = report.causes[0], other.causes[0]
    return (own.component, own.kind) == (its.component, its.kind)


def _readable_finding(connection: Connection, incident_id: str) -> Finding | None:
    try:
        return _finding(connection, incident_id)
    except ValidationError as error:  # As when another version wrote it.
        count = error.error_count()
        log.warning("stored incident cannot be read", incident=incident_id, errors=count)
        return None


def _finding(connection: Connection, incident_id: str) -> Finding | None:
    """Give what an incident's report came to; None where it is merged already, or names nothing."""
    dossier = reports.of_incident(connection, incident_id)
    incident = incidents.get(connection, incident_id)
    if dossier is None or incident is None or incident.merged_into is not None:
        return None
    if not dossier.report.causes:
        return None
    first = dossier.report.causes[0]
    return Finding(
        incident_id=incident_id,
        component=first.component,
        kind=first.kind,
        confidence=first.confidence,
        onset_at=_onset(dossier, incident),
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
    )


def _onset(dossier: Dossier, incident: Incident) -> float:
    first = dossier.report.causes[0]
    for each in dossier.suspects:
        suspect = Suspect.model_validate(each)
        is_first = (suspect.component, suspect.kind) == (first.component, first.kind)
        if is_first and suspect.onset_at is not None:
            return suspect.onset_at
    return incident.lead.alert.starts_at if incident.episodes else incident.opened_at


def _merge(connection: Connection, earlier_id: str, later_id: str, reason: str, at: float) -> None:
    incidents.merge(connection, later_id, earlier_id)
    incidents.share_keys(connection, later_id, earlier_id)
    text = f"one with incident {earlier_id}: {reason}"
    incidents.log(connection, later_id, Entry(at=at, event="merged", text=text))
    text = f"incident {later_id} turned out to be this one: {reason}"
    incidents.log(connection, earlier_id, Entry(at=at, event="merged", text=text))
    note = f"belongs to incident {earlier_id}: {reason}"
    outbox.annotate(connection, later_id, outbox.REPORTED, clean(note, _LONGEST_NOTE))


def _tell_late(
    connection: Connection, later_id: str, earlier_id: str, channels: Sequence[str], at: float
) -> None:
    """Tell of a merge on an incident whose own message may have gone out before."""
    report_id = reports.id_of(connection, later_id)
    if report_id is not None:
        note = f"belongs to incident {earlier_id}"
        told = _Told(incident_id=later_id, report_id=report_id, note=note)
        _update(connection, told, channels, at=at, due_at=at)
