"""The one exception of this package; its text says where, what and what to do."""

from __future__ import annotations


class StackError(Exception):
    """A program of the stack cannot be had or does not run: `where: problem; remedy`."""

    def __init__(self, where: str, problem: str, remedy: str, *, output: str = "") -> None:
        """Keep the parts; `output` is what the failing command printed last."""
        self.where = where
        self.problem = problem
        self.remedy = remedy
        self.output = output.rstrip()
        super().__init__(where, problem, remedy)

    def __str__(self) -> str:
        """One line, and the last lines of output, indented, below it."""
        line = f"{self.where}: {self.problem}; {self.remedy}"
        if not self.output:
            return line
        return line + "\n" + "\n".join(f"  | {text}" for text in self.output.splitlines())
