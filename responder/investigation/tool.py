"""The contract of a tool: a read-only question that a model may ask while it investigates.

A tool is one frozen model whose fields are its arguments; its docstring is what the model is told
of it. It never raises for what a far end does: it gives evidence, whose status says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Status, Window
from responder.remote import Answer
from responder.series import Grid
from responder.source import Question, Source
from toolkit.plugins import Registry


@runtime_checkable
class AnswersPromql(Protocol):
    """A source that takes a query."""

    async def promql(self, query: str, window: Window, question: Question) -> tuple[Answer, Grid]:
        """Ask it over a window; never raises for what the far end does."""
        ...


@runtime_checkable
class ReadsLogs(Protocol):
    """A source that knows a component's log lines."""

    async def logs_of(self, component: str, question: Question) -> Sequence[Evidence]:
        """Tell which templates are new or more frequent since the onset."""
        ...


@runtime_checkable
class SeesExchanges(Protocol):
    """A source that knows a target's last failing exchanges."""

    async def exchanges(self, target: str, question: Question) -> Sequence[Evidence]:
        """Tell them."""
        ...


@runtime_checkable
class KeepsPages(Protocol):
    """A source that knows what alerts mean."""

    async def page(self, alert: str, question: Question) -> Evidence:
        """Read the page of any alert; never raises for what is not there."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A source that knows incidents of before."""

    async def remembered(self, alert: str, question: Question) -> Sequence[Evidence]:
        """Tell those in which an alert fired, with their causes and verdicts."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What a tool may look at: the brief, the sources, and what these need to be asked.

    `earlier` is the evidence that tools have brought before.
    """

    brief: Brief
    sources: tuple[Source, ...]
    question: Question
    earlier: tuple[Evidence, ...] = ()

    @property
    def prometheus(self) -> AnswersPromql | None:
        """The first source that takes a query, None where there is none."""
        return next((each for each in self._usable() if isinstance(each, AnswersPromql)), None)

    @property
    def logs(self) -> ReadsLogs | None:
        """The first source that knows log lines, None where there is none."""
        return next((each for each in self._usable() if isinstance(each, ReadsLogs)), None)

    @property
    def exporter(self) -> SeesExchanges | None:
        """The first source that knows failing exchanges, None where there is none."""
        return next((each for each in self._usable() if isinstance(each, SeesExchanges)), None)

    @property
    def pages(self) -> KeepsPages | None:
        """The first source that knows what alerts mean, None where there is none."""
        return next((each for each in self._usable() if isinstance(each, KeepsPages)), None)

    @property
    def memory(self) -> Remembers | None:
        """The first source that knows incidents of before, None where there is none."""
        return next((each for each in self._usable() if isinstance(each, Remembers)), None)

    def _usable(self) -> Iterator[Source]:
        for each in self.sources:
            if not self.question.is_past or getattr(each, "knows_past", False):
                yield each

    def evidence(self, name: str) -> Evidence | None:
        """Give the evidence of an id."""
        known = (*self.brief.evidence, *self.earlier)
        return next((each for each in known if each.id == name), None)

    def made(
        self,
        source: str,
        title: str,
        query: str,
        status: Status,
        *,
        detail: str = "",
        **more: object,
    ) -> Evidence:
        """Make evidence over the window of the question, its id given later."""
        fields = {"window": self.question.window, "detail": detail, **more}
        return Evidence.model_validate(
            {"id": "", "source": source, "title": title, "query": query, "status": status, **fields}
        )


class Tool(Protocol):
    """One question; `serves` says whether there is anything here that could answer it."""

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether the tool is of use."""
        ...

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Answer it, as evidence without ids."""
        ...


tools: Registry[Tool] = Registry("tool")
