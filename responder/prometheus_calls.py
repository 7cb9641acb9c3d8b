"""Who calls whom, read off series that name both: service graphs of traces, and of meshes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from responder.guard import clean_labels
from responder.investigation.evidence import CALL, CALLEE, CALLER, CALLS, Quantity, Status
from responder.prometheus_reading import Reading
from responder.remote import Answer

MOST_CALLS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A counter of requests, and the labels of who sent and who served them."""

    family: str
    caller: str
    callee: str


# Names of the makers' own: grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs (and
# the OpenTelemetry collector's servicegraph connector),
# istio.io/latest/docs/reference/config/metrics, linkerd.io/2/reference/proxy-metrics.
GRAPHS = (
    Graph(family="traces_service_graph_request_total", caller="client", callee="server"),
    Graph(
        family="istio_requests_total",
        caller="source_canonical_service",
        callee="destination_canonical_service",
    ),
    Graph(family="response_total", caller="deployment", callee="dst_deployment"),
)


async def read_calls(reading: Reading) -> None:
    """Ask every kind of graph; one that is not there is not spoken of."""
    queries = [_query(graph) for graph in GRAPHS]
    at = reading.columns.grid.end
    answers = await asyncio.gather(*(reading.api.instant(query, at) for query in queries))
    for graph, query, answer in zip(GRAPHS, queries, answers, strict=True):
        calls = _calls(answer, graph)
        if calls or answer.status is not Status.OK:
            title = f"{CALLS}, by {graph.family}"
            facts = {"origin": "topology"}
            reading.found(title, query, answer, facts=facts, quantities=calls)


def _query(graph: Graph) -> str:
    both = f'{graph.caller}!="",{graph.callee}!=""'
    return f"sum by ({graph.caller}, {graph.callee}) (rate({graph.family}{{{both}}}[5m]))"


def _calls(answer: Answer, graph: Graph) -> Sequence[Quantity]:
    if answer.status is not Status.OK:
        return ()
    found = [_call(each, graph) for each in answer.body]
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (-each.value, *each.labels.values()))[:MOST_CALLS]


def _call(sample: Any, graph: Graph) -> Quantity | None:
    labels = clean_labels(sample["metric"])
    caller, callee = labels.get(graph.caller), labels.get(graph.callee)
    try:
        rate = float(sample["value"][1])
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not caller or not callee or caller == callee or not rate > 0:
        return None
    value = float(f"{rate:.6g}")
    return Quantity(
        name=CALL, value=value, unit="per_second", labels={CALLER: caller, CALLEE: callee}
    )
