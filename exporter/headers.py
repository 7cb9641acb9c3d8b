"""Request headers as the configuration gives them, and which of them hold a credential."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Tag

from toolkit.secrets import Secret

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CREDENTIAL = re.compile(r"auth|cookie|key|token|secret|password|credential", re.IGNORECASE)
_OURS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})


def _form(value: Any) -> str:
    return "secret" if isinstance(value, Mapping | Secret) else "text"


def _check(value: Mapping[str, str | Secret]) -> Mapping[str, str | Secret]:
    for name, given in value.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name; see RFC 9110, section 5.1")
        if _CONTROL.search(_text(given)):
            raise ValueError(f"the value of {name!r} has control characters; remove them")
        if name.lower() in _OURS:
            raise ValueError(f"{name!r} is set by the program; use `auth`, `url` or `body`")
    return value


_Value = Annotated[
    Annotated[str, Tag("text")] | Annotated[Secret, Tag("secret")], Discriminator(_form)
]
Headers = Annotated[Mapping[str, _Value], AfterValidator(_check)]
"""Values by name; one may be a secret, in its YAML form."""


def revealed(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Return the values to send, secrets read anew; raises SecretError."""
    return {name: _text(value) for name, value in headers.items()}


def confidential(headers: Mapping[str, str | Secret]) -> Mapping[str, str | Secret]:
    """Return the headers that are secrets, or are named like credentials although in the file."""
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, Secret) or _CREDENTIAL.search(name)
    }


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
