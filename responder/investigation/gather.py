"""Asks every source at once, numbers what comes back, and turns series into typed quantities."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from responder.alert import Change
from responder.guard import clean_labels, line, mask_secrets
from responder.incident import Incident
from responder.investigation.chart import chart
from responder.investigation.evidence import (
    UNCONFIGURED,
    Evidence,
    Frame,
    Quantity,
    Status,
    Window,
)
from responder.investigation.movement import Movement
from responder.investigation.picture import Picture, picture
from responder.investigation.vocabulary import Role
from responder.source import Finding, Question, Source, Topology, sources

log = structlog.get_logger(__name__)

MOST_CHANGES = 10
GRACE_SECONDS = 1.0
_QUIET = frozenset({Role.OTHER, Role.CPU, Role.MEMORY, Role.CACHE, Role.PROMPT_TOKENS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Evidence numbered E1..En, the series, the window looked at, and the alerts' pages."""

    window: Window
    evidence: tuple[Evidence, ...]
    frame: Frame | None
    runbooks: Mapping[str, str]


async def ask_all(asked: Sequence[Source], question: Question) -> list[tuple[str, Finding]]:
    """Ask every source at once; what a source does wrong becomes evidence that says so."""
    findings = await asyncio.gather(*(_ask(source, question) for source in asked))
    found = list(zip((_kind(source) for source in asked), findings, strict=True))
    missing = [kind for kind in sources.kinds() if kind not in {name for name, _ in found}]
    return found + [(kind, _nothing(kind, question, UNCONFIGURED)) for kind in missing]


async def _ask(source: Source, question: Question) -> Finding:
    kind = _kind(source)
    if question.is_past and not getattr(source, "knows_past", False):
        return _nothing(kind, question, "knows only the present")
    try:
        async with asyncio.timeout(question.deadline_seconds + GRACE_SECONDS):
            return await source.gather(question)
    except TimeoutError:
        return _nothing(kind, question, "no answer within the deadline")
    except Exception as error:  # a report must come, whatever a source does
        log.warning("source failed", source=kind, reason=type(error).__name__, exc_info=True)
        problem = f"the source failed: {type(error).__name__}"
        return _nothing(kind, question, problem, Status.FAILED)


def _kind(source: Source) -> str:
    try:
        return sources.kind_of(source)
    except LookupError:
        return type(source).__name__


def _nothing(
    kind: str, question: Question, problem: str, status: Status = Status.UNAVAILABLE
) -> Finding:
    return Finding(
        evidence=[
            Evidence(
                id="",
                source=kind,
                title=kind,
                query="",
                window=question.window,
                status=status,
                detail=problem,
            )
        ]
    )


def assemble(question: Question, findings: Sequence[tuple[str, Finding]]) -> Gathered:
    """Put findings together: evidence numbered, and filled with what the series say; pure."""
    incident, topology = question.incident, question.topology
    evidence = [alert_evidence(incident, question.window)]
    frames: list[Frame] = []
    for _, finding in findings:
        if finding.frame is not None:
            frames.append(_moved(finding.frame, len(evidence)))
        evidence += finding.evidence
    known = _components(topology, frames)
    evidence += change_evidence(question.changes, known, question.window)
    evidence = [each.model_copy(update={"id": str(i)}) for i, each in enumerate(evidence)]
    frame = _joined(frames)
    seen = picture(incident, evidence, frame, question.changes, topology)
    evidence = _filled(seen, evidence, frame)
    evidence.append(_onset_evidence(seen, question.window))
    kept, ids = _numbered(evidence, seen)
    window = question.window
    if frame is not None:
        labels = tuple(
            {**each, "__evidence__": ids.get(each.get("__evidence__", ""), "")}
            for each in frame.labels
        )
        frame = Frame(times=frame.times, values=frame.values, labels=labels)
        window = Window(start=float(frame.times[0]), end=window.end)
    runbooks = {
        each.facts["alert"]: each.detail
        for each in kept
        if each.source == "runbooks" and each.status is Status.OK and "alert" in each.facts
    }
    return Gathered(window=window, evidence=tuple(kept), frame=frame, runbooks=runbooks)


