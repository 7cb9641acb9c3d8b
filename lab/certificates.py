"""A certificate authority of the lab's own, and server certificates that it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_FILE = "ca.pem"
_CA_KEY_FILE = "ca-key.pem"
_SERVER_FILE = "server.pem"
_CA_DAYS = 730
_LASTS_DAYS = 365
_SKEW = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """The lab's own authority, kept in a folder."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put the file in its place at once, so that no reader sees half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=mode)
    fresh.write_bytes(data)
    fresh.replace(path)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def open_authority(folder: Path, now: dt.datetime) -> Authority:
    """Return the authority kept in this folder, made anew when there is none that lasts.

    `now` is aware, in UTC. The authority's certificate is `ca.pem`; its key is readable by its
    owner alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        certificate = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
        key = serialization.load_pem_private_key((folder / _CA_KEY_FILE).read_bytes(), None)
    except (OSError, ValueError):
        return _make_authority(folder, now)
    lasts = certificate.not_valid_after_utc - now > dt.timedelta(days=_LASTS_DAYS)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not lasts:
        return _make_authority(folder, now)
    return Authority(folder=folder, certificate=certificate, key=key)


def _make_authority(folder: Path, now: dt.datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Lab CA")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / _CA_KEY_FILE, _key_pem(key), 0o600)
    _write(folder / CA_FILE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return Authority(folder=folder, certificate=certificate, key=key)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def issue(
    authority: Authority, hosts: Sequence[str], now: dt.datetime, days: float
) -> tuple[bytes, dt.datetime]:
    """Return a server's key and certificate as one PEM, and when the certificate ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    ends = (now + dt.timedelta(days=days)).replace(microsecond=0)
    signer = authority.key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(hosts[0]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(map(_alternative, hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM), ends


def swap(context: ssl.SSLContext, authority: Authority, pem: bytes) -> None:
    """Serve this key and certificate from the next handshake on."""
    path = authority.folder / _SERVER_FILE
    _write(path, pem, 0o600)
    context.load_cert_chain(path)
