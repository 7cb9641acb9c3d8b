"""The story of an incident: what its alerts did, what was decided, and what was told, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from responder.store.views import File, Sending, Told
from responder.web.shown import masked


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One line of the story; `kind` is alert, decision or message."""

    at: float
    kind: str
    what: str
    text: str


def told(file: File) -> list[Happening]:
    """Give every fact, decision and message about an incident, oldest first."""
    decisions = [
        Happening(at=each.at, kind="decision", what=each.event, text=each.text)
        for each in file.history
    ]
    facts = [_fact(each) for each in file.facts]
    messages = [_message(each) for each in file.sendings]
    # What an alert did comes before what was decided on it, and that before what was told of it.
    return sorted([*facts, *decisions, *messages], key=lambda each: each.at)


def _fact(fact: Told) -> Happening:
    times = f"since {_clock(fact.starts_at)}"
    if fact.ends_at is not None:
        times += f" until {_clock(fact.ends_at)}"
    name = fact.alertname or "an alert"
    source = "" if fact.delivery_kind == "alertmanager" else f" ({fact.delivery_kind})"
    return Happening(at=fact.at, kind="alert", what=f"{fact.fact}{source}", text=f"{name}, {times}")


def _message(sending: Sending) -> Happening:
    to = f"{sending.channel} {masked(sending.destination)}".strip()
    parts = [f"to {to}: {sending.status}", f"attempts: {sending.attempts}", sending.problem]
    if sending.finished_at is None and sending.due_at > sending.created_at:
        parts.append(f"next at {_clock(sending.due_at)}")
    parts.append(sending.note)
    at = sending.created_at if sending.finished_at is None else sending.finished_at
    text = ", ".join(part for part in parts if part)
    return Happening(at=at, kind="message", what=sending.event, text=text)


def _clock(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(at)
