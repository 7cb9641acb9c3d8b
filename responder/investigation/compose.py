"""Puts the report together: claims grounded, confidence capped by code, ledger complete; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from responder.guard import line, mask_secrets
from responder.investigation import embedded
from responder.investigation.analyst import Brief
from responder.investigation.confidence import allowed, as_disproofs
from responder.investigation.decide import decide
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import CLOCK, UNCONFIGURED, CauseKind, Evidence, Status
from responder.investigation.grounding import Ground
from responder.investigation.output_rules import Rules
from responder.investigation.phrases import headline
from responder.investigation.prose import split, uncarried
from responder.investigation.recall import seen_before
from responder.investigation.report import (
    Action,
    Cause,
    Claim,
    Confidence,
    Coverage,
    Draft,
    Impact,
    Moment,
    Report,
    Standing,
)
from responder.investigation.subjects import of_subjects, shows_trouble, subjects_of
from responder.investigation.suspicion import doubted, is_denial, suspected, told_of
from responder.past import ORIGIN

LONGEST_TEXT = 1200
LONGEST_HEADLINE = 200
MOST_CAUSES = 5
MOST_CLAIMS = 8
MOST_ACTIONS = 8
MOST_NOTES = 10
_ORDER = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """What a report carries of its making; times in seconds since the epoch."""

    report_id: str
    started_at: float
    now: float


def compose(brief: Brief, draft: Draft, disproofs: Sequence[Disproof], stamp: Stamp) -> Report:
    """Ground a draft and make the report of it.

    A draft whose first cause keeps no verified claim does not lead: the embedded draft, which code
    wrote from the same evidence, takes its place, and the draft's claims are kept as unverified.
    """
    # What was so last time is no evidence of what is so now.
    ground = Ground([each for each in brief.evidence if each.facts.get("origin") != ORIGIN])
    asked = _grounded(brief, _tidy(draft, brief), disproofs, ground)
    chosen = asked
    hits = suspected(brief)
    doubt = "" if asked.leads else "nothing that was verified bears out its first cause"
    if hits and draft.causes and not _held_by_code(brief, asked):
        doubt = "code does not suspect its first cause, and text was seen that reads like an order"
    if doubt and draft.analyst != embedded.NAME:
        own = _grounded(brief, _tidy(embedded.draft(brief), brief), disproofs, ground)
        note = f"{draft.analyst}: {doubt}; code's ranking leads"
        chosen = _Grounded(
            draft=own.draft.model_copy(
                update={
                    "analyst": draft.analyst,
                    "partial": draft.partial,
                    "notes": (*draft.notes, note),
                    "spend": draft.spend,
                }
            ),
            causes=own.causes,
            summary=own.summary,
            ruled_out=own.ruled_out,
            unverified=own.unverified + asked.unverified + _verified_of(asked),
            leads=own.leads,
        )
    draft = chosen.draft.model_copy(update={"notes": (*told_of(hits), *chosen.draft.notes)})
    chosen = dataclasses.replace(chosen, draft=draft)
    return _report(brief, chosen, disproofs, stamp, ground)


def _held_by_code(brief: Brief, grounded: _Grounded) -> bool:
    """Tell whether code itself suspects the first cause of a draft."""
    first = grounded.causes[0] if grounded.causes else None
    return first is not None and any(
        (line(each.component, 200), each.kind) == (first.component, first.kind)
        for each in brief.suspects
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grounded:
    draft: Draft
    causes: tuple[Cause, ...]
    summary: tuple[Claim, ...]
    ruled_out: tuple[Claim, ...]
    unverified: tuple[Claim, ...]
    leads: bool


def _verified_of(grounded: _Grounded) -> tuple[Claim, ...]:
    """Keep what was verified of causes that do not lead as remarks, without their standing."""
    problem = "its cause was not verified"
    return tuple(
        claim.model_copy(update={"standing": Standing.UNVERIFIED, "problem": problem})
        for cause in grounded.causes
        for claim in cause.claims
    )


def _tidy(draft: Draft, brief: Brief) -> Draft:
    """Clean every text of a draft: it may come from a model that read hostile text."""
    text = Rules.of(brief).text

    def claims(given: Iterable[Claim]) -> tuple[Claim, ...]:
        return tuple(
            each.model_copy(
                update={
                    "text": text(each.text, LONGEST_TEXT),
                    "evidence": tuple(dict.fromkeys(e[:20] for e in each.evidence[:20])),
                    "standing": Standing.UNVERIFIED,
                    "problem": "",
                }
            )
            for each in list(given)[:MOST_CLAIMS]
        )

    causes = tuple(
        each.model_copy(
            update={"component": line(each.component, 200), "claims": claims(each.claims)}
        )
        for each in draft.causes[:MOST_CAUSES]
    )
    return draft.model_copy(
        update={
            "headline": text(draft.headline, LONGEST_HEADLINE).replace("\n", " "),
            "summary": claims(draft.summary),
            "causes": causes,
            "ruled_out": claims(draft.ruled_out),
            "actions": tuple(
                Action(text=text(each.text, 400), source=line(each.source, 128))
                for each in draft.actions[:MOST_ACTIONS]
                if each.source != "unverified" or not is_denial(each.text, draft)
            ),
            "notes": tuple(text(each, 300) for each in draft.notes[:MOST_NOTES]),
        }
    )


def _grounded(
    brief: Brief, draft: Draft, disproofs: Sequence[Disproof], ground: Ground
) -> _Grounded:
    unverified: list[Claim] = []

    def kept(claims: Iterable[Claim]) -> tuple[Claim, ...]:
        read = [doubted(ground.claim(each), draft) for each in claims]
        unverified.extend(each for each in read if each.standing is not Standing.VERIFIED)
        return tuple(each for each in read if each.standing is Standing.VERIFIED)

    causes, leads = [], False
    for number, cause in enumerate(draft.causes):
        if cause.component not in ground.names and cause.kind is not CauseKind.UNKNOWN:
            problem = f"no evidence speaks of {cause.component[:60]}"
            unverified += [c.model_copy(update={"problem": problem}) for c in cause.claims]
            continue
        claims = kept(cause.claims)
        if claims:
            held = _held(brief, cause)
            if draft.analyst == embedded.NAME:
                held = max(held, cause.confidence, key=_ORDER.index)
            most = allowed(cause, claims, brief.evidence, disproofs, draft.refutations)
            confidence = max(held, most, key=_ORDER.index)
            causes.append(cause.model_copy(update={"claims": claims, "confidence": confidence}))
            leads = leads or (number == 0 and _bears(brief, cause, claims))
    return _Grounded(
        draft=draft,
        causes=tuple(causes),
        summary=kept(draft.summary),
        ruled_out=kept(draft.ruled_out),
        unverified=tuple(dict.fromkeys(unverified)),
        leads=leads,
    )


def _bears(brief: Brief, cause: Cause, claims: Iterable[Claim]) -> bool:
    """Say whether a cause may lead: code suspects its component, or a claim shows trouble there."""
    if cause.kind is CauseKind.UNKNOWN or cause.component in {e.component for e in brief.suspects}:
        return True
    ids = {each for claim in claims for each in claim.evidence}
    cited = [each for each in brief.evidence if each.id in ids]
    own = of_subjects(cited, {cause.component}, subjects_of(brief.evidence))
    return any(each.component == cause.component and shows_trouble(each) for each in own)


def _held(brief: Brief, cause: Cause) -> Confidence:
    """Give what code thinks of a cause, whoever named it: low for one that it never suspected."""
    for each in brief.suspects:
        if (line(each.component, 200), each.kind) == (cause.component, cause.kind):
            return embedded.confidence(each)
    return Confidence.LOW


def _report(
    brief: Brief, chosen: _Grounded, disproofs: Sequence[Disproof], stamp: Stamp, ground: Ground
) -> Report:
    draft = chosen.draft
    causes = chosen.causes or (_unknown(brief, ground),)
    notes = [*draft.notes, *_notes(brief)]
    rules = Rules.of(brief)
    actions, doubtful = split(_actions(brief, draft), ground)
    tried = (*disproofs, *as_disproofs(draft.refutations))
    return Report(
        id=stamp.report_id,
        incident=brief.incident.id,
        created_at=stamp.now,
        headline=_headline(draft, causes, ground),
        summary=chosen.summary,
        impact=_impact(brief),
        causes=causes,
        timeline=_timeline(brief, causes),
        ruled_out=(*chosen.ruled_out, *_withstood(tried, causes[0], ground)),
        unverified=(*chosen.unverified, *doubtful),
        actions=actions,
        coverage=tuple(_coverage(each, rules) for each in brief.evidence),
        decision=decide(brief.incident, brief.evidence, causes),
        analyst=draft.analyst,
        partial=draft.partial,
        notes=tuple(dict.fromkeys(notes)),
        spend=draft.spend,
        seconds=round(max(0.0, stamp.now - stamp.started_at), 3),
    )


def _unknown(brief: Brief, ground: Ground) -> Cause:
    lead = brief.incident.lead.alert
    first = brief.evidence[:1]
    claim = Claim(text=f"{lead.name} fires", evidence=tuple(each.id for each in first))
    return Cause(
        component=line(lead.target or lead.labels.get("job") or lead.name or "unknown", 200),
        kind=CauseKind.UNKNOWN,
        confidence=Confidence.LOW,
        claims=(ground.claim(claim),),
    )


def _headline(draft: Draft, causes: Sequence[Cause], ground: Ground) -> str:
    """Keep the draft's headline where its facts are found and it speaks of the first cause."""
    first = causes[0]
    own = headline(first.kind, first.component)
    if not draft.causes or draft.causes[0].component != first.component:
        return own
    ids = [each for claim in first.claims for each in claim.evidence]
    said = Claim(text=draft.headline, evidence=tuple(ids))
    fits = draft.headline and not ground.text_problem(draft.headline, ground.of(ids))
    fits = fits and not doubted(said, draft).problem
    fits = fits and not uncarried(draft.headline, (c for each in causes for c in each.claims))
    return draft.headline if fits else own


