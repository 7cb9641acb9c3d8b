"""What was logged: lines that look like errors, counted and told apart, before and since."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import numpy as np
import orjson
from pydantic import Field, field_validator, model_validator

from responder.access import Access, AccessError
from responder.guard import line, mask_secrets
from responder.investigation.evidence import Evidence, Quantity, Status, Window
from responder.investigation.onset import departure
from responder.investigation.wording import clock, times
from responder.log_lines import Entry, Template, changed
from responder.loki_api import Buckets, counted, lines, quoted
from responder.remote import Answer, Remote
from responder.source import Finding, Question, sources
from toolkit.problem import fault
from toolkit.settings import Duration, Settings

MOST_BUCKETS = 90
LEAST_BUCKET_SECONDS = 10
MOST_TEMPLATES = 6
CONCURRENT_COMPONENTS = 3
# What programs of many languages call it when they cannot go on; RE2, as LogQL has it.
ERRORS = (
    r"(?i)\b(errors?|err|fatal|panic|exception|traceback|critical|oom|out of memory|segfault|"
    r"killed|refused|denied|time[d]?[ -]?out|unavailable|overloaded)\b"
)

# LogQL's stream selector: matchers in braces, and no pipeline behind them.
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`)'
_SELECTOR = re.compile(rf"\{{\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?\s*\}}")


class Explore(Settings):
    """A Grafana in which the lines are opened."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address for people")]
    datasource: str = Field(min_length=1, max_length=100, description="uid of the Loki in it")

    def link(self, query: str, window: Window) -> str:
        """Link to the lines of a query in a window (Grafana 10 and later)."""
        source = {"type": "loki", "uid": self.datasource}
        asked = {"refId": "A", "expr": query, "datasource": source}
        span = {"from": str(int(window.start * 1000)), "to": str(int(window.end * 1000))}
        pane = {"a": {"datasource": self.datasource, "queries": [asked], "range": span}}
        panes = quote(orjson.dumps(pane).decode(), safe="")
        return f"{self.url.rstrip('/')}/explore?schemaVersion=1&orgId=1&panes={panes}"


