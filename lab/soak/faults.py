"""What endpoints there are: three healthy ones, and each fault with the reason that it must get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Door = Literal["plain", "mute", "shut", "nowhere"]
"""Which port: one that answers, one that takes connections and is silent, one that nobody has."""

_CHAT: Mapping[str, Any] = {"kind": "openai_chat", "model": "soak-1", "dialect": "vllm"}
_READY: Mapping[str, Any] = {"checks": [{"contains": "ready"}]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What an endpoint does: the settings of its target, and the reason of each of its runs.

    `name` is the last part of its path, which tells the server what to do. A reason of None is a
    right answer. What comes to another door than `plain` is not read, and has no time of arrival.
    """

    name: str
    reason: str | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: {"kind": "http", **_READY})
    scheme: str = "http"
    door: Door = "plain"

    @property
    def is_stamped(self) -> bool:
        """Whether the server can tell which target came."""
        return self.door == "plain" and self.scheme == "http"


HEALTHY: Sequence[Behaviour] = (
    Behaviour(name="page"),
    Behaviour(
        name="json",
        settings={"kind": "json", "body": {"x": 1}, "expect": {"answer": 42}},
    ),
    Behaviour(name="chat", settings={**_CHAT, **_READY}),
)

FAULTS: Sequence[Behaviour] = (
    Behaviour(name="no-name", reason="dns", door="nowhere"),
    Behaviour(name="shut", reason="connect", door="shut"),
    Behaviour(name="no-tls", reason="tls", scheme="https"),
    Behaviour(name="mute", reason="timeout_connect", scheme="https", door="mute"),
    Behaviour(name="hang", reason="timeout_total"),
    Behaviour(name="chat-hang", reason="timeout_first_token", settings=_CHAT),
    Behaviour(name="chat-stall", reason="stall", settings={**_CHAT, "stall": "1s"}),
    Behaviour(name="404", reason="http_4xx"),
    Behaviour(name="401", reason="auth"),
    Behaviour(name="429", reason="rate_limited"),
    Behaviour(name="503", reason="http_5xx"),
    Behaviour(name="chat-error", reason="stream_error", settings=_CHAT),
    Behaviour(name="chat-cut", reason="stream_truncated", settings=_CHAT),
    Behaviour(name="no-http", reason="protocol"),
    Behaviour(name="short", reason="protocol"),
    Behaviour(
        name="long", reason="too_large", settings={"kind": "http", "response_limit_bytes": 4096}
    ),
    Behaviour(name="302", reason="redirect"),
    Behaviour(
        name="to-metadata", reason="forbidden", settings={"kind": "http", "follow_redirects": True}
    ),
    Behaviour(name="no-json", reason="bad_json", settings=HEALTHY[1].settings),
    Behaviour(
        name="other-json",
        reason="schema",
        settings={"kind": "http", "checks": [{"json_schema": {"required": ["answer"]}}]},
    ),
    Behaviour(name="wrong", reason="wrong_answer"),
    Behaviour(name="chat-empty", reason="empty", settings=_CHAT),
    Behaviour(name="chat-limit", reason="cut_off", settings={**_CHAT, **_READY}),
)

FAULTY_EACH = 20
"""One target in so many is broken."""


def behaviour_of(number: int) -> Behaviour:
    """Give what a target does: one in twenty each fault in turn, the others mostly a page."""
    if number % FAULTY_EACH == FAULTY_EACH - 1:
        return FAULTS[number // FAULTY_EACH % len(FAULTS)]
    return HEALTHY[max(0, number % 10 - 7)]
