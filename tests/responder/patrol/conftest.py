"""A real Prometheus with a week of made-up past, shared by the tests of the rounds."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.responder.patrol.history import History

Spans = Sequence[tuple[float, float]]
HOUR, DAY, WEEK = 3600.0, 86_400.0, 7 * 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Where it is served, and the moment that it ends at."""

    url: str
    now: float


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(
    programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Past]:
    """Serve the past of every kind of thing that a round looks for."""
    now = math.floor(time.time() / 60) * 60.0
    history = History()
    for write in (_latency, _canaries, _queues, _ends, _tokens, _errors, _juniors):
        write(history, now)
    server, url = history.prometheus(programs, tmp_path_factory.mktemp("past"))
    await server.start()
    try:
        yield Past(url=url, now=now)
    finally:
        await server.stop()


def _hours(now: float, *backs: float) -> Spans:
    """Give the hour and a little more that ends now, and so long ago."""
    return [(now - back - 2 * HOUR, now - back) for back in backs]


def _latency(history: History, now: float) -> None:
    family, usual = "vigie_probe_duration_seconds", 0.2
    recent = now - 1.5 * HOUR

    def target(name: str) -> dict[str, str]:
        return {"job": "vigie-exporter", "instance": "a:1", "target": name}

    def later(factor: float) -> Callable[[float], float]:
        return lambda at: usual * (factor if at > recent else 1.0)

    both = _hours(now, 0, WEEK)
    history.mean(family, target("steady"), lambda _: usual, both)
    history.mean(family, target("slow"), later(1.6), both)
    history.mean(family, target("slower"), later(1.3), both)
    history.mean(family, target("restarted"), later(1.6), both, resets_at=now - HOUR / 2)
    history.mean(family, target("a-little"), later(1.1), both)
    # One strange piece of ten minutes, of the six that are looked at.
    odd = now - HOUR / 2
    history.mean(family, target("spike"), lambda at: 2.0 if odd < at < odd + 600 else usual, both)
    # As different from piece to piece in the past as it is now.
    history.mean(
        family,
        target("noisy"),
        lambda at: usual * (1 + (at // 600) % 3) * (1.1 if at > recent else 1),
        both,
    )
    history.mean(family, target("young"), later(1.6), _hours(now, 0, DAY))
    history.mean(family, target("new"), later(1.6), _hours(now, 0))


def _canaries(history: History, now: float) -> None:
    recent, both = now - 1.5 * HOUR, _hours(now, 0, WEEK)

    def canary(name: str, before: float, after: float) -> None:
        labels = {"job": "vigie-exporter", "target": "chat", "canary": name}
        history.add(
            "vigie_canary_pass_ratio", labels, lambda at: after if at > recent else before, both
        )

    canary("steady", 1.0, 1.0)
    canary("sliding", 1.0, 0.9)
    canary("falling", 1.0, 0.75)
    canary("as-bad-as-ever", 0.8, 0.8)


def _queues(history: History, now: float) -> None:
    begin = now - HOUR

    def queue(name: str, family: str, service: str, length: float, spans: Spans) -> None:
        labels = {"job": "models", "instance": f"{name}:8000", "service": service}
        # Grows through the hour in the present and, where it is usual, in the past.
        history.add(family, labels, lambda at: length * ((at - begin) % WEEK) / HOUR, spans)

    queue("long", "vllm:num_requests_waiting", "chat", 60.0, [(begin, now)])
    queue("short", "sglang:num_queue_reqs", "draft", 8.0, [(begin, now)])
    queue(
        "usual",
        "vllm:num_requests_waiting",
        "batch",
        60.0,
        [(begin, now), (begin - WEEK, now - WEEK)],
    )
    idle = {"job": "models", "instance": "idle:8000", "service": "idle"}
    history.add("vllm:num_requests_waiting", idle, lambda _: 0.0, [(begin, now)])


def _ends(history: History, now: float) -> None:
    recent = [(now - 300, now)]

    def ends(family: str, labels: Mapping[str, str], days: float) -> None:
        history.add(family, {"job": "vigie-exporter", **labels}, lambda _: now + days * DAY, recent)

    certificate = "vigie_tls_certificate_expiry_timestamp_seconds"
    ends(certificate, {"target": "soon"}, 40)
    ends(certificate, {"target": "far"}, 90)
    ends(certificate, {"target": "over"}, -1)
    retirement = "vigie_model_retirement_timestamp_seconds"
    ends(retirement, {"target": "chat", "model": "old-2407"}, 60)
    ends(retirement, {"target": "chat", "model": "new-2512"}, 400)


def _tokens(history: History, now: float) -> None:
    left = DAY - now % DAY

    def budget(target: str, spent_an_hour: float, remaining: float) -> None:
        labels = {"job": "vigie-exporter", "target": target}
        hour = [(now - HOUR, now)]
        history.add(
            "vigie_budget_tokens_spent",
            labels,
            lambda at: 1000.0 + spent_an_hour * (at - now + HOUR) / HOUR,
            hour,
        )
        history.add("vigie_budget_tokens_remaining", labels, lambda _: remaining, hour)

    # A half of what is left of the day, and twice as much, at the rate of the last hour.
    budget("spendthrift", 3600.0, left / 2)
    budget("thrifty", 3600.0, left * 2)
    budget("idle", 0.0, 10.0)


def _errors(history: History, now: float) -> None:
    recent = [(now - 300, now)]
    history.add("vigie:probe_failure_budget:ratio", {}, lambda _: 0.005, recent)

    def failing(target: str, ratio: float, failures: float) -> None:
        labels = {"job": "vigie-exporter", "target": target}
        history.add("target:vigie_probe_failures:ratio_rate1d", labels, lambda _: ratio, recent)
        history.add("target:vigie_probe_failures:increase1d", labels, lambda _: failures, recent)

    failing("leaky", 0.01, 29.0)
    failing("unlucky", 0.01, 2.0)
    failing("well", 0.001, 3.0)


def _juniors(history: History, now: float) -> None:
    long, early = [(now - 5 * HOUR, now)], [(now - 5 * HOUR, now - HOUR)]

    def junior(job: str, instance: str, spans: Spans) -> None:
        labels = {"job": job, "instance": instance, "version": "0.1.0"}
        history.add("vigie_exporter_build_info", labels, lambda _: 1.0, spans)

    junior("edge", "edge-0:10917", long)
    junior("edge", "edge-1:10917", early)
    junior("rolled", "rolled-a:10917", early)
    junior("rolled", "rolled-b:10917", [(now - HOUR, now)])

    def probed(target: str, spans: Spans) -> None:
        labels = {"job": "edge", "target": target}
        history.add("vigie_probe_interval_seconds", labels, lambda _: 30.0, spans)

    probed("watched", long)
    probed("forgotten", early)