def _notes(brief: Brief) -> Iterable[str]:
    silent = sorted(
        {
            each.source
            for each in brief.evidence
            if each.status in {Status.FAILED, Status.UNAVAILABLE} and each.detail != UNCONFIGURED
        }
    )
    answered = {each.source for each in brief.evidence if each.status is Status.OK}
    gone = [each for each in silent if each not in answered]
    if gone:
        yield f"not seen: {', '.join(gone)}; see the coverage"
    clocks = (each for each in brief.evidence if each.title == CLOCK)
    yield from (each.detail for each in clocks if each.source == "prometheus")
    yield from seen_before(brief)
    if not answered & {"prometheus", "exporter"}:
        yield "neither Prometheus nor the exporter answered: this stands on the alert alone"


def _withstood(disproofs: Sequence[Disproof], first: Cause, ground: Ground) -> tuple[Claim, ...]:
    """Say which questions the first cause stood, and which it failed."""
    claims = []
    for each in disproofs:
        if (each.suspect, each.kind) == (first.component, first.kind) and each.text:
            if each.held is None or not each.evidence:
                continue
            answer = "yes" if each.held else "no, which speaks against this cause"
            text = f"{each.question} {answer}: {each.text}"
            claims.append(ground.claim(Claim(text=text, evidence=_cites(each, ground))))
    return tuple(each for each in claims if each.standing is Standing.VERIFIED)