@sources.register("loki")
class LokiSource(Access):
    """A Loki."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    streams: Mapping[str, str] = Field(
        default_factory=dict, description="stream selector of each component's lines"
    )
    component_label: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="label that holds the component's name, for those not in `streams`",
    )
    errors: str = Field(ERRORS, min_length=1, description="what an error's line looks like, RE2")
    grafana: Explore | None = Field(None, description="where lines are opened")
    look_back: Duration = Field(1800.0, ge=60, le=86_400, description="before the alert")
    timeout: Duration = Field(8.0, gt=0, description="for the whole of its work")
    max_components: int = Field(12, ge=1, le=100, description="asked about, the alert's first")
    max_lines: int = Field(1000, ge=1, le=5000, description="read of each side of the onset")
    max_bytes: int = Field(4 << 20, ge=1024, description="of one answer")

    @field_validator("streams")
    @classmethod
    def _selectors(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for component, selector in value.items():
            if not _SELECTOR.fullmatch(selector.strip()):
                remedy = 'write matchers in braces, like {app="chat"}'
                raise fault(f"{component}: not a stream selector", remedy)
        return value

    @model_validator(mode="after")
    def _has_streams(self) -> LokiSource:
        if not self.streams and self.component_label is None:
            raise fault("no lines to look at", "set streams, component_label or both")
        return self

    async def gather(self, question: Question) -> Finding:
        """Count and read the lines of the components at hand; never raises."""
        until = asyncio.get_running_loop().time() + min(self.timeout, question.deadline_seconds)
        try:
            remote = await self.remote(
                self.url, question.session, until=until, limit_bytes=self.max_bytes
            )
        except AccessError as error:
            return Finding(evidence=[_not_asked(question, str(error), Status.UNAVAILABLE)])
        chosen = self._chosen(question)
        if not chosen:
            problem = "no component of this incident has a stream selector; add it to streams"
            return Finding(evidence=[_not_asked(question, problem, Status.EMPTY)])
        limit = asyncio.Semaphore(CONCURRENT_COMPONENTS)
        looked = [
            _Look(source=self, remote=remote, question=question, component=each, selector=selector)
            for each, selector in chosen.items()
        ]
        found = await asyncio.gather(*(each.evidence(limit) for each in looked))
        return Finding(evidence=found)

    async def logs_of(self, component: str, question: Question) -> Sequence[Evidence]:
        """Read the lines of one component alone; never raises."""
        selector = self.streams.get(component)
        if selector is None and self.component_label is not None:
            selector = f"{{{self.component_label}={quoted(component)}}}"
        if selector is None:
            problem = "it has no stream selector; streams may name it"
            return [_not_asked(question, problem, Status.EMPTY)]
        streams = {component: selector}
        narrowed = self.model_copy(update={"streams": streams, "component_label": None})
        return (await narrowed.gather(question)).evidence

    def _chosen(self, question: Question) -> dict[str, str]:
        """Choose components and their selectors: those that the alert names come first."""
        known = dict(self.streams)
        if self.component_label is not None:
            for name in sorted({each for call in question.topology.calls for each in call}):
                known.setdefault(name, f"{{{self.component_label}={quoted(name)}}}")
            label = question.incident.lead.alert.labels.get(question.topology.component_label)
            if label:
                known.setdefault(label, f"{{{self.component_label}={quoted(label)}}}")
        named = {
            value for each in question.incident.episodes for value in each.alert.labels.values()
        }
        order = sorted(known, key=lambda each: (each not in named, each))
        return {name: known[name].strip() for name in order[: self.max_components]}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """One component's lines around the onset."""

    source: LokiSource
    remote: Remote
    question: Question
    component: str
    selector: str

    @property
    def query(self) -> str:
        return f"{self.selector} |~ {quoted(self.source.errors)}"

    @property
    def fired_at(self) -> float:
        fired = min(each.alert.starts_at for each in self.question.incident.episodes)
        return min(fired, self.question.window.end)

    def buckets(self) -> Buckets:
        """Cut the time around the alert into whole seconds, but not for ever after an old one."""
        start = max(self.question.window.start, self.fired_at - self.source.look_back)
        end = min(self.question.window.end, self.fired_at + self.source.look_back)
        seconds = max(LEAST_BUCKET_SECONDS, -(-(end - start) // MOST_BUCKETS))
        count = max(1, int((end - start) // seconds))
        return Buckets(start=end - count * seconds, seconds=seconds, count=count)

    async def evidence(self, limit: asyncio.Semaphore) -> Evidence:
        async with limit:
            buckets = self.buckets()
            both = await asyncio.gather(
                counted(self.remote, self.selector, buckets),
                counted(self.remote, self.query, buckets),
            )
            bad = next((each for each in both if each.status is not Status.OK), None)
            if bad is not None:
                return self._made(buckets, bad.status, detail=bad.problem, answers=both)
            every, errors = (np.asarray(each.body) for each in both)
            if not every.any():
                detail = "no line at all: the stream is silent, or its selector is not right"
                return self._made(buckets, Status.EMPTY, detail=detail, answers=both)
            onset = departure(buckets.ends, errors, self.fired_at)
            # A bucket is known by its end: what is in it came earlier.
            split = self.fired_at if onset is None else onset - buckets.seconds
            quantities = _counts(buckets, every, errors, split)
            if not errors.any():
                return self._made(buckets, Status.OK, quantities=quantities, answers=both)
            return await self._told(buckets, split, quantities, both)

    async def _told(
        self,
        buckets: Buckets,
        split: float,
        quantities: tuple[Quantity, ...],
        counts: tuple[Answer, Answer],
    ) -> Evidence:
        """Read the lines on both sides, and tell those that are new or come more often."""
        most = self.source.max_lines
        sides = (buckets.start, split), (split, buckets.end)
        before, since = await asyncio.gather(
            lines(self.remote, self.query, sides[0], limit=most, direction="backward"),
            lines(self.remote, self.query, sides[1], limit=most, direction="forward"),
        )
        answers = (*counts, before, since)
        # Without both sides nothing can be called new; the counts stand all the same.
        bad = next((each for each in (before, since) if each.status is not Status.OK), None)
        if bad is not None:
            detail = f"the lines themselves were not read: {bad.problem}"
            return self._made(
                buckets, Status.OK, quantities=quantities, detail=detail, answers=answers
            )
        seconds = _covered(before.body, sides[0], most), _covered(since.body, sides[1], most)
        found = changed(before.body, since.body, seconds, most=MOST_TEMPLATES)
        facts = {f"log {n} excerpt": _words(each) for n, each in enumerate(found, 1)}
        occurrences = tuple(
            Quantity(name=f"log {n} lines", value=each.since, unit="count", at=each.first_at)
            for n, each in enumerate(found, 1)
        )
        cut = [name for name, each in (("before", before), ("since", since)) if _full(each, most)]
        detail = f"only {most} lines were read of what was logged {' and '.join(cut)}"
        return self._made(
            buckets,
            Status.OK,
            quantities=(*quantities, *occurrences),
            facts=facts,
            detail=detail if cut else "",
            answers=answers,
        )

    def _made(  # noqa: PLR0913 - the parts of one record
        self,
        buckets: Buckets,
        status: Status,
        *,
        answers: tuple[Answer, ...],
        quantities: tuple[Quantity, ...] = (),
        facts: Mapping[str, str] | None = None,
        detail: str = "",
    ) -> Evidence:
        window = Window(start=buckets.start, end=buckets.end)
        partial = dict.fromkeys(each.problem for each in answers if each.status is Status.OK)
        told = "; ".join(each for each in (detail, *partial) if each)
        grafana = self.source.grafana
        return Evidence(
            id="",
            source="loki",
            title=f"error lines of {line(self.component, 200)}",
            query=f"sum(count_over_time({self.query} [{buckets.seconds:.0f}s]))",
            window=window,
            status=status,
            component=line(self.component, 200),
            quantities=quantities,
            facts={"origin": "loki", **(facts or {})},
            detail=told,
            link=grafana.link(self.query, window) if grafana else "",
            seconds=round(sum(each.seconds for each in answers), 4),
        )


def _counts(
    buckets: Buckets, every: np.ndarray, errors: np.ndarray, split: float
) -> tuple[Quantity, ...]:
    late = buckets.ends > split
    spans = {
        "before": (~late, max(split - buckets.start, 1.0)),
        "since": (late, max(buckets.end - split, 1.0)),
    }
    made = [Quantity(name="counted apart at", value=split, unit="timestamp", at=split)]
    for side, (chosen, seconds) in spans.items():
        number = float(errors[chosen].sum())
        made += [
            Quantity(name=f"lines {side}", value=float(every[chosen].sum()), unit="count"),
            Quantity(name=f"error lines {side}", value=number, unit="count"),
            Quantity(name=f"error rate {side}", value=number / seconds, unit="per_second"),
        ]
    return tuple(made)


def _full(answer: Answer, most: int) -> bool:
    return len(answer.body) >= most


def _covered(entries: Sequence[Entry], side: tuple[float, float], most: int) -> float:
    """Return how much of a side was read, in seconds: a full answer ends before the side does."""
    if len(entries) < most:
        return side[1] - side[0]
    read = [each.at for each in entries]
    return max(read) - min(read)


def _words(found: Template) -> str:
    how = "new" if found.is_new else f"{times(found.factor)} as often"
    return f"{how}, {found.since} lines, first at {clock(found.first_at)}: {found.example}"


def _not_asked(question: Question, problem: str, status: Status) -> Evidence:
    return Evidence(
        id="",
        source="loki",
        title="error lines",
        query="",
        window=question.window,
        status=status,
        facts={"origin": "loki"},
        detail=mask_secrets(line(problem, 300)),
    )
