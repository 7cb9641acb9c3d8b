"""What a metric's name says of its family, by the words that monitoring systems use."""

from __future__ import annotations

import re

from responder.ranking.panel import Family

# In this order: a name such as "cpu_wait_latency" speaks of time first.
_WORDS: tuple[tuple[Family, str], ...] = (
    (
        Family.LATENCY,
        r"latenc|lat\d|(^|[^a-z])[cs]?lat([^a-z]|$)|duration|response.?time|rtt|delay",
    ),
    (Family.ERRORS, r"err|fail|exception|fault|5xx|avail|succ|reject|timeout"),
    (Family.NETWORK, r"retr?ans|packet.?(loss|drop)|dropped"),
    (
        Family.SATURATION,
        r"throttl|cfs|queue|wait|pending|backlog|lag|in.?flight|satur|load(1|5|15)",
    ),
    (Family.CPU, r"cpu|processor"),
    (Family.MEMORY, r"mem|heap|rss|working.?set|swap"),
    (
        Family.TRAFFIC,
        r"rps|qps|request|req|rate|throughput|calls|hits|(^|[^a-z])lo?a?d([^a-z]|$)",
    ),
    (Family.OTHER, r"net|receive|transmit|rx|tx|read|write|disk|byte"),
)
_COMPILED = tuple((family, re.compile(words, re.IGNORECASE)) for family, words in _WORDS)
_GOOD = re.compile(r"avail|succ|healthy|ready|hit.?ratio|hit.?rate", re.IGNORECASE)
_MEAN = re.compile(r"av(era)?ge?(?![a-z])|mean", re.IGNORECASE)
_EITHER = frozenset({Family.TRAFFIC, Family.OTHER})


def family_of(metric: str) -> Family:
    """Return the family that a metric's name speaks of, OTHER when no word is known."""
    return next((family for family, words in _COMPILED if words.search(metric)), Family.OTHER)


def way_of(metric: str) -> int:
    """Return which way is worse by a metric's name: 1 up, -1 down, 0 unknown."""
    family = family_of(metric)
    if family in _EITHER:
        return 0
    return -1 if is_good(metric) else 1


def is_good(metric: str) -> bool:
    """Say whether more of it is better: availability, successes."""
    return _GOOD.search(metric) is not None


def is_mean(metric: str) -> bool:
    """Say whether a metric is a mean: times a count, it is a sum."""
    return _MEAN.search(metric) is not None
