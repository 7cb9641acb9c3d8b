"""TLS contexts of the targets' settings, and what a handshake showed."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from exporter.access import Tls
from exporter.target import Reason
from exporter.wire.failure import FailedError


def context_of(tls: Tls | None) -> ssl.SSLContext:
    """Return the context of some settings, kept until one of their files changes.

    Raises FailedError (internal) when a file cannot be read.
    """
    if tls is None:
        return _make(None, None, None, ())
    files = (tls.ca_file, tls.client_cert_file, tls.client_key_file)
    return _make(*files, tuple(_changed(path) for path in files))


def _changed(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _make(
    ca_file: Path | None, cert_file: Path | None, key_file: Path | None, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
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


def expiry_of(tls: ssl.SSLObject | None) -> float | None:
    """Return when the peer's certificate ends, unix seconds; None before the handshake's end."""
    try:
        certificate = tls.getpeercert() if tls else None
    except ValueError:
        return None
    not_after = (certificate or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(str(not_after))) if not_after else None


def handshake_failure(error: ssl.SSLError) -> FailedError:
    """Name a handshake's failure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return FailedError(Reason.TLS, f"certificate: {error.verify_message or 'not valid'}")
    return FailedError(Reason.TLS, "the TLS handshake failed")
