"""The parts of a log line or an answer that a stranger may have written, put aside.

An order that a stranger plants comes by what a program echoes: quoted text, addresses, user
agents, names, whatever follows `input:`. A model needs to know that they are there, not what they
say. Numbers, codes and the program's own words stay.
"""

from __future__ import annotations

import re

_FREE = re.compile(r" (?:excerpt|detail)$|^(?:silence|change) \d+$")
_KEPT = re.compile(r"[\w.:/%+-]{1,40}(?: [\w.:/%+-]{1,40})?")
_QUOTED = re.compile(r"\\?\"((?:[^\"\\]|\\.){0,2000})(?:\\?\"|$)|(?<![\w])'([^'\n]{0,2000})'(?!\w)")
_ADDRESS = re.compile(r"\b(?:https?|wss?|ftp)://[^\s\"'<>]+", re.IGNORECASE)
_MAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b")
_QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]{3,}")
_AGENT = re.compile(r"\bMozilla/\d\.\d[^\n\"]*", re.IGNORECASE)
_TOLD = re.compile(
    r"(?i)\b((?:user[ _-]?agent|referer|referrer|user[ _-]?input|input|prompt|query|search|comment"
    r"|subject|content|message from \w+|said|says|wrote|asked|username|user[ _-]?name|filename)"
    r"\s?[:=]\s?)(?!<)([^\n;|]{3,})"
)


def is_free(fact: str) -> bool:
    """Tell by its name whether a fact holds words of others: log lines, answers, comments."""
    return _FREE.search(fact) is not None


def abstracted(text: str) -> str:
    """Put `<text>`, `<address>` and the like in the place of what a stranger may have written."""
    text = _ADDRESS.sub("<address>", text)
    text = _MAIL.sub("<mail>", text)
    text = _AGENT.sub("<agent>", text)
    text = _QUOTED.sub(_unquoted, text)
    text = _TOLD.sub(_untold, text)
    return _QUERY.sub("?<query>", text)


def _untold(found: re.Match[str]) -> str:
    return found.group() if _KEPT.fullmatch(found[2].strip()) else f"{found[1]}<text>"


def _unquoted(found: re.Match[str]) -> str:
    """Keep a quoted word or two, such as a name or a code."""
    inside = found[1] if found[1] is not None else found[2]
    return found.group() if not inside or _KEPT.fullmatch(inside) else '"<text>"'
