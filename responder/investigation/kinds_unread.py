"""Causes of a component whose metrics cannot be read although something answers in its place."""

from __future__ import annotations

import re

from responder.investigation.evidence import CauseKind, Point
from responder.investigation.hypothesis import Hypothesis
from responder.investigation.movement import Movement
from responder.investigation.picture import Picture
from responder.investigation.vocabulary import Role
from responder.investigation.wording import clock

# Prometheus's words for a scrape that was answered, though not with metrics.
_ANSWERED = re.compile(r"(?i)server returned HTTP status|unsupported content.type|text format")
_TIMEOUTS = frozenset({"timeout_first_token", "timeout_total", "stall"})


def answer_to_scrape(picture: Picture, component: str) -> tuple[str, str] | None:
    """Return what a failing scrape of the component was answered with, and its evidence.

    None where nothing answered: a process that is gone refuses, or is silent.
    """
    for each in picture.evidence_of(component, "scrape"):
        error = each.facts.get("error", "")
        if _ANSWERED.search(error):
            return error, each.id
    return None


def unread(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether only its metrics are gone: its junior may know more than they do."""
    gone = [m for m in picture.of(component, Role.UP) if m.now == 0]
    answer = answer_to_scrape(picture, component) if gone else None
    if answer is None:
        return None
    return _timed_out(picture, component, gone[0], answer) or _blind(
        picture, component, gone[0], answer
    )


def _points(component: str, gone: Movement, answer: tuple[str, str]) -> tuple[Point, ...]:
    text = f"the metrics of {component} cannot be read: up is 0"
    if gone.moved_at is not None:
        text += f" since {clock(gone.moved_at)}"
    lives = f'its process lives: a scrape is answered with "{answer[0]}"'
    return (
        Point(text=text, evidence=(gone.evidence,)),
        Point(text=lives, evidence=(answer[1],)),
    )


def _blind(picture: Picture, component: str, gone: Movement, answer: tuple[str, str]) -> Hypothesis:
    junior = picture.junior
    is_well = junior is not None and junior.component == component and junior.state == "ok"
    return Hypothesis(
        component=component,
        kind=CauseKind.MONITORING,
        strength=0.6 if is_well else 0.3,
        points=_points(component, gone, answer),
        moved_at=gone.moved_at,
        local=True,
    )


def _timed_out(
    picture: Picture, component: str, gone: Movement, answer: tuple[str, str]
) -> Hypothesis | None:
    """Say hung, with less than half of the certainty that its own metrics would give."""
    junior = picture.junior
    if junior is None or junior.component != component or not _TIMEOUTS & junior.reasons.keys():
        return None
    reason = max(_TIMEOUTS & junior.reasons.keys(), key=lambda each: (junior.reasons[each], each))
    text = f"runs of the junior on {junior.target} fail with reason {reason}"
    return Hypothesis(
        component=component,
        kind=CauseKind.HUNG_ENGINE,
        strength=0.45,
        points=(
            Point(text=text, evidence=(junior.evidence,)),
            *_points(component, gone, answer),
        ),
        local=True,
    )
