"""An address as a person gives it, taken apart: where the server is, and which model is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from exporter.access import url_of
from exporter.survey.signs import Page

# What a person copies from a program or a manual, in place of the server's own address.
_ENDINGS = tuple(
    re.compile(f"(?P<root>/?|/.*?)/{ending}/?")
    for ending in (
        r"(?:openai/)?v1(?:/(?:chat/completions|completions|embeddings|messages))?",
        r"(?:openai/)?v1/models(?:/(?P<model>[^/:]+)(?:/versions/[0-9]+)?(?::[a-z]+)?)?",
        r"v2(?:/models/(?P<model>[^/]+)(?:/versions/[^/]+)?(?:/(?:infer|ready|generate\w*))?)?",
        r"predictions/(?P<model>[^/]+)(?:/[^/]+)?",
        r"invocations",
        r"api/(?:chat|generate|tags|version)",
    )
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The address as given, the server's own, and the model that the address names, if any."""

    given: str
    root: str
    model: str | None = None

    def url(self, page: Page) -> str:
        """Return a page's address; a path under the server's own."""
        if not page.path and not page.beside:
            return self.given
        parts = urlsplit(self.root)
        prefix = "" if page.beside else parts.path.rstrip("/")
        netloc = parts.netloc
        if page.beside:
            host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
            netloc = f"{host}:{self.port + page.beside}"
        return urlunsplit((parts.scheme, netloc, f"{prefix}/{page.path}", "", ""))

    @property
    def port(self) -> int:
        """The server's port."""
        parts = urlsplit(self.root)
        return parts.port or _DEFAULT_PORTS[parts.scheme]

    @property
    def host(self) -> str:
        """The server's host, without brackets."""
        return urlsplit(self.root).hostname or ""


def place_of(url: str) -> Place:
    """Take an address apart; ValueError says why it is none."""
    parts = urlsplit(url_of(url if "://" in url else f"http://{url}"))
    given = urlunsplit(parts)
    for ending in _ENDINGS:
        found = ending.fullmatch(parts.path)
        if found is not None:
            model = found.groupdict().get("model")
            root = urlunsplit((parts.scheme, parts.netloc, found["root"].rstrip("/"), "", ""))
            return Place(given=given, root=root, model=unquote(model) if model else None)
    root = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    return Place(given=given, root=root)
