"""The contract of a check and its registry; one assertion each in checks/."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Annotated, Protocol

from exporter.target import CheckResult, Observation, Reason
from toolkit.plugins import Registry

EXAMINED_CHARACTERS = 1 << 16
"""No check reads further; that bounds what is linear in it, and what is not has its own limit."""


class Check(Protocol):
    """One assertion about an answer; pure, and frozen settings at once."""

    def examine(self, observation: Observation) -> CheckResult:
        """Say whether the observation holds the assertion; never raises for what it says."""
        ...


checks: Registry[Check] = Registry("check")

CheckField = Annotated[Check, checks.single_key()]
"""A check as YAML writes it: a map of one key, `{regex: value}`."""


@cache
def passed(check: str) -> CheckResult:
    """Return the result of a check that held; the same each time, since so many are kept."""
    return CheckResult(check=check, passed=True)


def failed(check: str, detail: str, reason: Reason = Reason.WRONG_ANSWER) -> CheckResult:
    """Return the result of a check that the answer did not hold."""
    return CheckResult(check=check, passed=False, reason=reason, detail=detail)


def over_limit(check: str, detail: str) -> CheckResult:
    """Return the result of a check that a right answer exceeded a limit of."""
    return CheckResult(check=check, passed=False, detail=detail)


def examine_all(chosen: Iterable[Check], observation: Observation) -> tuple[CheckResult, ...]:
    """Run the checks in their order."""
    return tuple(check.examine(observation) for check in chosen)
