"""The ranking of suspects on a large frame: 5,000 series of 720 samples."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Mapping

import numpy as np

from bench.figure import Figure, Measured
from responder.investigation.evidence import Floats, Frame
from responder.investigation.suspects import levels, rank

_REACH_SECONDS = 0.5
_SERIES, _SAMPLES, _EACH = 5000, 720, 25
_STEP_SECONDS, _ONSET_SAMPLE, _GUARD_SAMPLES = 15.0, 600, 8
_ROUNDS = 5
_CULPRIT = 17
_ROLES = ("latency", "error_ratio", "traffic", "cpu", "memory", "in_flight", "queue", "other")


def run(environ: Mapping[str, str]) -> Measured:  # noqa: ARG001 - a figure is given it
    """Rank the same frame several times; the median CPU time of levels and ranking together."""
    frame, calls = _frame(), _calls()
    onset_at = float(frame.times[_ONSET_SAMPLE])
    seconds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        found = levels(frame, onset_at, _GUARD_SAMPLES * _STEP_SECONDS)
        ranked = rank(frame, found, symptom="c0", calls=calls, onset_at=onset_at)
        seconds.append(time.process_time() - began)
    median = statistics.median(seconds)
    print(f"python {platform.python_version()}, numpy {np.__version__}")
    print(f"{_SERIES} series x {_SAMPLES} samples, {len(calls)} calls: {median:.3f} s of CPU")
    print(f"of {_ROUNDS} rounds: {', '.join(f'{each:.3f}' for each in seconds)} s")
    print(f"first suspect: {ranked[0].component} (the one to find: c{_CULPRIT})")
    return Measured(ratio=median, reach=_REACH_SECONDS, bound="at most")


def _frame() -> Frame:
    """Make series that wander and have gaps; the culprit's rise fivefold at the onset."""
    random = np.random.default_rng(7)
    values: Floats = random.gamma(4, 1, (_SAMPLES, _SERIES))
    values += 0.01 * random.standard_normal((_SAMPLES, _SERIES)).cumsum(axis=0)
    values[_ONSET_SAMPLE:, _CULPRIT * _EACH : (_CULPRIT + 1) * _EACH] *= 5
    values[random.random((_SAMPLES, _SERIES)) < 0.02] = np.nan
    labels = tuple(
        {
            "__name__": f"metric_{index % _EACH}",
            "__role__": _ROLES[index % _EACH % len(_ROLES)],
            "__unit__": "",
            "component": f"c{index // _EACH}",
        }
        for index in range(_SERIES)
    )
    times: Floats = _STEP_SECONDS * np.arange(_SAMPLES, dtype=np.float64)
    return Frame(times=times, values=values, labels=labels)


def _calls() -> tuple[tuple[str, str], ...]:
    """Give a tree: each component calls two."""
    count = _SERIES // _EACH
    pairs = [(each, 2 * each + more) for each in range(count) for more in (1, 2)]
    return tuple((f"c{caller}", f"c{callee}") for caller, callee in pairs if callee < count)


FIGURE = Figure(
    name="ranking", text="suspects of 5,000 series x 720 samples (0.5 s of CPU)", run=run
)
