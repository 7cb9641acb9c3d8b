"""How often a target is probed: more rarely while it is well, at once more often when it fails."""

from __future__ import annotations

from exporter.target import State, Target

_GROWTH_RATIO = 1.25

_FAILING = frozenset({State.DOWN, State.HUNG, State.UNRESPONSIVE, State.WRONG})
"""What more runs tell more of; a saturated server is not helped by them, and unknown is ours."""


def next_interval_seconds(target: Target, current_seconds: float, state: State) -> float:
    """Return the interval after a run that found this state.

    A failing target is probed at the shortest interval at once; each right answer then makes it a
    quarter longer, past the configured one up to the longest. Any other state ends a slow-down.
    """
    usual = target.interval_seconds
    pace = target.pace
    if pace is None:
        return usual
    if state in _FAILING:
        return pace.fastest or usual
    if state is State.OK:
        return min(current_seconds * _GROWTH_RATIO, pace.slowest or usual)
    return min(current_seconds, usual)
