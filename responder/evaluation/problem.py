"""What ends an evaluation: nothing is guessed about cases that cannot be read."""

from __future__ import annotations


class EvaluationError(Exception):
    """The cases cannot be evaluated as they are: `where: problem; remedy`."""

    def __init__(self, where: object, problem: str, remedy: str) -> None:
        """Put the three in one line."""
        super().__init__(f"{where}: {problem}; {remedy}")
