"""A bench for the tests of a model's tools: series, sources without a network, and a brief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import aiohttp
import numpy as np

from responder.alert import Change
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Frame, Status, Window
from responder.investigation.model_settings import Means
from responder.investigation.tool import Bench
from responder.remote import Answer
from responder.series import Grid
from responder.source import Finding, Question, Topology
from tests.responder.investigation.briefs import ONSET, brief

NOBODY = cast("aiohttp.ClientSession", None)


@dataclass(kw_only=True)
class Prometheus:
    """Answers every query with the same series, and keeps the queries."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    answer: Answer | None = None
    asked: list[str] = field(default_factory=list)

    async def gather(self, _question: Question) -> Finding:
        """Bring nothing."""
        return Finding(evidence=())

    async def promql(self, query: str, window: Window, _question: Question) -> tuple[Answer, Grid]:
        """Answer."""
        self.asked.append(query)
        grid = Grid.over(window.start, window.end, 1.0, 240)
        return self.answer or Answer(status=Status.OK, body=self.rows), grid


@dataclass(kw_only=True)
class Exporter:
    """Knows one target, and fails as it is told."""

    failure: Exception | None = None

    async def gather(self, _question: Question) -> Finding:
        """Bring nothing."""
        return Finding(evidence=())

    async def exchanges(self, target: str, question: Question) -> Sequence[Evidence]:
        """Tell what the junior saw."""
        if self.failure is not None:
            raise self.failure
        made = {"id": "", "source": "exporter", "title": target, "query": "", "status": "ok"}
        return [Evidence.model_validate({**made, "window": question.window})]


def row(before: float, since: float, **labels: str) -> dict[str, Any]:
    """Give a series that changes at the onset, as the API has it."""
    times = np.arange(ONSET - 300, ONSET + 60, 1.0)
    wave = 0.01 * np.sin(times)
    values = np.where(times < ONSET, before, since) + wave
    pairs = [[float(at), str(value)] for at, value in zip(times, values, strict=True)]
    return {"metric": {"__name__": "m", **labels}, "values": pairs}


def framed(about: Brief) -> Brief:
    """Give a brief the series of its evidence E1, and of a peer's."""
    times = np.arange(ONSET - 300, ONSET + 60, 5.0)
    wave = np.sin(times)
    own = np.where(times < ONSET, 118.4, 0.0) + wave
    labels = tuple(
        {
            "__name__": "vllm:generation_tokens_total",
            "__role__": "tokens",
            "__unit__": "per_second",
            "__evidence__": evidence,
            "component": component,
        }
        for evidence, component in (("E1", "chat"), ("E2", "embeddings"))
    )
    frame = Frame(times=times, values=np.column_stack([own, 60 + wave]), labels=labels)
    change = Change(
        id="c1",
        at=ONSET - 30,
        service="chat",
        kind="deployment",
        title="Ship chat",
        version="2.1.0",
    )
    return replace(about, frame=frame, changes=(change,))


def bench(*sources: Any, about: Brief | None = None) -> Bench:
    """Lay out a bench."""
    seen = about or framed(brief())
    question = Question(
        incident=seen.incident,
        window=Window(start=ONSET - 3600, end=ONSET + 60),
        step_seconds=0.0,
        topology=Topology(),
        changes=seen.changes,
        session=NOBODY,
        deadline_seconds=5.0,
    )
    return Bench(brief=seen, sources=tuple(sources), question=question)


def means(*sources: Any) -> Means:
    """Give an analyst these sources."""
    return Means(
        sources=tuple(sources), topology=Topology(), session=NOBODY, clock=lambda: ONSET + 60
    )
