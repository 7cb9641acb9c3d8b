"""Text from outside made fit to store and show: unseen characters stripped, secrets masked."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

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


# Known forms, the longest first where one is part of another. Sources: the vendors' own
# descriptions of their keys; RFC 7519 (JWT), RFC 7468 (PEM), RFC 3986 (user information).
_KNOWN = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "private-key",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        ),
        ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
        ("aws-key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
        ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{16,}"),
        ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"),
        ("slack-webhook", r"https://hooks\.slack\.com/[A-Za-z]+/[A-Za-z0-9/_-]+"),
        ("google-key", r"\bAIza[A-Za-z0-9_-]{30,}"),
        ("huggingface-token", r"\bhf_[A-Za-z0-9]{20,}"),
        ("api-key", r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}"),
        ("url-password", r"(?<=://)[^\s:/@?#<>]{1,256}:[^\s/@?#<>]{1,256}(?=@)"),
        ("authorization", r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}"),
        ("authorization", r"(?i)(?<=\bbasic )[A-Za-z0-9+/]{8,}={0,2}"),
    )
)
_ASSIGNED = re.compile(
    r"(?i)((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)"
    r"[\"']?\s{0,4}[=:]\s{0,4}[\"']?)(?!<|\d+\b)([^\s\"',;&<>]{4,})"
)
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_ENTROPY_BITS = 4.0
_PLAIN = re.compile(r"[a-z]+(?:[_-][a-z]+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")


def mask_secrets(text: str) -> str:
    """Put a stable placeholder in the place of whatever looks like a secret.

    Known forms first, then words of 24 characters or more with over 4 bits of entropy a character
    that mix letters and digits. The same secret always gets the same placeholder, so that two
    mentions can be told to be one.
    """
    for kind, pattern in _KNOWN:
        text = _mask_known(kind, pattern, text)
    text = _ASSIGNED.sub(lambda found: found[1] + _placeholder("assigned", found[2]), text)
    return _WORD.sub(_mask_word, text)


def _mask_known(kind: str, pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: _placeholder(kind, found.group()), text)


def _mask_word(found: re.Match[str]) -> str:
    word = found.group()
    digits = sum(character.isdigit() for character in word)
    letters = sum(character.isalpha() for character in word)
    if digits < 2 or letters < 4 or _PLAIN.fullmatch(word) or _entropy(word) < _ENTROPY_BITS:
        return word
    # A path or a metric name is made of short parts; a secret is one long part.
    if max(len(part) for part in re.split(r"[/_=-]", word)) < 16:
        return word
    return _placeholder("secret", word)


def _entropy(word: str) -> float:
    counts = Counter(word).values()
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts)


def _placeholder(kind: str, value: str) -> str:
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=3).hexdigest()
    return f"<{kind}#{digest}>"
