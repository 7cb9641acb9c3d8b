"""The file of `--web.config.file`: TLS, users and headers, in the exporter toolkit's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator, Field

from toolkit.problem import ConfigError, Problem, fault
from toolkit.settings import Settings, load
from toolkit.tls import TlsSettings, context

log = structlog.get_logger(__name__)

_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")

HeaderName = Literal[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
]


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise fault("a header holds a line end or control character", "remove it")
    return value


def _bcrypt(value: str) -> str:
    if not _BCRYPT.fullmatch(value):
        raise fault("not a bcrypt hash", "make one with `htpasswd -nBC 10 USER`")
    return value


class HttpSettings(Settings):
    """`http_server_config`: headers of every answer; HTTP/1.1 is served whatever `http2` says."""

    http2: bool = True
    headers: dict[HeaderName, Annotated[str, AfterValidator(_one_line)]] = Field(default={})


class WebSettings(Settings):
    """The whole file; every part may be left out."""

    tls_server_config: TlsSettings | None = None
    http_server_config: HttpSettings = HttpSettings()
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt)]] = Field(
        default={}, repr=False
    )


class WebConfig:
    """The web file as it is now: read again when it changes, the last good one when it is broken.

    Whether TLS is spoken is settled at the start; certificates, users and headers follow the file.
    """

    def __init__(
        self, path: Path | None, environ: Mapping[str, str], settings: WebSettings
    ) -> None:
        """Keep what `load_web_config` read."""
        self._path = path
        self._environ = environ
        self._settings = settings
        self._seen = _fingerprint(path)

    @property
    def settings(self) -> WebSettings:
        """The settings of the file as it is now."""
        now = _fingerprint(self._path)
        if self._path is not None and now != self._seen:
            self._seen = now
            try:
                self._settings = _read(self._path, self._environ)
            except ConfigError as error:
                log.warning("web configuration kept, the file is broken", error=str(error))
        return self._settings


def _fingerprint(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def load_web_config(path: Path | None, environ: Mapping[str, str]) -> WebConfig:
    """Read the file of `--web.config.file`; None means no TLS and no users.

    Raises ConfigError, also when a certificate or key cannot be used.
    """
    return WebConfig(path, environ, _read(path, environ) if path else WebSettings())


def _read(path: Path, environ: Mapping[str, str]) -> WebSettings:
    settings = load(path, WebSettings, environ=environ)
    if settings.tls_server_config:
        try:
            context(settings.tls_server_config)
        except OSError as error:
            problem = Problem(
                place=str(path),
                path="tls_server_config",
                problem=f"certificate, key or client CA cannot be used ({error})",
                remedy="check the files",
            )
            raise ConfigError([problem]) from None
    return settings
