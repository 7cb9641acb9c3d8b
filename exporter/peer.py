"""Who answered: the address, what was agreed on in TLS, and the certificates."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# The attributes that have a short name, in the order that RFC 2253 text is commonly written in.
_ATTRIBUTES: Final = {
    "serialNumber": "SERIALNUMBER",
    "commonName": "CN",
    "postalCode": "POSTALCODE",
    "streetAddress": "STREET",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationalUnitName": "OU",
    "organizationName": "O",
    "countryName": "C",
}
_SPECIAL: Final = frozenset(',+"\\<>;')


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """The server's own certificate; `subject` and `issuer` as RFC 2253 writes them."""

    expiry_timestamp_seconds: float
    fingerprint_sha256: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    serial_number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """The far end of a connection, as far as it is known; the last one after redirects.

    `address` is without its port, and is the one that was tried where none took the connection.
    `tls_version` and `tls_cipher` have OpenSSL's names and are empty without TLS. The first expiry
    is the earliest among the certificates that were sent, the second among those of the chain up
    to the root that is trusted.
    """

    address: str = ""
    tls_version: str = ""
    tls_cipher: str = ""
    certificate: Certificate | None = None
    sent_expiry_timestamp_seconds: float | None = None
    chain_expiry_timestamp_seconds: float | None = None

    @property
    def expiry_timestamp_seconds(self) -> float | None:
        """When the server's own certificate ends."""
        return self.certificate.expiry_timestamp_seconds if self.certificate else None


NO_ONE: Final = Peer()
"""Nobody is known to have answered."""


def peer_of(address: str, tls: ssl.SSLObject | None) -> Peer:
    """Describe who answered; a handshake that did not finish counts as no TLS."""
    version = tls.version() if tls is not None else None
    if tls is None or version is None:
        return Peer(address=address)
    sent = _certificates(tls, "get_unverified_chain")
    chain = _certificates(tls, "get_verified_chain")
    cipher = tls.cipher()
    return Peer(
        address=address,
        tls_version=version,
        tls_cipher=cipher[0] if cipher else "",
        certificate=_described(sent[0], tls) if sent else None,
        sent_expiry_timestamp_seconds=_earliest(sent),
        chain_expiry_timestamp_seconds=_earliest(chain),
    )


def _certificates(tls: ssl.SSLObject, method: str) -> Sequence[Mapping[str, Any]]:
    """Return the certificates of a chain; that they are had so is no promise of Python's.

    ssl.SSLObject tells of the last certificate only; its chains are behind it since Python 3.10.
    """
    inner = getattr(tls, "_sslobj", None)
    try:
        found = getattr(inner, method)() or []
        return [certificate.get_info() for certificate in found]
    except (AttributeError, ValueError):  # ValueError: the handshake did not finish
        return []


def _described(fields: Mapping[str, Any], tls: ssl.SSLObject) -> Certificate:
    raw = tls.getpeercert(binary_form=True) or b""
    names = fields.get("subjectAltName", ())
    return Certificate(
        expiry_timestamp_seconds=_expiry(fields),
        fingerprint_sha256=hashlib.sha256(raw).hexdigest(),
        subject=_name(fields.get("subject", ())),
        issuer=_name(fields.get("issuer", ())),
        names=tuple(str(name) for kind, name in names if kind == "DNS"),
        serial_number=str(fields.get("serialNumber", "")).lower(),
    )


def _earliest(certificates: Iterable[Mapping[str, Any]]) -> float | None:
    return min((_expiry(each) for each in certificates), default=None)


def _expiry(fields: Mapping[str, Any]) -> float:
    return float(ssl.cert_time_to_seconds(str(fields["notAfter"])))


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Write a name in one line; several values of an attribute stand together, with a plus."""
    values: dict[str, list[str]] = {}
    for part in parts:
        for attribute, value in part:
            values.setdefault(attribute, []).append(value)
    known = [(short, values[name]) for name, short in _ATTRIBUTES.items() if name in values]
    other = [(name, each) for name, each in values.items() if name not in _ATTRIBUTES]
    return ",".join(
        "+".join(f"{name}={_escaped(value)}" for value in each) for name, each in known + other
    )


def _escaped(value: str) -> str:
    """Escape as RFC 2253, section 2.4, asks for."""
    text = "".join(f"\\{each}" if each in _SPECIAL else each for each in value)
    if text[:1] in {" ", "#"}:
        text = f"\\{text}"
    return f"{text[:-1]}\\ " if len(text) > 1 and text.endswith(" ") else text
