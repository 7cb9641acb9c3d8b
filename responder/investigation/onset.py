"""When it began: the change point of what the alert measures, not the moment it fired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from responder.investigation.evidence import Floats, Frame
from responder.investigation.vocabulary import Role

# The series that are the symptom itself, then those that show it indirectly.
_DIRECT = frozenset({Role.ALERT, Role.PROBE_SUCCESS, Role.CERTIFICATE_END})
_INDIRECT = frozenset(
    {Role.PROBE_LATENCY, Role.PROBE_FIRST_TOKEN, Role.PROBE_TOKEN_GAP, Role.PROBE_QUALITY}
)
_GAP_SAMPLES = 3
_NOISES = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """The beginning in seconds since the epoch, how far off it may be, and where it was seen."""

    at: float
    uncertainty_seconds: float
    column: int | None = None


def find(frame: Frame | None, alert_at: float, least_uncertainty_seconds: float) -> Onset:
    """Find the earliest departure that leads up to the alert among the symptom's own series.

    Without series, or without a departure, the alert's own time stands, as uncertain as the
    window is short of it.
    """
    fallback = Onset(at=alert_at, uncertainty_seconds=max(least_uncertainty_seconds, 300.0))
    if frame is None or len(frame.times) < 4:
        return fallback
    step = float(np.median(np.diff(frame.times)))
    seen_from = float(frame.times[np.isfinite(frame.values).any(axis=1).argmax()])
    for roles in (_DIRECT, _INDIRECT):
        seen = []
        for index, labels in enumerate(frame.labels):
            if _speaks(labels.get("__role__", ""), labels.get("state"), roles):
                values = frame.values[:, index]
                at = departure(frame.times, values, alert_at)
                if at is None and labels.get("__role__") == Role.ALERT:
                    at = appearance(frame.times, values, alert_at, seen_from + 5 * step)
                if at is not None:
                    seen.append((at, index))
        if seen:
            at, column = min(seen)
            uncertainty = max(step, least_uncertainty_seconds)
            return Onset(at=at, uncertainty_seconds=uncertainty, column=column)
    return fallback


def _speaks(role: str, state: str | None, roles: frozenset[Role]) -> bool:
    if role == Role.PROBE_STATE:
        return state == "ok" and Role.ALERT in roles
    return role in roles


def departure(times: Floats, values: Floats, alert_at: float) -> float | None:
    """Return when a series left its usual level for the one that it has at the alert.

    Walks back from the alert while the samples are nearer to the level at the alert than to the
    usual one, over gaps of a few samples, then along the ramp to where it leaves the noise.
    Returns None where nothing departed.
    """
    known = np.isfinite(values)
    before = known & (times <= alert_at)
    if before.sum() < 2:
        return None
    late = float(np.median(values[before][-5:]))
    usual, noise = _usual(values[before])
    if abs(late - usual) <= max(_NOISES * noise, 1e-9):
        return None
    indices = np.flatnonzero(before)
    nearer = np.abs(values[indices] - late) < np.abs(values[indices] - usual)
    start = _walk_back(nearer)
    if start is None:
        return None
    off = np.abs(values[indices] - usual) > max(_NOISES * noise, 0.02 * abs(late - usual))
    while start > 0 and off[start - 1]:
        start -= 1
    return float(times[indices[start]])


def appearance(times: Floats, values: Floats, alert_at: float, earliest_at: float) -> float | None:
    """Return when a series first had a sample, where it had none while others already had.

    An alert's expression that filters has no series while all is well.
    """
    known = np.flatnonzero(np.isfinite(values) & (times <= alert_at))
    if not len(known) or times[known[0]] < earliest_at:
        return None
    return float(times[known[0]])


def _usual(values: Floats) -> tuple[float, float]:
    """Return the level of the earlier samples and their noise; the alert's end is left out."""
    early = values[: max(2, (2 * len(values)) // 3)]
    level = float(np.median(early))
    spread = 1.4826 * float(np.median(np.abs(early - level)))
    return level, max(spread, 0.01 * abs(level) if abs(level) < 1e8 else 0.0)


def _walk_back(nearer: npt.NDArray[np.bool_]) -> int | None:
    start: int | None = None
    gap = 0
    for index in range(len(nearer) - 1, -1, -1):
        if nearer[index]:
            start, gap = index, 0
        else:
            gap += 1
            if gap > _GAP_SAMPLES:
                break
    return start
