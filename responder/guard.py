"""Text from outside made fit to store and show: unseen characters stripped, secrets masked."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from responder.secret_forms import BESIDE, COOKIE, COOKIES, KNOWN

LONGEST_LABEL_NAME = 128
LONGEST_LABEL_VALUE = 1024
MOST_LABELS = 64

# ECMA-48: CSI sequences, OSC strings up to BEL or ST, and the other two-byte escapes. An OSC
# without an end takes no more than its line.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_BLANKS = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
# Invisible although Unicode calls them letters or marks: Hangul fillers, the combining grapheme
# joiner, Khmer inherent vowels, variation selectors (which can carry hidden bytes).
_UNSEEN = frozenset(
    (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
        *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
    )
)


def clean(text: str, limit: int) -> str:
    """Strip what a reader cannot see and cap the length; line ends stay, blanks are joined.

    Removed: control, ANSI escape, zero-width, bidirectional, tag and private-use characters, lone
    surrogates, variation selectors. A cut text ends in an ellipsis and is at most *limit* long.
    """
    # A little more than the limit is looked at, so that stripping cannot be made slow.
    head = _ANSI.sub("", text[: 4 * limit + 256]).replace("\r\n", "\n").replace("\r", "\n")
    seen = "".join(character for character in head if _visible(character))
    joined = _BLANKS.sub(" ", seen).strip()
    if len(joined) <= limit and len(text) <= 4 * limit + 256:
        return joined
    return joined[: max(limit - 1, 0)].rstrip() + "…" if limit > 0 else ""


def _visible(character: str) -> bool:
    if character in "\n\t ":
        return True
    code = ord(character)
    # Cc control, Cf format (zero-width, bidirectional, tags), Cs surrogates, Co private use, Cn
    # unassigned, Zl and Zp line separators.
    return code not in _UNSEEN and unicodedata.category(character) not in {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    }


def line(text: str, limit: int) -> str:
    """Clean *text* and put it on one line."""
    return clean(text[: 4 * limit + 256].replace("\r", " ").replace("\n", " "), limit)


def told(error: BaseException, limit: int) -> str:
    """Put an error of somebody else's making on one line that may be stored, logged and told."""
    # Masked before it is cut: of a secret cut in two, the first half would not be known as one.
    text = mask_secrets(line(f"{type(error).__name__}: {error}", 4 * limit))
    return line(text, limit)


def clean_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Clean names and values of labels or annotations, secrets masked; a bounded number of them."""
    cleaned: dict[str, str] = {}
    for name, value in list(labels.items())[:MOST_LABELS]:
        kept = line(str(name), LONGEST_LABEL_NAME)
        if kept:
            cleaned[kept] = mask_secrets(line(str(value), LONGEST_LABEL_VALUE))
    return cleaned


_WORD = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_ENTROPY_BITS = 4.0
_MANY_BITS = 4.6
_PLAIN = re.compile(r"[a-z]+(?:[_-][a-z]+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")


def mask_secrets(text: str) -> str:
    """Put a stable placeholder in the place of whatever looks like a secret.

    Known forms first, then words of 24 characters or more with over 4 bits of entropy a character
    that mix letters and digits. The same secret always gets the same placeholder, so that two
    mentions can be told to be one.
    """
    for kind, pattern in KNOWN:
        text = _mask_known(kind, pattern, text)
    text = COOKIES.sub(lambda found: found[1] + COOKIE.sub(_mask_second, found[2]), text)
    for pattern in BESIDE:
        text = pattern.sub(_mask_second, text)
    return _WORD.sub(_mask_word, text)


def _mask_second(found: re.Match[str]) -> str:
    return found[1] + _placeholder("assigned", found[2])


def _mask_known(kind: str, pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: _placeholder(kind, found.group()), text)


def _mask_word(found: re.Match[str]) -> str:
    word = found.group()
    digits = sum(character.isdigit() for character in word)
    letters = sum(character.isalpha() for character in word)
    if digits < 2 or letters < 4 or _PLAIN.fullmatch(word) or _entropy(word) < _ENTROPY_BITS:
        return word
    # A path or a metric name is made of short parts or of numbers; a secret has one long part.
    parts = [part for part in re.split(r"[/_=-]", word) if not _PLAIN.fullmatch(part)]
    least = 10 if _entropy(word) >= _MANY_BITS and word.lower() != word else 16
    if max(map(len, parts), default=0) < least:
        return word
    return _placeholder("secret", word)


def _entropy(word: str) -> float:
    counts = Counter(word).values()
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts)


def _placeholder(kind: str, value: str) -> str:
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=3).hexdigest()
    return f"<{kind}#{digest}>"
