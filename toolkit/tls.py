"""The server's TLS: at least 1.2, and certificates read again when their files change."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Annotated, Literal, Self

import pydantic
import structlog
from pydantic import AfterValidator

from toolkit.problem import fault
from toolkit.settings import ConfigPath, Settings

log = structlog.get_logger(__name__)

CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Go's names of the suites allowed up to TLS 1.2, and OpenSSL's."""

ClientAuth = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
Version = Literal["TLS12", "TLS13"]
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


def _known_cipher(value: str) -> str:
    if value not in CIPHERS:
        raise fault("not an allowed cipher suite", f"allowed: {', '.join(CIPHERS)}")
    return value


class TlsSettings(Settings):
    """`tls_server_config`: the server's certificate, and which clients are let in."""

    cert_file: ConfigPath
    key_file: ConfigPath
    client_ca_file: ConfigPath | None = None
    client_auth_type: ClientAuth = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(_known_cipher)], ...] = ()
    prefer_server_cipher_suites: bool = True

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        verifies = self.client_auth_type != "NoClientCert"
        if verifies and self.client_ca_file is None:
            raise fault(f"{self.client_auth_type} without client_ca_file", "add client_ca_file")
        if not verifies and (self.client_ca_file or self.client_allowed_sans):
            remedy = "set client_auth_type: RequireAndVerifyClientCert"
            raise fault("clients are described, but not asked for a certificate", remedy)
        if self.min_version > self.max_version:
            raise fault("min_version is above max_version", "lower min_version")
        return self


def context(settings: TlsSettings) -> ssl.SSLContext:
    """Build the server's context; OSError (ssl.SSLError is one) when a file cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = _VERSIONS[settings.min_version]
    made.maximum_version = _VERSIONS[settings.max_version]
    # A resumed session would go on after its client's CA was taken away.
    made.options |= ssl.OP_NO_TICKET
    made.num_tickets = 0
    if settings.cipher_suites:
        made.set_ciphers(":".join(CIPHERS[name] for name in settings.cipher_suites))
    if not settings.prefer_server_cipher_suites:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    # An encrypted key must fail here, not ask on the terminal.
    made.load_cert_chain(settings.cert_file, settings.key_file, password="")
    made.verify_mode = _CLIENTS[settings.client_auth_type]
    if settings.client_ca_file:
        made.load_verify_locations(settings.client_ca_file)
    return made


def reloading(current: Callable[[], TlsSettings | None]) -> ssl.SSLContext | None:
    """Build a context that looks at the files of *current* with each handshake.

    None without TLS. Broken new files are logged, and the last good ones serve on.
    """
    settings = current()
    if settings is None:
        return None
    outer = context(settings)
    kept = _Kept(settings=settings, made=outer)

    def choose(connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
        connection.context = kept.fresh(current())

    outer.sni_callback = choose  # called in every handshake, with or without a server name
    return outer


class _Kept:
    """The last good context and what its files looked like."""

    def __init__(self, *, settings: TlsSettings, made: ssl.SSLContext) -> None:
        self._made = made
        self._seen = _fingerprint(settings)

    def fresh(self, settings: TlsSettings | None) -> ssl.SSLContext:
        if settings is None:
            return self._made
        now = _fingerprint(settings)
        if now != self._seen:
            self._seen = now
            try:
                self._made = context(settings)
            except OSError as error:
                log.warning("TLS files kept, the new ones are broken", error=str(error))
        return self._made


def _fingerprint(settings: TlsSettings) -> tuple[object, ...]:
    seen: list[object] = [settings]
    for path in (settings.cert_file, settings.key_file, settings.client_ca_file):
        try:
            found = path.stat() if path else None
        except OSError:
            found = None
        seen.append(found and (found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(seen)
