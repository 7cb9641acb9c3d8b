"""`exposition`: rendering the fleet's metrics, beside prometheus_client rendering the same samples.

Ten thousand language model targets with their real families, in both formats, when nothing, a
tenth and all of them have changed since the last scrape. Ours makes every byte, a family's block at
a time, as it is compressed or written; prometheus_client makes the whole, since it has no parts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bench.figure import Figure, Measured
from exporter.exposition import Exposition
from exporter.metrics import Family, Sample
from exporter.probes.openai_chat import OpenAIChat
from exporter.record import TargetRecord
from exporter.target import CheckResult, Observation, Outcome, PromptKind, State

_TARGETS = 10_000
_ROUNDS = 3
_REACH = {"nothing": 1 / 250, "a tenth": 1 / 80, "all": 1 / 20}


def _outcome(number: int) -> Outcome:
    seconds = 0.2 + number % 1000 / 1e4
    return Outcome(
        canary="alive",
        prompt=PromptKind.WARM,
        finished_timestamp_seconds=1.7e9 + number,
        observation=Observation(
            answer="ready",
            duration_seconds=seconds,
            first_token_seconds=seconds / 4,
            first_answer_seconds=seconds / 4,
            time_per_output_token_seconds=0.01,
            chunk_gap_max_seconds=0.02,
            stream_buffered=False,
            prompt_tokens=9,
            output_tokens=5,
            served_model="m-1",
            fingerprint="f",
        ),
        reason=None,
        state=State.OK,
        checks=(CheckResult(check="regex", passed=True),),
        phases={"connect": 0.001, "processing": seconds / 4, "transfer": seconds / 2},
    )


def _fleet() -> list[TargetRecord]:
    records = []
    for number in range(_TARGETS):
        target = OpenAIChat(name=f"chat-{number:05}", url=f"http://h{number}:8000", model="m")
        records.append(TargetRecord(target, now=0.0))
    _change(records, 0)
    return records


def _change(records: Sequence[TargetRecord], turn: int) -> None:
    for number, record in enumerate(records):
        record.finish(_outcome(number + turn), now=float(turn))


class _Peer(Collector):
    """Gives prometheus_client the same samples, made beforehand, which costs it nothing here."""

    def __init__(self, records: Sequence[TargetRecord]) -> None:
        self._found = list(_metrics(records))

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        yield from self._found


def _metrics(records: Sequence[TargetRecord]) -> Iterator[Metric]:
    found: dict[Family, list[tuple[str, Sample]]] = {}
    for record in records:
        for family, samples in record.samples(1.0).items():
            name = record.target.name or ""
            found.setdefault(family, []).extend((name, sample) for sample in samples)
    for family, pairs in found.items():
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        metric = kind(family.name, family.help)
        metric.type = family.kind
        for name, sample in pairs:
            labels = {"target": name, **dict(sample.labels)}
            metric.add_sample(family.name + sample.suffix, labels, sample.value)
        yield metric


def _seconds(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _ours(records: Sequence[TargetRecord], changed: int, *, openmetrics: bool) -> float:
    exposition = Exposition()

    def render() -> int:
        shown = exposition.render(records, now=5.0, openmetrics=openmetrics)
        return sum(map(len, shown.blocks()))

    render()
    found = []
    for turn in range(_ROUNDS):
        _change(records[:changed], turn)
        found.append(_seconds(render))
    return statistics.median(found)


def _measure(_environ: Mapping[str, str]) -> Measured:
    records = _fleet()
    registry = prometheus_client.CollectorRegistry()
    registry.register(_Peer(records))
    peer = statistics.median(
        _seconds(lambda: prometheus_client.generate_latest(registry)) for _ in range(_ROUNDS)
    )
    shown = Exposition().render(records, now=5.0, openmetrics=False)
    size = sum(map(len, shown.blocks()))
    print(f"{_TARGETS} targets, {size / 1e6:.1f} MB; prometheus_client {peer * 1e3:.0f} ms CPU")
    worst = 0.0
    for openmetrics in (False, True):
        for name, changed in (("nothing", 0), ("a tenth", _TARGETS // 10), ("all", _TARGETS)):
            seconds = _ours(records, changed, openmetrics=openmetrics)
            form = "OpenMetrics" if openmetrics else "text"
            print(
                f"{form:11} {name:8} changed {seconds * 1e3:8.1f} ms CPU,"
                f" 1/{peer / seconds:.0f} of the peer's (reach 1/{1 / _REACH[name]:.0f})"
            )
            worst = max(worst, seconds / peer / _REACH[name])
    return Measured(ratio=worst, reach=1, bound="at most")


FIGURE = Figure(
    name="exposition",
    text="rendering 10,000 targets beside prometheus_client, over what is wanted",
    run=_measure,
)
