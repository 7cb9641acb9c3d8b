"""The units that numbers are printed with, and the dimension and size of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNITS: Mapping[str, tuple[str, float]] = {
    "us": ("seconds", 1e-6),
    "µs": ("seconds", 1e-6),
    "microseconds": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "millisecond": ("seconds", 1e-3),
    "milliseconds": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "sec": ("seconds", 1.0),
    "secs": ("seconds", 1.0),
    "second": ("seconds", 1.0),
    "seconds": ("seconds", 1.0),
    "m": ("seconds", 60.0),
    "min": ("seconds", 60.0),
    "mins": ("seconds", 60.0),
    "minute": ("seconds", 60.0),
    "minutes": ("seconds", 60.0),
    "h": ("seconds", 3600.0),
    "hour": ("seconds", 3600.0),
    "hours": ("seconds", 3600.0),
    "d": ("seconds", 86_400.0),
    "day": ("seconds", 86_400.0),
    "days": ("seconds", 86_400.0),
    "%": ("ratio", 0.01),
    "percent": ("ratio", 0.01),
    "x": ("factor", 1.0),
    "\u00d7": ("factor", 1.0),
    "fold": ("factor", 1.0),
    "times": ("factor", 1.0),
    "/s": ("per_second", 1.0),
    "rps": ("per_second", 1.0),
    "qps": ("per_second", 1.0),
    "rpm": ("per_second", 1 / 60),
    "b": ("bytes", 1.0),
    "bytes": ("bytes", 1.0),
    "kb": ("bytes", 1e3),
    "mb": ("bytes", 1e6),
    "gb": ("bytes", 1e9),
    "tb": ("bytes", 1e12),
    "kib": ("bytes", 2.0**10),
    "mib": ("bytes", 2.0**20),
    "gib": ("bytes", 2.0**30),
    "tib": ("bytes", 2.0**40),
}
SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
# Which units of quantities a printed dimension may be found in.
FITS: Mapping[str, frozenset[str]] = {
    "seconds": frozenset({"seconds"}),
    "ratio": frozenset({"ratio"}),
    "factor": frozenset({"factor"}),
    "per_second": frozenset({"per_second"}),
    "bytes": frozenset({"bytes"}),
    "": frozenset({"", "count"}),
}
_RATE = re.compile(r"(?:/\s?|per |an? )(s|min|h)(?:ec(?:ond)?|ute|our)?$")
_PERIODS: Mapping[str, float] = {"s": 1.0, "min": 60.0, "h": 3600.0}


def dimension_of(unit: str) -> tuple[str, float]:
    """Give the dimension of a printed unit, empty where there is none, and its size."""
    flat = re.sub(r"\s+", " ", unit.strip().lower())
    if rate := _RATE.search(flat):
        return "per_second", 1.0 / _PERIODS[rate[1]]
    if unit == "M":
        return "", 1e6
    return _UNITS.get(re.sub(r"\s", "", flat), ("", 1.0))
