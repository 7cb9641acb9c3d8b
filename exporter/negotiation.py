"""What a scraper asks for: the format of the metrics, and whether to compress them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_MOST_ENTRIES = 20
_TEXT = frozenset({"text/plain", "text/*", "*/*"})


def wants_openmetrics(accept: str) -> bool:
    """Say whether an Accept header asks for OpenMetrics 1.0 before the text format.

    Prometheus lists OpenMetrics with the higher q; a missing or odd header means text.
    """
    best = {True: 0.0, False: 0.0}
    for media, parameters, quality in _entries(accept):
        if media == "application/openmetrics-text":
            if parameters.get("version", "1.0.0") == "1.0.0":
                best[True] = max(best[True], quality)
        elif media in _TEXT:
            best[False] = max(best[False], quality)
    return best[True] > 0 and best[True] >= best[False]


def wants_gzip(accept_encoding: str) -> bool:
    """Say whether an Accept-Encoding header asks for gzip no less than for plain (RFC 9110)."""
    found = {coding: quality for coding, _, quality in _entries(accept_encoding)}
    gzip = found.get("gzip", found.get("x-gzip", found.get("*", 0.0)))
    return gzip > 0 and gzip >= found.get("identity", 0.0)


def _entries(header: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Yield each entry with its parameters and quality, 0 for one that is no number."""
    for entry in header.lower().split(",")[:_MOST_ENTRIES]:
        name, *rest = (part.strip() for part in entry.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        yield name, parameters, _quality(parameters.get("q", "1"))


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
