"""The answer's number is a given one."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import Field

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings

# A sign counts only where no word or number stands before it: 7-5 has a 7 and a 5. Digits inside
# a word (GPT4, H2O) are none. Each alternative takes at least a digit and gives none back.
_NUMBER = re.compile(
    r"(?:(?<![\w.)])[-+\u2212])?(?<![^\W_])(?<!\d\.)"
    r"(?:\d{1,3}(?:[,\u00a0\u202f']\d{3})+(?!\d)|\d+|(?=\.\d))(?:\.\d+)?(?:[eE][-+]?\d+(?!\w))?"
)
_GROUPING = str.maketrans({",": "", "\u00a0": "", "\u202f": "", "'": "", "\u2212": "-"})


@checks.register("number")
class Number(Settings):
    """The first or last number in the answer is this one, give or take a tolerance.

    A decimal point is a point; 1,234 is read as a thousand and more.
    """

    value: float = Field(allow_inf_nan=False, description="the right number")
    which: Literal["first", "last"] = Field("last", description="of the answer's numbers")
    tolerance: float = Field(0.0, ge=0, description="how far off it may be")
    relative_tolerance: float = Field(0.0, ge=0, lt=1, description="the same, in parts of value")

    def examine(self, observation: Observation) -> CheckResult:
        """Find the number and compare it."""
        number = _found(observation.answer[:EXAMINED_CHARACTERS], last=self.which == "last")
        if number is None:
            return failed("number", "no number is in the answer")
        off = abs(number - self.value)
        if off <= max(self.tolerance, self.relative_tolerance * abs(self.value)):
            return passed("number")
        return failed("number", f"the {self.which} number is {number:g}, off by {off:g}")


def _found(text: str, *, last: bool) -> float | None:
    found = None
    for match in _NUMBER.finditer(text):
        found = float(match[0].translate(_GROUPING))
        if not last:
            break
    return found if found is not None and math.isfinite(found) else None
