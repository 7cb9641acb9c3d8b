"""Series as templates of bytes: all but the values and the target's name is written once.

Targets whose families and labels are the same share a template, so that ten thousand cost one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from exporter.histogram import Histogram
from exporter.metrics import FAMILIES, Family, Labels

_TARGET = b"\0"
"""Stands for the target's name in a template; `escaped` lets no label have it."""
_NEXT = b"\1"
_TURN = {family: turn for turn, family in enumerate(FAMILIES)}

Key = tuple[Family, Labels]
Place = tuple[Family, str]
"""A family, and the label's value where each target's lines of it are apart by label."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Template:
    """The lines of all families of one target whose labels targets share.

    `histograms` come behind `keys`. `places` are those of the pieces that the lines make.
    """

    keys: tuple[Key, ...]
    histograms: tuple[Place, ...]
    places: tuple[Place, ...]
    series: int
    _order: Any
    _text: bytes

    def pieces(
        self,
        values: Sequence[float],
        histograms: Iterable[Histogram],
        target: bytes,
        *,
        exemplified: bool,
    ) -> list[bytes]:
        """Return each place's lines; the values and the histograms come in the keys' order."""
        found = [*self._order(values)]
        for histogram in histograms:
            found += histogram.values()
        numbers = _numbers(found)
        if exemplified:
            first = len(values)
            for histogram in histograms:
                histogram.exemplify(numbers, first)
                first += histogram.series
        return (self._text % tuple(numbers)).replace(_TARGET, target).split(_NEXT)


@lru_cache(maxsize=4096)
def template_of(keys: tuple[Key, ...], histograms: tuple[Place, ...]) -> Template:
    """Make the template of at least two series, and of histograms."""
    order = sorted(range(len(keys)), key=lambda index: _TURN[keys[index][0]])
    lines: dict[Place, bytes] = {}
    for index in order:
        family, labels = keys[index]
        lines[family, ""] = lines.get((family, ""), b"") + _line(family.name, labels)
    for family, label in histograms:
        lines[family, label] = _histogram(family, label)
    return Template(
        keys=keys,
        histograms=histograms,
        places=tuple(lines),
        series=sum(each.count(b"\n") for each in lines.values()),
        _order=itemgetter(*order),
        _text=_NEXT.join(lines.values()),
    )


def _histogram(family: Family, label: str) -> bytes:
    """Return the lines of the buckets, of the sum and of the count."""
    labels = pairs(family, label)
    bounds = [*map(str, map(float, family.buckets)), "+Inf"]
    lines = [_line(f"{family.name}_bucket", (*labels, ("le", le))) for le in bounds]
    total = _line(f"{family.name}_sum", labels)
    return b"".join([*lines, total, _line(f"{family.name}_count", labels)])


@lru_cache(maxsize=4096)
def pairs(family: Family, label: str) -> Labels:
    """Return the labels of a family that has one at most; equal ones are the same object."""
    return tuple((name, label) for name in family.labels)


@lru_cache(maxsize=4096)
def key_of(family: Family, label: str = "") -> Key:
    """Return the key of a series that has one label at most beside `target`."""
    return family, pairs(family, label)


def line(family: Family, labels: Labels, value: float, target: bytes) -> bytes:
    """Return one series of a target."""
    return (_line(family.name, labels) % number(value).encode()).replace(_TARGET, target)


def _line(name: str, labels: Labels) -> bytes:
    rest = "".join(f',{key}="{escaped(text)}"' for key, text in labels)
    head = f'{name}{{target="'.encode() + _TARGET + f'"{rest}}} '.encode()
    return head.replace(b"%", b"%%") + b"%b\n"


def escaped(value: str) -> str:
    """Return a label's value as it is written; what is no text, or our own mark, is replaced."""
    text = value.encode("utf-8", "replace").decode()
    if not text.isprintable():
        text = text.replace("\0", "\ufffd").replace("\1", "\ufffd")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """Return a number as it is written."""
    text = repr(value)
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def _numbers(values: Sequence[float]) -> list[bytes]:
    """Return the same of many: orjson writes them in half the time, finite ones alone."""
    text = orjson.dumps(values)
    if b"null" in text:
        return [number(value).encode() for value in values]
    return text[1:-1].split(b",")
