"""A deterministic "model": capitals, sums, and a few words about anything else."""

from __future__ import annotations

import hashlib
import re

# Country: its capital, and the city that people take for it.
CAPITALS = {
    "france": ("Paris", "Lyon"),
    "germany": ("Berlin", "Munich"),
    "spain": ("Madrid", "Barcelona"),
    "italy": ("Rome", "Milan"),
    "portugal": ("Lisbon", "Porto"),
    "switzerland": ("Bern", "Zurich"),
    "turkey": ("Ankara", "Istanbul"),
    "australia": ("Canberra", "Sydney"),
    "canada": ("Ottawa", "Toronto"),
    "brazil": ("Brasilia", "Rio"),
    "japan": ("Tokyo", "Osaka"),
    "india": ("Delhi", "Mumbai"),
    "china": ("Beijing", "Shanghai"),
    "morocco": ("Rabat", "Casablanca"),
    "kenya": ("Nairobi", "Mombasa"),
    "egypt": ("Cairo", "Alexandria"),
    "norway": ("Oslo", "Bergen"),
    "poland": ("Warsaw", "Krakow"),
    "austria": ("Vienna", "Salzburg"),
    "greece": ("Athens", "Thessaloniki"),
}
_CAPITAL = re.compile(r"\bcapital of (?:the )?([a-z]{3,20})\b", re.IGNORECASE)
_SUM = re.compile(r"(\d{1,9})\s*(\+|plus|-|minus|\*|times)\s*(\d{1,9})", re.IGNORECASE)
_WORDS = [
    "and",
    "in",
    "the",
    "end",
    "one",
    "finds",
    "that",
    "a",
    "careful",
    "look",
    "at",
    "what",
    "was",
    "asked",
    "shows",
    "more",
    "than",
    "it",
    "seemed",
    "to",
    "hold",
    "when",
    "the",
    "question",
    "first",
    "came",
    "up",
    "on",
    "that",
    "quiet",
    "day",
]
_BRIEF = re.compile(r"\b(one|single) (word|number)\b", re.IGNORECASE)
PROMPT_READ_CHARS = 4096


def _capital(country: str, *, wrong: bool, brief: bool) -> str | None:
    known = CAPITALS.get(country.lower())
    if known is None:
        return None
    city = known[1] if wrong else known[0]
    if brief:
        return city
    return f"The capital of {country.title()} is {city}, and it has been so for a very long time."


def _sum(left: int, sign: str, right: int, *, wrong: bool, brief: bool) -> str:
    result = {"+": left + right, "-": left - right, "*": left * right}[sign]
    result += 1 if wrong else 0
    if brief:
        return str(result)
    return f"The answer is {result}, as you can check by working it out once more by hand."


def _talk(prompt: str, *, wrong: bool) -> str:
    seen = " ".join(prompt.split())[:200]
    digest = hashlib.blake2b(f"{wrong}{seen}".encode(), digest_size=2).digest()
    start = digest[0] % len(_WORDS)
    filler = (_WORDS[start:] + _WORDS)[: 6 + digest[1] % 12]
    words = [re.sub(r"[^\w'-]", "", word) for word in seen.split()[:3]]
    if wrong:
        words = [word[::-1] for word in words]
    return " ".join(["You", "said", *filter(None, words), *filler]) + "."


def answer(prompt: str, *, wrong: bool = False) -> tuple[str, ...]:
    """Return the answer as tokens; joined they are the text. `wrong` makes it plausibly false."""
    read = prompt[-PROMPT_READ_CHARS:]
    brief = _BRIEF.search(read) is not None
    text = None
    if found := _CAPITAL.search(read):
        text = _capital(found[1], wrong=wrong, brief=brief)
    elif found := _SUM.search(read):
        sign = {"plus": "+", "minus": "-", "times": "*"}.get(found[2].lower(), found[2])
        text = _sum(int(found[1]), sign, int(found[3]), wrong=wrong, brief=brief)
    return tokens(text or _talk(read, wrong=wrong))


def tokens(text: str) -> tuple[str, ...]:
    """Cut a text into tokens, a word with the space before it each."""
    return tuple(re.findall(r"\s*\S+", text))
