"""One run under the names that blackbox_exporter gives to what it probes over HTTP and TCP."""

from __future__ import annotations

import email.utils
import ipaddress
from collections.abc import Mapping
from typing import Final

from exporter.blackbox.ciphers import suite_name, version_name
from exporter.excerpt import clean
from exporter.metrics import Family, Sample
from exporter.peer import Certificate, Peer
from exporter.run import Run
from exporter.target import Exchange, Reason

Samples = Mapping[Family, list[Sample]]

PHASES: Final = ("resolve", "connect", "tls", "processing", "transfer")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BODILESS: Final = frozenset({204, 304})
_BY_PATTERN: Final = frozenset({"regex", "not_regex", "header"})
_LABEL_CHARACTERS: Final = 1000
_OFFSET_BASIS: Final = 2_166_136_261
_PRIME: Final = 16_777_619


def gauge(name: str, text: str, *labels: str) -> Family:
    """Describe a gauge; an answer of /probe holds nothing else."""
    return Family(name=name, kind="gauge", help=text, labels=labels)


SUCCESS = gauge("probe_success", "Whether the run brought a right answer, be it over a limit.")
DURATION = gauge("probe_duration_seconds", "How long the run took.")
TIMEOUT = gauge("probe_timeout_seconds", "How long the run might take.")
LOOKUP = gauge("probe_dns_lookup_time_seconds", "How long resolving the name took.")
PROTOCOL = gauge("probe_ip_protocol", "4 or 6 for IPv4 or IPv6; 0 where no address was found.")
ADDRESS = gauge("probe_ip_addr_hash", "FNV-1a hash of the address, to see it change.")
PATTERN = gauge("probe_failed_due_to_regex", "Whether a pattern decided against the answer.")
BYTES = gauge("probe_failed_due_to_bytes", "Whether expected bytes did not come; never, here.")
PHASE = gauge("probe_http_duration_seconds", "Duration of each phase, redirects included.", "phase")
STATUS = gauge("probe_http_status_code", "Status of the response, 0 when there was none.")
LENGTH = gauge("probe_http_content_length", "Length that the response declared, -1 for none.")
BODY = gauge("probe_http_uncompressed_body_length", "Length of the body, decoded, in bytes.")
REDIRECTS = gauge("probe_http_redirects", "Redirects that came, followed or not.")
ENCRYPTED = gauge("probe_http_ssl", "Whether the last response came over TLS.")
VERSION = gauge("probe_http_version", "Version of HTTP that the response had, 0 for none.")
MODIFIED = gauge("probe_http_last_modified_timestamp_seconds", "Last-Modified, in unix time.")
EXPIRY = gauge(
    "probe_ssl_earliest_cert_expiry", "When the first of the certificates sent expires, unix time."
)
CHAIN_EXPIRY = gauge(
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "When the first certificate of the chain that is trusted expires, in unix time.",
)
CHAIN = gauge(
    "probe_ssl_last_chain_info",
    "Always 1; the server's own certificate.",
    *("fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"),
)
TLS = gauge("probe_tls_version_info", "Always 1; the version of TLS.", "version")
CIPHER = gauge("probe_tls_cipher_info", "Always 1; the cipher suite.", "cipher")


def named(
    made: Run, *, duration_seconds: float, timeout_seconds: float, over_http: bool
) -> Samples:
    """Tell of a run in blackbox_exporter's terms, those of its prober http or tcp."""
    whole: Samples = {
        SUCCESS: one(made.reason is None),
        DURATION: one(duration_seconds),
        TIMEOUT: one(timeout_seconds),
    }
    exchange = made.exchange
    place = {**whole, **_place(exchange)}
    return {**place, **(_http(made, exchange) if over_http else _tcp(made, exchange))}


def one(value: float | None) -> list[Sample]:
    """Return the sample of a family without labels; none for None."""
    return [] if value is None else [Sample(value=value)]


def each(label: str, values: Mapping[str, float | None]) -> list[Sample]:
    """Return a sample for each of the label's values that has a value."""
    return [
        Sample(value=value, labels=((label, name),))
        for name, value in values.items()
        if value is not None
    ]


