"""Tells text that reads like an instruction to a reader, above all to a language model.

A signal, no proof: it is shown in the report, what it hits is withheld from the model, and nothing
else depends on it. Text is read as it stands and as it could be meant: look-alike letters, letters
spaced out, base64, hexadecimal, escapes, reversed.
"""

from __future__ import annotations

import base64
import codecs
import functools
import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

from responder.guard import clean
from responder.instruction_forms import ALIKE, ALL_CLEAR, COMPILED, LEET, STEMS

LONGEST_READ = 8000
SHORTEST = 12
SHORT = 1000
MOST_BLOBS = 8
WITHHELD = "<reads like an instruction: withheld>"

_SPACED = re.compile(r"(?:\b\w(?:[ .\-_*·|/]{1,2})){5,}\w\b")
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]?){12,}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")


@functools.lru_cache(maxsize=8192)
def instruction_like(text: str) -> str:
    """Say in what way a text reads like an instruction, empty when in none."""
    if len(text) < SHORTEST:
        return ""
    for reading in dict.fromkeys(_readings(text[:LONGEST_READ])):
        if reading.isascii() and not STEMS.search(reading):
            continue
        for kind, pattern in COMPILED:
            if pattern.search(reading):
                return kind
    return ""


def all_clear(text: str) -> bool:
    """Tell whether a text says that there is nothing to do or nothing wrong."""
    return ALL_CLEAR.search(_folded(text[:LONGEST_READ])) is not None


def withheld(text: str) -> str:
    """Leave out a text that reads like an instruction; of a long one the lines that do."""
    if not instruction_like(text):
        return text
    lines = text.split("\n")
    kept = [WITHHELD if instruction_like(each) else each for each in lines]
    rest = "\n".join(each for each in kept if each != WITHHELD)
    # What a short text says beside an order belongs to it.
    if len(text) <= SHORT or WITHHELD not in kept or instruction_like(rest):
        return WITHHELD
    return "\n".join(kept)


def _readings(text: str) -> Iterator[str]:
    """Give a text as it stands, and as it could be meant."""
    hidden = _hidden(text)
    plain = clean(text, LONGEST_READ)
    folded = _folded(plain)
    yield plain
    yield folded
    if hidden:
        yield hidden
    yield _tight(_folded(text))
    yield folded.replace("_", " ")
    yield folded.translate(LEET)
    # Blanks in the place of what is not seen, for words that only it holds apart.
    yield _folded(re.sub(r"[\u200b-\u200f\u2060\u00ad\ufeff]", " ", text))
    yield _folded(html.unescape(unquote(plain)))
    yield _folded(_ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), plain))
    yield from (_folded(each) for each in _decoded(plain))
    yield codecs.encode(folded, "rot13")
    yield folded[::-1]


def _folded(text: str) -> str:
    """Write look-alike and decorated letters as the plain ones."""
    apart = unicodedata.normalize("NFKD", text.translate(ALIKE))
    marks = (each for each in apart if not (unicodedata.combining(each) and ord(each) < 0x0370))
    return unicodedata.normalize("NFC", "".join(marks))


def _tight(text: str) -> str:
    """Close up words whose letters are spaced out; wider gaps part words."""

    def closed(found: re.Match[str]) -> str:
        words = re.split(r"\s{2,}| [.\-_*·|/] ", found.group())
        return " ".join(re.sub(r"[ .\-_*·|/]", "", word) for word in words)

    tight = _SPACED.sub(closed, text)
    return re.sub(
        r"(?i)(ignore|disregard|forget)(all|previous|prior|above|the|instructions)+",
        r"\1 all previous instructions ",
        tight,
    )


def _hidden(text: str) -> str:
    """Give what is written in tag characters or in variation selectors, which nobody sees."""
    tags = (chr(ord(each) - 0xE0000) for each in text if 0xE0020 <= ord(each) <= 0xE007E)
    selected = bytes(
        ord(each) - 0xFE00 if ord(each) <= 0xFE0F else ord(each) - 0xE0100 + 16
        for each in text
        if 0xFE00 <= ord(each) <= 0xFE0F or 0xE0100 <= ord(each) <= 0xE01EF
    )
    return "".join(tags) + selected.decode("utf-8", "replace") if selected else "".join(tags)


def _decoded(text: str) -> Iterator[str]:
    """Give what blobs in a text say, as far as it is text."""
    for found in list(_BLOB.finditer(text))[:MOST_BLOBS]:
        body = found.group().rstrip("=").replace("-", "+").replace("_", "/")
        with suppress(ValueError):
            yield from _text_of(base64.b64decode(body + "=" * (-len(body) % 4)))
    for found in list(_HEX.finditer(text))[:MOST_BLOBS]:
        yield from _text_of(bytes.fromhex(re.sub(r"[ :]", "", found.group())))


def _text_of(blob: bytes) -> Iterator[str]:
    told = blob.decode("utf-8", "replace")
    if told and sum(each.isprintable() and each != "\ufffd" for each in told) > 0.9 * len(told):
        yield told