def alert_evidence(incident: Incident, window: Window) -> Evidence:
    """Make the alert itself the first evidence: all there is when the sources are down."""
    lead = incident.lead.alert
    facts = {"origin": "alert"}
    facts |= {f"label {name}": value for name, value in clean_labels(lead.labels).items()}
    facts |= {f"annotation {name}": text for name, text in clean_labels(lead.annotations).items()}
    others = [each for each in incident.episodes if each.id != incident.lead.id]
    for number, each in enumerate(others[:20], 2):
        facts[f"alert {number}"] = line(f"{each.alert.name} {each.alert.target or ''}", 200)
    quantities = [
        Quantity(name="fired at", value=lead.starts_at, unit="timestamp"),
        Quantity(name="alerts in the incident", value=len(incident.episodes), unit="count"),
    ]
    if lead.ends_at is not None:
        quantities.append(Quantity(name="ended at", value=lead.ends_at, unit="timestamp"))
    return Evidence(
        id="",
        source="alert",
        title=line(f"{lead.name} {lead.target or ''} ({lead.severity})", 200),
        query="webhook",
        window=Window(start=min(lead.starts_at, window.end), end=window.end),
        status=Status.OK,
        quantities=tuple(quantities),
        facts=facts,
    )


def change_evidence(
    changes: Sequence[Change], known: frozenset[str], window: Window
) -> list[Evidence]:
    """Make evidence of announced changes: one each for known components, one for all the others."""
    near = [each for each in changes if not known or each.service in known]
    far = [each for each in changes if known and each.service not in known]
    near = sorted(near, key=lambda each: (each.at, each.id))[-MOST_CHANGES:]
    made = [_change(each, window) for each in near]
    facts = {
        f"change {number}": line(f"{each.kind} of {each.service}: {each.title}", 200)
        for number, each in enumerate(sorted(far, key=lambda each: (each.at, each.id)), 1)
        if number <= MOST_CHANGES
    }
    title = "changes of services that nothing here calls" if made or far else "announced changes"
    made.append(
        Evidence(
            id="",
            source="changes",
            title=title,
            query="changes before the alert",
            window=window,
            status=Status.OK if far else Status.EMPTY,
            facts={**facts, "origin": "changes"},
            quantities=(Quantity(name="changes", value=len(far), unit="count"),) if far else (),
        )
    )
    return made


def _change(change: Change, window: Window) -> Evidence:
    service = line(change.service, 200)
    facts = {"change": change.id, "origin": "changes", "service": service}
    for name in ("kind", "title", "version", "author"):
        if text := mask_secrets(line(str(getattr(change, name)), 300)):
            facts[name] = text
    return Evidence(
        id="",
        source="changes",
        title=line(f"{facts.get('kind', 'change')} of {service}: {facts.get('title', '')}", 300),
        query="changes before the alert",
        window=window,
        status=Status.OK,
        component=service,
        facts=facts,
        quantities=(Quantity(name="changed at", value=change.at, unit="timestamp", at=change.at),),
    )


def _components(topology: Topology, frames: Sequence[Frame]) -> frozenset[str]:
    known = {each for call in topology.calls for each in call}
    known |= {labels.get("component", "") for frame in frames for labels in frame.labels}
    return frozenset(known - {""})


def _moved(frame: Frame, offset: int) -> Frame:
    """Let a source's columns point at their evidence among all evidence."""
    labels = tuple(
        {**each, "__evidence__": str(int(each.get("__evidence__", "0")) + offset)}
        for each in frame.labels
    )
    return Frame(times=frame.times, values=frame.values, labels=labels)


def _joined(frames: Sequence[Frame]) -> Frame | None:
    """Put frames side by side on the grid of the first; others take their nearest samples."""
    if not frames:
        return None
    times = frames[0].times
    blocks = [frames[0].values]
    for frame in frames[1:]:
        place = np.clip(np.searchsorted(frame.times, times), 0, len(frame.times) - 1)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        near = np.abs(frame.times[place] - times) <= step
        blocks.append(np.where(near[:, None], frame.values[place], np.nan))
    labels = tuple(each for frame in frames for each in frame.labels)
    return Frame(times=times, values=np.concatenate(blocks, axis=1), labels=labels)


