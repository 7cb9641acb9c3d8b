"""Outside text made fit to show: nothing invisible, short, and without our secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping

from exporter.access import Auth
from exporter.headers import confidential, revealed
from exporter.target import Target
from toolkit.secrets import Secret, SecretError

EXCERPT_CHARACTERS = 500
MASK = "<secret>"
_READ_CHARACTERS = 4 * EXCERPT_CHARACTERS

# Controls but tab and line feed, zero-width and bidirectional marks, tags, private use, surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\uf8ff\U000e0000-\U0010ffff]"
)
_PLAIN = re.compile("[\t\n -~]*")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")


def clean(text: str, limit: int = EXCERPT_CHARACTERS) -> str:
    """Drop terminal sequences and what cannot be seen, and cut to `limit` characters."""
    head = text[: limit * 4]
    seen = _UNSEEN.sub("", _ESCAPE.sub("", head))
    return _cut(seen, limit)


def mask(text: str, secrets: Collection[str]) -> str:
    """Replace each secret; the longest first, so that none leaves a piece of another."""
    for secret in secrets and sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, MASK)
    return text


def excerpt(text: str, secrets: Collection[str]) -> str:
    """Return the head of an outside text, fit to show.

    Masked before and after cleaning, since what cannot be seen may stand inside a secret, and cut
    last, since a cut one would not be found.
    """
    if not text:
        return ""
    if len(text) <= EXCERPT_CHARACTERS and _PLAIN.fullmatch(text):
        return _cut(mask(text, secrets), EXCERPT_CHARACTERS)  # the usual case; nothing to clean
    head = mask(text[:_READ_CHARACTERS], secrets)
    return _cut(mask(clean(head, _READ_CHARACTERS), secrets), EXCERPT_CHARACTERS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def secrets_of(target: Target) -> tuple[str, ...]:
    """Return the values that must not be shown for a target, but for those that cannot be read.

    A header that is named like a credential counts as one, although it stands in the file.
    """
    headers: Mapping[str, str | Secret] = getattr(target, "headers", {})
    if not headers and target.auth is None:
        return ()
    named = [text for each in confidential(headers).items() for text in _readable(*each)]
    # As it was sent, and as JSON writes it where a module is shown.
    shown = tuple(form for value in named for form in {value, json.dumps(value)[1:-1]})
    if target.auth is None:
        return shown
    try:
        return (*shown, *_values(target.auth))
    except SecretError:
        return shown


def _readable(name: str, value: str | Secret) -> Collection[str]:
    try:
        return revealed({name: value}).values()
    except SecretError:
        return ()


def _values(auth: Auth) -> tuple[str, ...]:
    """Return a token, or a password and the pair in the form that the header carries."""
    if auth.bearer is not None:
        return (auth.bearer.reveal(),)
    if auth.basic is None:
        return ()
    password = auth.basic.password.reveal()
    pair = base64.b64encode(f"{auth.basic.username}:{password}".encode()).decode()
    return (password, pair)
