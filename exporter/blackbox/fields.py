"""A module of blackbox.yml while it is read: what nobody takes is told of, nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_GO_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9]+")


@dataclass(kw_only=True, slots=True)
class Findings:
    """What there is to tell of one module.

    `refused` is what keeps it from being written, since it would find right what was wrong, or
    could not ask at all; `notes` is the rest. Each is `field: text`.
    """

    module: str
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def variable(self, what: str) -> Mapping[str, str]:
        """Return the secret that stands in the place of one written out, and tell of it."""
        name = _NOT_IN_A_NAME.sub("_", f"vigie_{self.module}_{what}".upper()).strip("_")
        self.notes.append(f"{what}: no secret is copied; set {name} in the environment to it")
        return {"env": name}


class Fields:
    """One map of the file; its fields are taken one by one."""

    def __init__(self, data: Any, place: str, findings: Findings) -> None:
        self._left: dict[str, Any] = {}
        self._place = place
        self.findings = findings
        if isinstance(data, Mapping):
            self._left = {str(key): value for key, value in data.items()}
        elif data is not None:
            self.refuse("", "is no map")

    def take(self, name: str) -> Any:
        """Take a field; None where it is not set."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str:
        """Take a field of text; empty where it is not set."""
        value = self.take(name)
        if isinstance(value, bytes):
            value = self._decoded(name, value)
        return "" if value is None else str(value)

    def _decoded(self, name: str, value: bytes) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            self.refuse(name, "bytes that are no text cannot be sent or awaited")
            return ""

    def items(self, name: str) -> list[Any]:
        """Take a field that is a list."""
        value = self.take(name)
        if value is None or isinstance(value, list):
            return value or []
        self.refuse(name, "is no list")
        return []

    def inner(self, name: str) -> Fields:
        """Take a field that is a map."""
        return Fields(self.take(name), self.place(name), self.findings)

    def names(self) -> tuple[str, ...]:
        """Return what is set and not yet taken."""
        return tuple(self._left)

    def place(self, name: str) -> str:
        """Return where a field stands in its module."""
        return ".".join(part for part in (self._place, name) if part)

    def note(self, name: str, text: str) -> None:
        """Tell of a field that is written otherwise, or not at all where that costs nothing."""
        self.findings.notes.append(f"{self.place(name)}: {text}")

    def refuse(self, name: str, text: str) -> None:
        """Keep the module from being written."""
        self.findings.refused.append(f"{self.place(name)}: {text}")

    def refuse_if_set(self, reasons: Mapping[str, str]) -> None:
        """Take fields that cannot be carried over; those that are on keep the module back."""
        for name, text in reasons.items():
            if self.take(name):
                self.refuse(name, text)

    def note_if_set(self, texts: Mapping[str, str]) -> None:
        """Take fields that are not needed; tell of those that are on."""
        for name, text in texts.items():
            if self.take(name):
                self.note(name, text)

    def end(self) -> None:
        """Tell of what nobody took: it may decide, so that the module is not written."""
        for name in self.names():
            self.refuse(name, "not known here; it may be newer than blackbox_exporter 0.28")
        self._left.clear()


def milliseconds(text: str) -> int | None:
    """Read a duration as Go writes it (`5s`, `1.5s`, `1m30s`); None when it is none."""
    parts = list(_parts(text))
    if not parts or "".join(whole for whole, _ in parts) != text:
        return None
    return round(1000 * sum(seconds for _, seconds in parts))


def _parts(text: str) -> Iterator[tuple[str, float]]:
    for match in _GO_PART.finditer(text[:100]):
        yield match[0], float(match[1]) * _SECONDS[match[2]]
