"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One fault: `place` is `file:line` (or only the file), `path` the setting's dotted path."""

    place: str
    path: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        """Give the whole as one line: `file:line: path: problem; remedy`."""
        where = ": ".join(part for part in (self.place, self.path) if part)
        what = "; ".join(part for part in (self.problem, self.remedy) if part)
        return f"{where}: {what}" if where else what


class ConfigError(Exception):
    """A configuration is refused; `problems` holds every fault, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep *problems*; `str()` gives one line for each."""
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def fault(problem: str, remedy: str) -> PydanticCustomError:
    """Make the error that a validator of settings raises: what is wrong, and what to do.

    Neither text may hold a value that could be a secret.
    """
    return PydanticCustomError(
        "fault", "{problem}; {remedy}", {"problem": problem, "remedy": remedy}
    )
