"""Log lines as templates: what stays when numbers, identifiers and addresses are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from responder.guard import line, mask_secrets

LONGEST_LINE = 2000
LONGEST_SHOWN = 300
RISEN = 3.0

# Where structured logs keep what happened, and in whose words.
_MESSAGES = ("message", "msg", "event", "log", "body")
_CAUSES = ("error", "err", "exception", "exc_info")
_VARYING = re.compile(
    r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[a-z]*\d)(?=\d*[a-z])[0-9a-f]{7,}\b"
    r"|\d+"
)
_REPEATED = re.compile(r"<\*>(?:[ .,:;/_T+-]{0,2}<\*>)+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line as it was logged, and when."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """Lines that are one but for what varies; `example` is the first of them, fit to show.

    `before` and `since` count lines, `factor` compares their rates: infinite for a new one.
    """

    text: str
    example: str
    first_at: float
    before: int
    since: int
    factor: float

    @property
    def is_new(self) -> bool:
        """None like it was there before."""
        return self.before == 0


def shown(text: str) -> str:
    """Make a line fit to show: the message of a structured one, cleaned, its secrets masked."""
    return line(mask_secrets(line(_message(text), LONGEST_LINE)), LONGEST_SHOWN)


def template(text: str) -> str:
    """Leave out of a line that is fit to show what differs from one of its kind to the next."""
    return _REPEATED.sub("<*>", _VARYING.sub("<*>", text))


def _message(text: str) -> str:
    head = text[: 4 * LONGEST_LINE]
    if not head.lstrip().startswith("{"):
        return head
    try:
        record = orjson.loads(text)
    except ValueError:
        return head
    if not isinstance(record, dict):
        return head
    told = [_first(record, _MESSAGES), _first(record, _CAUSES)]
    return ": ".join(each for each in told if each) or head


def _first(record: Mapping[str, object], names: Sequence[str]) -> str:
    found = (record[name] for name in names if record.get(name))
    return next((each for each in found if isinstance(each, str)), "")


def changed(
    before: Iterable[Entry], since: Iterable[Entry], seconds: tuple[float, float], *, most: int
) -> list[Template]:
    """Return the templates that are new, or come at a rate three times as high, the new first.

    `seconds` is how long each side was looked at.
    """
    usual: dict[str, int] = {}
    for entry in before:
        kind = template(shown(entry.text))
        usual[kind] = usual.get(kind, 0) + 1
    found: dict[str, list[Entry]] = {}
    for entry in sorted(since, key=lambda each: (each.at, each.text)):
        text = shown(entry.text)
        if text:
            found.setdefault(template(text), []).append(Entry(at=entry.at, text=text))
    made = [_made(kind, usual.get(kind, 0), entries, seconds) for kind, entries in found.items()]
    risen = [each for each in made if each.factor >= RISEN]
    return sorted(risen, key=lambda each: (not each.is_new, -each.since, each.text))[:most]


def _made(kind: str, before: int, since: Sequence[Entry], seconds: tuple[float, float]) -> Template:
    earlier, later = (max(each, 1.0) for each in seconds)
    factor = (len(since) / later) / (before / earlier) if before else float("inf")
    return Template(
        text=kind,
        example=since[0].text,
        first_at=since[0].at,
        before=before,
        since=len(since),
        factor=factor,
    )
