"""Listening to a language model's stream as it comes: has it said something, has it said all."""

from __future__ import annotations

import re
from typing import Literal

# What ends a stream, after a word that it holds: a pattern costs as much as reading the socket.
_OVER = {
    "openai": (b"[DONE]", re.compile(rb"(?:^|[\r\n])data: ?\[DONE\][ \t]*[\r\n]")),
    "anthropic": (
        b"message_stop",
        re.compile(
            rb'(?:^|[\r\n])data: ?\{[^\r\n]{0,200}?"type": ?"message_stop"[^\r\n]{0,200}[\r\n]'
        ),
    ),
}

# JSON holds no raw quotation mark inside a text, so that a text which quotes these is none.
_SAID = re.compile(
    rb'"(?:content|text|reasoning|reasoning_content|refusal|thinking|partial_json)"\s{0,8}:\s{0,8}"[^"]'
    rb'|"tool_calls"\s{0,8}:\s{0,8}\[\s{0,8}\{|"type"\s{0,8}:\s{0,8}"tool_use"'
)
_TAIL_BYTES = 512


class Hearing:
    """Hears a stream piece by piece, however it is cut.

    What it says of tokens is a quick look, for the stall limit alone; figures and reasons come from
    the events.
    """

    def __init__(self, protocol: Literal["openai", "anthropic"] = "openai") -> None:
        self._word, self._over = _OVER[protocol]
        self._tail = b"\n"
        self._spoke = False

    def __call__(self, data: bytes) -> bool:
        """Take the next bytes; return whether nothing further matters."""
        before, window = len(self._tail), self._tail + data
        self._spoke = self._spoke or any(match.end() > before for match in _SAID.finditer(window))
        is_over = self._word in window and any(
            match.end() > before for match in self._over.finditer(window)
        )
        self._tail = window[-_TAIL_BYTES:]
        return is_over

    def spoke(self) -> bool:
        """Say whether a token came since this was last asked; pings and empty chunks are none."""
        spoke, self._spoke = self._spoke, False
        return spoke
