"""Alerts that join an incident, and how its history tells of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from responder.alert import Alert
from responder.incident import Known, Placement, severity_rank

Line = tuple[str, float, str, str]
"""Incident, time, event and text."""

_VERBS = {"flaps": "fires again", "reopened": "fires again", "joined": "joined"}
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class _Joined:
    post: str
    is_over: bool
    incident: str
    at: float
    event: str
    reason: str


@dataclass(kw_only=True, slots=True)
class Joiners:
    """The alerts that join incidents: those of a post, for the same reason, are told in a line."""

    _names: dict[_Joined, list[str]] = field(default_factory=dict)

    def add(self, post: str, at: float, alert: Alert, known: Known, placement: Placement) -> None:
        """Note that an alert of a post joined an incident."""
        event = "flaps" if placement.flaps else "reopened" if known.is_resolved else "joined"
        # What is over was taken in first; its incident may be settled before the rest joins it.
        is_over = alert.ends_at is not None
        joined = _Joined(post, is_over, known.id, at, event, placement.reason)
        self._names.setdefault(joined, []).append(alert.name)

    def lines(self, incidents: Collection[str] | None) -> Iterator[Line]:
        """Take out the lines about these incidents, or about all, in the order of their events."""
        for each in list(self._names):
            if incidents is None or each.incident in incidents:
                text = told(each.event, self._names.pop(each), each.reason)
                yield each.incident, each.at, each.event, text


def is_as_before(known: Known, alert: Alert, at: float) -> bool:
    """Tell whether the alert changes nothing of what is known of the incident that it joins."""
    return (
        known.joined_at == at
        and not known.is_resolved
        and alert.name in known.alertnames
        and (alert.target is None or alert.target in known.targets)
        and severity_rank(alert.severity) >= known.severity_rank
    )


def told(event: str, names: Sequence[str], reason: str) -> str:
    """Give the one line on alerts of these names that joined in a post, for the same reason."""
    different = list(dict.fromkeys(name or "an alert" for name in names))
    more = len(different) - _MOST_NAMES
    who = ", ".join(different[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    times = f" ({len(names)} alerts)" if len(names) > 1 else ""
    return f"{who}{times} {_VERBS[event]}: {reason}"