def _place(exchange: Exchange | None) -> Samples:
    address = _read_address(exchange)
    return {
        LOOKUP: one(_phases(exchange)["resolve"]),
        PROTOCOL: one(address.version if address else 0),
        ADDRESS: one(_fnv1a(address.packed) if address else 0),
    }


def _read_address(
    exchange: Exchange | None,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(exchange.peer.address if exchange else "")
    except ValueError:
        return None


def _fnv1a(data: bytes) -> int:
    """Hash as http://www.isthe.com/chongo/tech/comp/fnv says, in 32 bits."""
    value = _OFFSET_BASIS
    for byte in data:
        value = (value ^ byte) * _PRIME % (1 << 32)
    return value


def _phases(exchange: Exchange | None) -> dict[str, float]:
    """Sum the phases over all redirects; what was not reached took no time."""
    total = dict.fromkeys(PHASES, 0.0)
    if exchange is not None:
        for spent in (exchange.redirected, exchange.times.phases()):
            for phase, seconds in spent.items():
                total[phase] = total.get(phase, 0.0) + seconds
    return total


def _tcp(made: Run, exchange: Exchange | None) -> Samples:
    """Tell what the prober tcp tells; an expected line that did not come is a pattern's matter."""
    unmet = made.reason is Reason.WRONG_ANSWER and not made.checks
    told: Samples = {PATTERN: one(unmet or _decided_by_pattern(made)), BYTES: one(0)}
    peer = exchange.peer if exchange else None
    return {**told, **_certificates(peer)} if peer and peer.tls_version else told


def _http(made: Run, exchange: Exchange | None) -> Samples:
    answered = exchange is not None and exchange.status is not None
    told: Samples = {
        PHASE: each("phase", dict(_phases(exchange))),
        STATUS: one((exchange.status or 0) if exchange else 0),
        PATTERN: one(_decided_by_pattern(made)),
        LENGTH: one(0),
        BODY: one(0),
        REDIRECTS: one(exchange.redirects if exchange else 0),
        ENCRYPTED: one(0),
        VERSION: one(0),
    }
    return {**told, **_response(exchange)} if exchange is not None and answered else told


def _response(exchange: Exchange) -> Samples:
    refused = exchange.status in _REDIRECTS and "location" in exchange.headers
    peer = exchange.peer
    told: Samples = {
        LENGTH: one(_declared(exchange)),
        BODY: one(0 if refused else len(exchange.body)),
        REDIRECTS: one(exchange.redirects + refused),
        VERSION: one(_number(exchange.http_version)),
        ENCRYPTED: one(bool(peer.tls_version)),
        MODIFIED: one(_modified(exchange)),
    }
    if not peer.tls_version:
        return told
    cipher = each("cipher", {suite_name(peer.tls_cipher): 1})
    return {**told, **_certificates(peer), CIPHER: cipher}


def _declared(exchange: Exchange) -> int:
    text = exchange.headers.get("content-length", "")
    if exchange.status in _BODILESS:
        return 0
    known = text.isascii() and text.isdigit() and "transfer-encoding" not in exchange.headers
    return int(text[:18]) if known else -1


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _modified(exchange: Exchange) -> float | None:
    try:
        given = exchange.headers.get("last-modified", "")
        return email.utils.parsedate_to_datetime(given).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _certificates(peer: Peer) -> Samples:
    return {
        EXPIRY: one(peer.sent_expiry_timestamp_seconds),
        CHAIN_EXPIRY: one(peer.chain_expiry_timestamp_seconds),
        TLS: each("version", {version_name(peer.tls_version): 1}),
        CHAIN: [] if peer.certificate is None else [_info(peer.certificate)],
    }


def _info(certificate: Certificate) -> Sample:
    values = (
        certificate.fingerprint_sha256,
        certificate.subject,
        certificate.issuer,
        ",".join(certificate.names),
        certificate.serial_number,
    )
    shown = (clean(value, _LABEL_CHARACTERS) for value in values)
    return Sample(value=1, labels=tuple(zip(CHAIN.labels, shown, strict=True)))


def _decided_by_pattern(made: Run) -> bool:
    return any(not result.passed and result.check in _BY_PATTERN for result in made.checks)