def _cites(disproof: Disproof, ground: Ground) -> tuple[str, ...]:
    onset = ground.id_of("onset")
    return (disproof.evidence, onset) if onset else (disproof.evidence,)


def _impact(brief: Brief) -> Impact:
    juniors = [e for e in brief.evidence if e.source == "exporter" and "target" in e.facts]
    states = {each.facts["target"]: each.facts.get("state", "") for each in juniors}
    named = [name for name in brief.incident.targets if states.get(name) != "unknown"]
    ill = [name for name, state in states.items() if state not in {"ok", "unknown", ""}]
    affected = tuple(dict.fromkeys((*named, *ill)))
    healthy = tuple(n for n, state in states.items() if state == "ok" and n not in affected)
    probed = {each.component for each in juniors}
    seen = {e.component for e in brief.evidence if e.component and e.source == "prometheus"}
    unseen = [f"{name} (no junior probes it)" for name in sorted(seen - probed) if juniors]
    unseen += [
        f"{name} (its state is unknown)"
        for name, state in states.items()
        if state in {"unknown", ""} and name not in affected
    ]
    if not juniors:
        unseen.append("every other target (the exporter was not seen)")
    return Impact(affected=affected, healthy=healthy, not_checked=tuple(unseen))


def _timeline(brief: Brief, causes: Sequence[Cause]) -> tuple[Moment, ...]:
    moments = [
        Moment(at=each.alert.starts_at, text=f"{each.alert.name} fires", evidence=("E1",))
        for each in brief.incident.episodes
    ]
    cites = {e for cause in causes[:2] for claim in cause.claims for e in claim.evidence}
    for each in brief.evidence:
        for quantity in each.quantities:
            if quantity.name == "onset":
                moments.append(Moment(at=quantity.value, text="it begins", evidence=(each.id,)))
            elif quantity.name == "changed at":
                moments.append(Moment(at=quantity.value, text=each.title, evidence=(each.id,)))
            elif quantity.name == "moved at" and each.id in cites:
                text = f"{each.title} moves"
                moments.append(Moment(at=quantity.value, text=text, evidence=(each.id,)))
    ordered = sorted(set(moments), key=lambda moment: (moment.at, moment.text))
    return tuple(ordered)


def _actions(brief: Brief, draft: Draft) -> tuple[Action, ...]:
    """Let an action name a runbook only when the page says so."""
    return tuple(
        each
        if each.source == "unverified" or _in_page(each, brief.runbooks.get(each.source, ""))
        else Action(text=each.text, source="unverified")
        for each in draft.actions
    )


def _in_page(action: Action, page: str) -> bool:
    def plain(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.lower()))

    return bool(plain(action.text)) and plain(action.text) in plain(page)


def _coverage(evidence: Evidence, rules: Rules) -> Coverage:
    detail = (
        "" if evidence.source == "runbooks" and evidence.status is Status.OK else evidence.detail
    )
    return Coverage(
        source=evidence.source,
        title=line(rules.text(evidence.title, 300), 300),
        status=evidence.status,
        detail=mask_secrets(line(detail, 300)),
        evidence=evidence.id,
    )
