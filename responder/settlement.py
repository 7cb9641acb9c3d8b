"""What follows when episodes end or come too late for a report: resolution, parting, notices."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from responder.incident import Incident, IncidentState, Turn, severity_rank, uncovered
from responder.store import episodes, incidents, outbox, reports, work
from responder.store.engine import Connection
from responder.store.incidents import Entry, Opening


def settle(connection: Connection, incident_id: str, channels: Sequence[str], at: float) -> None:
    """Resolve an incident whose episodes are all over, and do what follows from that."""
    incident = incidents.get(connection, incident_id)
    if incident is None or incident.resolved_at is not None:
        return
    ends = [episode.resolved_at for episode in incident.episodes]
    if any(end is None for end in ends):
        return
    ended_at = max(end for end in ends if end is not None)
    incidents.resolve(connection, incident_id, ended_at)
    text = "every alert of it is resolved"
    incidents.log(connection, incident_id, Entry(at=at, event="resolved", text=text))
    if work.drop(connection, incident_id, at):
        closed = Entry(at=at, event="closed", text="resolved before its turn")
        incidents.set_state(connection, incident_id, IncidentState.CLOSED, closed)
    announce_resolution(connection, incident_id, channels, at)


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
    connection: Connection, incident_id: str, channels: Sequence[str], at: float
) -> None:
    """Put the end of an incident that was reported into the outbox."""
    dossier = reports.of_incident(connection, incident_id)
    if dossier is not None:
        notice = outbox.Notice(
            incident_id=incident_id, report_id=dossier.report.id, event=outbox.RESOLVED, at=at
        )
        outbox.add(connection, channels, notice)
