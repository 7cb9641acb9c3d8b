"""The contract of a form that changes are announced in, and the registry; one file in shapes/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """A change as a body tells it, not cleaned yet; `at` is text or seconds, None where unsaid."""

    service: Any
    kind: str
    title: Any
    at: Any = None
    version: Any = None
    author: Any = None
    link: Any = None


class Shape(Protocol):
    """Reads one form; must bear whatever a body holds."""

    def __call__(self, body: Mapping[str, Any], /) -> Sequence[Announced] | None:
        """Give the changes in a body of this form, none where it tells of none; else None."""
        ...


shapes: dict[str, Shape] = {}


def shape(name: str) -> Callable[[Shape], Shape]:
    """Enter the decorated form under its name; ValueError when that is taken."""

    def enter(one: Shape) -> Shape:
        if shapes.setdefault(name, one) is not one:
            raise ValueError(f"shape {name!r}: already there; choose another name")
        return one

    return enter


def part(body: Any, *path: str) -> Any:
    """Give what lies at a path of keys; None where there is nothing, or no object on the way."""
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def first(*found: Any) -> Any:
    """Give the first that is neither None nor empty."""
    return next((each for each in found if each is not None and each != ""), None)


def last_part(name: Any) -> Any:
    """Give what stands behind the last slash of a repository's full name."""
    return name.rstrip("/").rpartition("/")[2] if isinstance(name, str) else None
