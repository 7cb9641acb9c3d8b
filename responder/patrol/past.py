"""The same time of day in the past: the first of the configured ones that has data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from responder.investigation.wording import listed, number
from responder.patrol.look import Ground, Series

_DAY = 86_400.0
_MOST_NAMED = 5
Key = tuple[tuple[str, str], ...]


def key(series: Series) -> Key:
    """Name a series by its labels."""
    return tuple(sorted(series.labels.items()))


async def earlier(ground: Ground, query: str, least: int) -> Mapping[Key, tuple[str, Series]]:
    """Give each series as it was, with how long ago that is, in words.

    Of a series that has fewer than *least* values there, the next time is looked at. Raises
    UnseenError.
    """
    found: dict[Key, tuple[str, Series]] = {}
    for back_seconds in ground.compare_with_seconds:
        for series in await ground.pieces(query, back_seconds):
            if len(series.values) >= least:
                found.setdefault(key(series), (ago(back_seconds), series))
    return found


def without_past(now: Sequence[Series], before: Mapping[Key, object], least: int) -> str:
    """Say which of what is measured now has no past to be compared with; empty for none."""
    new = [each for each in now if len(each.values) >= least and key(each) not in before]
    if not new:
        return ""
    names = [each.labels.get("target", "") for each in new[:_MOST_NAMED]]
    return f"no past to compare with for {number(len(new))} series: {listed(names)}"


def ago(seconds: float) -> str:
    """Write how long ago something is."""
    named: Sequence[tuple[float, str]] = ((7 * _DAY, "week"), (_DAY, "day"), (3600.0, "hour"))
    for unit, name in (*named, (60.0, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = round(seconds / unit)
            return f"{count} {name}{'s' if count > 1 else ''} before"
    return f"{seconds:g} seconds before"
