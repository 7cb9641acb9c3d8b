"""TLS contexts of the targets' settings, and why a handshake failed."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from exporter.access import Tls
from exporter.target import Reason
from exporter.wire.failure import FailedError


def context_of(tls: Tls | None, *, protocol: str = "http/1.1") -> ssl.SSLContext:
    """Return the context of some settings, kept until one of their files changes.

    `protocol` is offered by its name in ALPN, none when it is empty. Raises FailedError (internal)
    when a file cannot be read.
    """
    if tls is None:
        return _make(None, None, None, (), protocol)
    files = (tls.ca_file, tls.client_cert_file, tls.client_key_file)
    return _make(*files, tuple(_changed(path) for path in files), protocol)


def _changed(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _make(
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    _changed: tuple[int, ...],
    protocol: str,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if protocol:
        context.set_alpn_protocols([protocol])
    try:
        if ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise _unreadable("tls.ca_file", error) from error
    if cert_file is not None:
        try:
            # The empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(cert_file, key_file, password="")
        except OSError as error:
            raise _unreadable("tls.client_cert_file", error) from error
    return context


def _unreadable(name: str, error: OSError) -> FailedError:
    return FailedError(Reason.INTERNAL, f"{name} cannot be read ({error.strerror})")


def handshake_failure(error: ssl.SSLError) -> FailedError:
    """Name a handshake's failure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return FailedError(Reason.TLS, f"certificate: {error.verify_message or 'not valid'}")
    return FailedError(Reason.TLS, "the TLS handshake failed")
