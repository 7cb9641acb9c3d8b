"""What NVIDIA's DCGM says of the processors that the incident's components run on, by Prometheus.

A processor belongs to a component when its series name a pod or a host that `up` names beside the
component's label, or that the incident's own alerts name.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field

from responder.access import Access, AccessError
from responder.gpu import (
    HOST_LABELS,
    POD_LABELS,
    SERIES,
    Processor,
    bare,
    happenings,
    processor,
    quantities,
)
from responder.guard import clean_labels, line
from responder.investigation.evidence import Evidence, Floats, Quantity, Status, Window
from responder.prometheus_api import Api
from responder.promql import literal, selector
from responder.remote import Answer
from responder.series import Grid, matrix
from responder.source import Finding, Question, sources
from toolkit.settings import Duration

ORIGIN = "nvidia"
MOST_QUANTITIES = 200
MOST_MODELS = 5
_LATELY = "15m"


@sources.register("nvidia")
class NvidiaSource(Access):
    """A Prometheus that scrapes dcgm-exporter."""

    url: Annotated[str, Field(pattern=r"^https?://", description="Prometheus's address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    timeout: Duration = Field(8.0, gt=0, description="for the whole of its work")
    step: Duration = Field(15.0, ge=1, description="between the samples that are read")
    look_back: Duration = Field(3600.0, gt=0, description="before the alert")
    max_processors: int = Field(64, ge=1, le=1000, description="looked at of one incident")
    max_points: int = Field(720, ge=10, le=11_000, description="samples of a series")
    max_bytes: int = Field(16 << 20, ge=1024, description="of one answer")
    knows_past: ClassVar[bool] = True

    async def gather(self, question: Question) -> Finding:
        """Find the processors of the incident's components, and read their series; never raises."""
        until = asyncio.get_running_loop().time() + min(self.timeout, question.deadline_seconds)
        try:
            remote = await self.remote(
                self.url, question.session, until=until, limit_bytes=self.max_bytes
            )
        except AccessError as error:
            return _none(question, Status.UNAVAILABLE, str(error))
        api = Api(remote=remote, moment=question.moment)
        label = question.topology.component_label
        names = selector("", [("__name__", "=~", "|".join(SERIES))])
        at = float(int(question.window.end))
        gpus, ups = await asyncio.gather(
            api.instant(f"group by ({_WHO}) (last_over_time({names}[{_LATELY}]))", at),
            api.instant(f"group by ({_where(label)}) (last_over_time(up[{_LATELY}]))", at),
        )
        if gpus.status is not Status.OK:
            return _none(question, gpus.status, gpus.problem)
        found = [processor(labels) for labels in _labels(gpus)]
        if not found:
            return _none(question, Status.EMPTY, "no series of dcgm-exporter")
        owners = _owners(question, _labels(ups))
        own = _own(found, owners, self.max_processors)
        if not own:
            text = f"none of {len(found)} processors is of a host or pod of the components"
            return _none(question, Status.EMPTY, text)
        return await self._read(api, question, own)

    async def _read(
        self, api: Api, question: Question, own: Mapping[str, Sequence[Processor]]
    ) -> Finding:
        fired = min(each.alert.starts_at for each in question.incident.episodes)
        fired = min(fired, question.window.end)
        start = max(question.window.start, fired - self.look_back)
        end = min(question.window.end, fired + self.look_back)
        grid = Grid.over(start, end, self.step, self.max_points)
        ids = sorted({each.uuid for members in own.values() for each in members})
        matchers = [
            ("__name__", "=~", "|".join(SERIES)),
            ("UUID", "=~", "|".join(literal(each) for each in ids)),
        ]
        query = f"max by (__name__, UUID) ({selector('', matchers)})"
        answer = await api.range(query, grid)
        if answer.status is not Status.OK:
            return _none(question, answer.status, answer.problem, query)
        try:
            rows = matrix(answer.body, grid)
        except ValueError as error:
            return _none(question, Status.FAILED, str(error), query)
        read = _Read(grid=grid, rows=rows, fired=fired, query=query, answer=answer)
        link = (self.external_url or self.url).rstrip("/")
        return Finding(evidence=[_told(read, name, own[name], link) for name in sorted(own)])


_WHO = ", ".join(("UUID", "gpu", "modelName", *HOST_LABELS, *POD_LABELS))


