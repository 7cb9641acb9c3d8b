"""Bends real posts: in their structure, as a strange sender would, and in their bytes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    2**63,
    "",
    "x" * 9000,
    "\x00",
    "\ud83d",
    "\u202e\u200b\x1b[31m",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999+14:00",
    "2026-13-45T99:99:99Z",
    "resolved",
    "firing",
    [],
    {},
    [[]],
    {"a": {"b": []}},
    {"alertname": None},
    {"": ""},
    [{"labels": {"alertname": "A"}}] * 50,
)
_PIECES = (
    *(b"null", b'"', b"{", b"}", b"]", b",", b":", b"\\ud83d", b"\\u0000", b"1e999", b"NaN"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"-", b"[" * 300, b"9" * 400, b"\\"),
)
_ADDED = ("payload", "notification_reason", "routeLabels", "alerts", "startsAt", "labels", "new")


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Give the body bent in some places."""
    if chance.random() < 0.6:
        body = _restructured(body, chance)
    if chance.random() < 0.5:
        body = _scrambled(body, chance)
    return body


def _restructured(body: bytes, chance: random.Random) -> bytes:
    document = json.loads(body)
    for _ in range(chance.randint(1, 4)):
        holder, key = _place(document, chance)
        _bend(holder, key, chance)
    text = json.dumps(document, ensure_ascii=chance.random() < 0.7)
    return text.encode("utf-8", "surrogatepass")


def _place(document: Any, chance: random.Random) -> tuple[Any, Any]:
    """Choose a member somewhere in the document."""
    holder: Any = {"": document}
    key: Any = ""
    inside: Any = document
    while isinstance(inside, dict | list) and inside:
        holder = inside
        key = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        inside = holder[key]
        if chance.random() < 0.3:
            break
    return holder, key


def _bend(holder: Any, key: Any, chance: random.Random) -> None:
    how = chance.randrange(4)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[chance.choice(_ADDED)] = copy.deepcopy(chance.choice(_ODD))
    elif how == 2 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = copy.deepcopy(chance.choice(_ODD))


def _scrambled(body: bytes, chance: random.Random) -> bytes:
    bent = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        where = chance.randrange(len(bent) + 1)
        how = chance.randrange(5)
        if how == 0:
            bent[where : where + 1] = chance.randbytes(1)
        elif how == 1:
            del bent[where : where + chance.randint(1, 30)]
        elif how == 2:
            bent[where:where] = chance.choice(_PIECES)
        elif how == 3:
            bent[where:where] = bent[where : where + chance.randint(1, 60)]
        elif chance.random() < 0.2:
            del bent[where:]
    return bytes(bent)
