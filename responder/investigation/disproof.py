"""Contrast questions that would refute a suspect; answers can lower confidence, never raise it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from responder.investigation.evidence import CauseKind, Record, Status, Suspect
from responder.investigation.hypothesis import level, moved
from responder.investigation.kinds_native import down, failing, queued, slow, surge_of
from responder.investigation.movement import Movement
from responder.investigation.picture import Picture
from responder.investigation.vocabulary import Role
from responder.investigation.wording import clock, listed, span

MOST_SUSPECTS = 3


class Disproof(Record):
    """One attempt: `held` says that the suspect stood it; None that it could not be made.

    `suspect` is the component, `evidence` the id that answers, `text` the answer in a sentence.
    """

    suspect: str
    kind: CauseKind
    question: str
    held: bool | None
    evidence: str = ""
    text: str = ""


_OWN_DOING = frozenset(
    {CauseKind.SLOW_ENGINE, CauseKind.HUNG_ENGINE, CauseKind.CAPACITY, CauseKind.INTERNAL_ERROR}
)
_CHANGES = frozenset({CauseKind.BAD_ROLLOUT, CauseKind.CONFIGURATION})


def attempts(picture: Picture, suspects: Sequence[Suspect]) -> tuple[Disproof, ...]:
    """Ask every question that fits the first suspects, in a fixed order."""
    return tuple(
        each
        for suspect in suspects[:MOST_SUSPECTS]
        if suspect.kind is not CauseKind.UNKNOWN
        for each in _of(picture, suspect)
    )


def _of(picture: Picture, suspect: Suspect) -> Iterator[Disproof]:
    yield _peers(picture, suspect)
    if suspect.onset_at is not None and suspect.kind not in _CHANGES:
        yield _order(picture, suspect, suspect.onset_at)
    if suspect.kind in _CHANGES:
        yield _after_change(picture, suspect)
    if suspect.kind in _OWN_DOING:
        yield _load(picture, suspect)
    if suspect.kind is CauseKind.TRAFFIC_SURGE:
        yield _surge_first(picture, suspect)
    if suspect.kind in _OWN_DOING and picture.callees(suspect.component):
        yield _callees(picture, suspect)
    yield _monitoring(picture, suspect)


def _answer(
    suspect: Suspect, question: str, *, held: bool | None, evidence: str = "", text: str = ""
) -> Disproof:
    return Disproof(
        suspect=suspect.component,
        kind=suspect.kind,
        question=question,
        held=held,
        evidence=evidence,
        text=text,
    )


def _peers(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether others, which the suspect cannot touch, are ill as well."""
    question = "are its peers well?"
    touched = {suspect.component, *picture.callers(suspect.component)}
    named = picture.incident.targets
    peers = [
        each
        for each in picture.juniors
        if each.component not in touched and each.target not in named and each.state
    ]
    if not peers:
        return _answer(suspect, question, held=None, text="no peer was seen")
    ill = [each for each in peers if each.state not in {"ok", "unknown"}]
    if len(ill) == len(peers) and len(peers) > 1:
        names = listed([each.target for each in ill[:5]])
        text = f"{names} are ill as well: something shared is likelier"
        return _answer(suspect, question, held=False, evidence=ill[0].evidence, text=text)
    well = next((each for each in peers if each.state == "ok"), None)
    if well is None:
        return _answer(suspect, question, held=None, text="no peer is known to be well")
    text = f"the junior of {well.target} sees it as ok"
    return _answer(suspect, question, held=True, evidence=well.evidence, text=text)


def _order(picture: Picture, suspect: Suspect, moved_at: float) -> Disproof:
    """Ask whether the suspect moved no later than the symptom."""
    question = "did it move before the symptom?"
    onset = picture.onset
    slack = onset.uncertainty_seconds + 8 * picture.step
    evidence = next((e for e in suspect.supporting if e), "")
    text = f"{suspect.component} moved at {clock(moved_at)}"
    late = moved_at > onset.at + slack
    if late:
        text += f", {span(moved_at - onset.at)} after the onset"
    return _answer(suspect, question, held=not late, evidence=evidence, text=text)


def _after_change(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether the trouble began after the change."""
    question = "did it begin after the change?"
    if suspect.onset_at is None:
        return _answer(suspect, question, held=None, text="the time of the change is not known")
    early = picture.onset.at < suspect.onset_at - 3 * picture.step
    slack = picture.onset.uncertainty_seconds
    held = not early or picture.onset.at >= suspect.onset_at - slack
    text = f"the onset is at {clock(picture.onset.at)}, the change at {clock(suspect.onset_at)}"
    evidence = next((e for e in suspect.supporting if e), "")
    return _answer(suspect, question, held=held, evidence=evidence, text=text)


def _load(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether the load is no higher than usual."""
    question = "is the load no higher than usual?"
    surge = surge_of(picture, suspect.component)
    if surge is not None:
        text = moved(surge).text
        return _answer(suspect, question, held=False, evidence=surge.evidence, text=text)
    traffic = picture.of(suspect.component, Role.TRAFFIC)
    known = next((m for m in traffic if m.before > 0), None)
    if known is None:
        return _answer(suspect, question, held=None, text="no series tells its load")
    return _answer(suspect, question, held=True, evidence=known.evidence, text=level(known).text)


def _surge_first(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether traffic rose before requests had to wait, not because of it."""
    question = "did traffic rise before requests waited?"
    surge = surge_of(picture, suspect.component)
    felt: Movement | None = queued(picture, suspect.component)
    felt = felt or next(iter(slow(picture, suspect.component)), None)
    if surge is None or felt is None or surge.moved_at is None or felt.moved_at is None:
        return _answer(suspect, question, held=None, text="the order cannot be seen")
    held = surge.moved_at <= felt.moved_at + 5 * picture.step
    text = moved(surge).text
    return _answer(suspect, question, held=held, evidence=surge.evidence, text=text)


def _callees(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether what it calls is well."""
    question = "is what it calls well?"
    seen = False
    for callee in sorted(picture.callees(suspect.component)):
        ill = [*down(picture, callee), *slow(picture, callee)[:1]]
        fails = failing(picture, callee)
        ill += [fails] if fails is not None else []
        if ill:
            text, evidence = moved(ill[0]).text, ill[0].evidence
            return _answer(suspect, question, held=False, evidence=evidence, text=text)
        seen = seen or bool(picture.of(callee))
    return _answer(suspect, question, held=True if seen else None)


def _monitoring(picture: Picture, suspect: Suspect) -> Disproof:
    """Ask whether the monitoring itself is broken, so that nothing it shows can be trusted."""
    question = "is the monitoring itself well?"
    scrapes = next((e for e in picture.evidence if e.title == "scrapes of everything"), None)
    if scrapes is None or scrapes.status is not Status.OK:
        return _answer(suspect, question, held=None, text="the scrapes could not be seen")
    counts = {quantity.name: quantity.value for quantity in scrapes.quantities}
    sick, every = counts.get("scrapes that fail", 0), counts.get("scraped addresses", 0)
    text = f"{sick:.0f} of {every:.0f} scrapes fail"
    held = sick < max(2, 0.5 * every)
    return _answer(suspect, question, held=held, evidence=scrapes.id, text=text)