def _where(label: str) -> str:
    return ", ".join(dict.fromkeys((label, *HOST_LABELS, *POD_LABELS)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    grid: Grid
    rows: Sequence[tuple[Mapping[str, str], Floats]]
    fired: float
    query: str
    answer: Answer


def _labels(answer: Answer) -> list[dict[str, str]]:
    body = answer.body if answer.status is Status.OK and isinstance(answer.body, list) else []
    found = [clean_labels(_metric(each)) for each in body]
    return sorted(found, key=lambda labels: sorted(labels.items()))


def _metric(sample: Any) -> Mapping[str, str]:
    metric = sample.get("metric") if isinstance(sample, Mapping) else None
    return metric if isinstance(metric, Mapping) else {}


def _places(labels: Mapping[str, str]) -> set[tuple[str, str]]:
    """Give the hosts and pods that labels name, each with what it is."""
    hosts = {labels[name] for name in HOST_LABELS if labels.get(name)}
    pods = {("pod", labels[name]) for name in POD_LABELS if labels.get(name)}
    return {("host", bare(each)) for each in hosts} | pods


def _owners(
    question: Question, ups: Iterable[Mapping[str, str]]
) -> dict[tuple[str, str], set[str]]:
    """Say which components are on which hosts and in which pods."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    label = question.topology.component_label
    known = {each for call in question.topology.calls for each in call}
    for labels in ups:
        component = labels.get(label, "")
        if component and (not known or component in known):
            for place in _places(labels):
                owners[place].add(component)
    for episode in question.incident.episodes:
        alert = episode.alert
        labels = clean_labels(alert.labels)
        # A scrape's own `instance` names the exporter's host: the alert's junior, not its model.
        places = {each for each in _places(labels) if labels.get("target") is None}
        for place in places - owners.keys():
            owners[place].add(labels.get(label) or place[1])
    return owners


def _own(
    found: Sequence[Processor], owners: Mapping[tuple[str, str], set[str]], most: int
) -> dict[str, list[Processor]]:
    """Give the processors of each component; a pod says more than the host that others share."""
    own: dict[str, list[Processor]] = defaultdict(list)
    taken: set[str] = set()
    for each in found:
        if not each.uuid or (each.uuid not in taken and len(taken) >= most):
            continue
        pods = {c for pod in each.pods for c in owners.get(("pod", pod), ())}
        hosts = {c for host in each.hosts for c in owners.get(("host", host), ())}
        for component in sorted(pods or hosts):
            if all(other.uuid != each.uuid for other in own[component]):
                own[component].append(each)
                taken.add(each.uuid)
    return {name: members for name, members in own.items() if members}


def _told(read: _Read, component: str, members: Sequence[Processor], link: str) -> Evidence:
    by_id = {each.uuid: each for each in members}
    told: list[Quantity] = []
    for labels, values in read.rows:
        one = by_id.get(labels.get("UUID", ""))
        if one is not None:
            name = labels.get("__name__", "")
            told += quantities(name, values, read.grid.times, read.fired, one.labels)
    told.sort(key=lambda each: each.at is None)  # what happened comes before what is
    cut = len(told) - MOST_QUANTITIES
    models = sorted({each.model for each in members if each.model})[:MOST_MODELS]
    facts = {"origin": ORIGIN, "processors": str(len(members))}
    facts |= happenings(told[:MOST_QUANTITIES])
    facts |= {"models": ", ".join(models)} if models else {}
    range_input = f"{max(1, round(read.grid.end - read.grid.start))}s"
    asked = {"g0.expr": read.query, "g0.tab": "0", "g0.range_input": range_input}
    asked["g0.end_input"] = f"{read.grid.end:.3f}"
    return Evidence(
        id="",
        source="nvidia",
        title=line(f"graphics processors of {component}", 200),
        query=read.query[:2000],
        window=Window(start=read.grid.start, end=read.grid.end),
        status=Status.OK if told else Status.EMPTY,
        component=component,
        quantities=tuple(told[:MOST_QUANTITIES]),
        facts=facts,
        detail=f"{cut} numbers over the limit were left out" if cut > 0 else read.answer.problem,
        link=f"{link}/graph?{urlencode(asked)}",
        seconds=round(read.answer.seconds, 4),
    )


def _none(question: Question, status: Status, problem: str, query: str = "DCGM_FI_*") -> Finding:
    evidence = Evidence(
        id="",
        source="nvidia",
        title="graphics processors",
        query=query[:2000],
        window=question.window,
        status=status,
        facts={"origin": ORIGIN},
        detail=line(problem, 300),
    )
    return Finding(evidence=[evidence])