def _filled(seen: Picture, evidence: Sequence[Evidence], frame: Frame | None) -> list[Evidence]:
    """Give each piece of evidence the numbers and the chart of its columns."""
    groups: dict[str, list[Movement]] = defaultdict(list)
    for movement in seen.movements:
        groups[movement.evidence].append(movement)
    filled: list[Evidence] = []
    for each in evidence:
        members = groups.get(each.id, [])
        if not members or frame is None:
            filled.append(each)
            continue
        quantities = tuple(q for member in members for q in member.quantities())
        drawn = _draw(each, members, frame, seen.onset.at) if _worth_a_look(members) else ""
        status = Status.OK if quantities else Status.EMPTY
        update = {"quantities": each.quantities + quantities, "chart_svg": drawn, "status": status}
        filled.append(each.model_copy(update=update))
    return filled


def _worth_a_look(members: Sequence[Movement]) -> bool:
    return any(member.lively or member.role not in _QUIET for member in members)


def _draw(evidence: Evidence, members: Sequence[Movement], frame: Frame, onset_at: float) -> str:
    loudest = sorted(members, key=lambda member: (-abs(member.deviation), member.index))
    series = [
        (", ".join(f"{k}={v}" for k, v in member.labels.items()) or member.role.value, member)
        for member in loudest
    ]
    unit = series[0][1].unit
    drawn = [(n, frame.values[:, m.index]) for n, m in series if m.unit == unit]
    return chart(frame.times, drawn, title=evidence.title, unit=unit, onset_at=onset_at)


def _onset_evidence(seen: Picture, window: Window) -> Evidence:
    onset = seen.onset
    where = "the alert's own time: no series showed a departure"
    own = [m for m in seen.movements if m.labels.get("target") in seen.incident.targets]
    if onset.column is not None:
        names = sorted({m.name for m in own}) or ["the alert's series"]
        where = line(f"change point of the alert's and the junior's series ({len(names)})", 200)
    return Evidence(
        id="onset",
        source="onset",
        title="onset of the incident",
        query="change point of the alerting series",
        window=window,
        status=Status.OK,
        component=seen.symptom,
        facts={"found in": where, "origin": "onset"},
        quantities=(
            Quantity(name="onset", value=onset.at, unit="timestamp", at=onset.at),
            Quantity(name="uncertainty", value=onset.uncertainty_seconds, unit="seconds"),
        ),
    )


def _numbered(evidence: Sequence[Evidence], seen: Picture) -> tuple[list[Evidence], dict[str, str]]:
    """Fold what says nothing new, then number; returns old id to new id as well."""
    quiet = _quiet_ids(seen)
    groups: dict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for each in evidence:
        groups[_fold_key(each, quiet)].append(each)
    kept: list[Evidence] = []
    ids: dict[str, str] = {}
    for members in groups.values():
        new = f"E{len(kept) + 1}"
        ids |= {each.id: new for each in members}
        kept.append(
            (_folded(members) if len(members) > 1 else members[0]).model_copy(update={"id": new})
        )
    return kept, ids


def _quiet_ids(seen: Picture) -> frozenset[str]:
    groups: dict[str, list[Movement]] = defaultdict(list)
    for each in seen.movements:
        groups[each.evidence].append(each)
    return frozenset(e for e, members in groups.items() if not _worth_a_look(members))


def _fold_key(evidence: Evidence, quiet: frozenset[str]) -> tuple[str, ...]:
    if evidence.id in quiet:
        return "quiet", evidence.component or "", evidence.facts.get("origin", "")
    if evidence.source == "prometheus" and evidence.status is not Status.OK:
        return "not ok", evidence.status.value, evidence.detail
    return ("one", evidence.id)


def _folded(members: Sequence[Evidence]) -> Evidence:
    first = members[0]
    names = [each.facts.get("metric") or each.title for each in members]
    told = line(", ".join(dict.fromkeys(names)), 900)
    if first.status is Status.OK:
        title = f"{first.component}: {len(members)} further metrics, none of them moved"
    else:
        title = f"{len(members)} questions: {first.status.value}"
    return first.model_copy(
        update={
            "title": title,
            "query": "\n".join(each.query for each in members)[:4000],
            "quantities": (Quantity(name="metrics", value=len(members), unit="count"),),
            "facts": {"metrics": told, "origin": first.facts.get("origin", "")},
            "chart_svg": "",
            "link": "",
        }
    )
