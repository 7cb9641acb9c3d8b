"""What of each planted secret is left in texts that were stored or sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from responder.guard import clean, clean_labels, line, mask_secrets
from tests.responder.corpora.ordinary import lines
from tests.responder.corpora.secret_texts import Planted, planted
from tests.responder.corpora.trial import laid_out


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One form and how many of its secrets were still there."""

    planted: Planted
    leaks: int


def masked() -> list[Found]:
    """Mask the corpus in each of the ways in which outside text comes in."""
    return [Found(planted=each, leaks=_leaks(each)) for each in planted()]


def _leaks(each: Planted) -> int:
    ways = (
        mask_secrets(line(each.line, 2000)),
        mask_secrets(clean(each.line, 2000)),
        str(clean_labels({"description": each.line[:1024]})),
    )
    return sum(secret in way for secret in each.secrets for way in ways)


def false_positives() -> list[str]:
    """Give the ordinary lines in which something is taken for a secret."""
    return [each for each in lines() if mask_secrets(line(each, 2000)) != line(each, 2000)]


def table(found: Sequence[Found]) -> str:
    """Write what was left, by family."""
    rows: list[tuple[str, ...]] = [("family", "forms", "secrets", "left")]
    for family in (*dict.fromkeys(each.planted.family for each in found), "all"):
        chosen = [each for each in found if family in {each.planted.family, "all"}]
        secrets = sum(len(each.planted.secrets) for each in chosen)
        leaks = sum(each.leaks for each in chosen)
        rows.append((family, str(len(chosen)), str(secrets), str(leaks)))
    return laid_out(rows)
