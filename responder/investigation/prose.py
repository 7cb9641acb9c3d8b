"""Prose that cites nothing: it may say again what claims say, and nothing that none does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from responder.investigation.grounding import Ground
from responder.investigation.report import Action, Claim

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*")
UNVERIFIED = "unverified"


def uncarried(text: str, claims: Iterable[Claim]) -> tuple[str, ...]:
    """Give the numbers of a text that stand in no claim."""
    carried = {number for each in claims for number in _NUMBER.findall(each.text)}
    return tuple(dict.fromkeys(n for n in _NUMBER.findall(text) if n not in carried))


def split(
    actions: Iterable[Action], ground: Ground
) -> tuple[tuple[Action, ...], tuple[Claim, ...]]:
    """Part actions from those whose numbers or names are in no evidence, which become claims.

    What a runbook says is the runbook's.
    """
    kept, doubted = list[Action](), list[Claim]()
    for each in actions:
        problem = "" if each.source != UNVERIFIED else ground.prose_problem(each.text)
        if problem:
            told = f"an action that {_why(problem)}"
            doubted.append(Claim(text=each.text, evidence=(), problem=told))
        else:
            kept.append(each)
    return tuple(kept), tuple(doubted)


def _why(problem: str) -> str:
    """Say of an action what grounding said of a claim."""
    return problem.replace("not in the cited evidence:", "names what no evidence does:")
