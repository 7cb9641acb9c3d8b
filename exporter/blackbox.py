"""The metrics of blackbox_exporter's HTTP and TCP probers, so that rules on them go on working.

Names and meanings are those of blackbox_exporter 0.28 (prober/http.go, prober/tcp.go,
prober/utils.go). Its `probe_ssl_last_chain_*` and `probe_tls_cipher_info` are not here.
"""

from __future__ import annotations

import email.utils
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from exporter.address import literal
from exporter.metrics import Family, Sample
from exporter.run import Run
from exporter.target import Exchange, Target

_PHASES = ("resolve", "connect", "tls", "processing", "transfer")
_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619

Samples = Mapping[Family, list[Sample]]


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name=name, kind="gauge", help=text, labels=labels)


_SUCCESS = _gauge("probe_success", "Whether the run brought a right answer, be it over a limit.")
_DURATION = _gauge("probe_duration_seconds", "How long the run took.")
_LOOKUP = _gauge("probe_dns_lookup_time_seconds", "How long the name took to resolve.")
_PROTOCOL = _gauge("probe_ip_protocol", "Version of IP that was used, 4 or 6.")
_HASH = _gauge("probe_ip_addr_hash", "FNV-1a hash of the address that was reached.")
_REGEX = _gauge("probe_failed_due_to_regex", "Whether a pattern was not held.")
_EXPIRY = _gauge("probe_ssl_earliest_cert_expiry", "When the certificate expires, in unix time.")
_TLS = _gauge("probe_tls_version_info", "Always 1; the version of TLS that was used.", "version")
_STATUS = _gauge("probe_http_status_code", "Status of the response, 0 when there was none.")
_PHASE = _gauge("probe_http_duration_seconds", "Duration of the run's phases.", "phase")
_LENGTH = _gauge("probe_http_content_length", "Content-Length of the response, -1 without one.")
_BODY = _gauge("probe_http_uncompressed_body_length", "Bytes of the body, its encoding removed.")
_REDIRECTS = _gauge("probe_http_redirects", "Redirects that were followed.")
_SSL = _gauge("probe_http_ssl", "Whether TLS was used in the end.")
_VERSION = _gauge("probe_http_version", "Version of HTTP that was spoken.")
_MODIFIED = _gauge(
    "probe_http_last_modified_timestamp_seconds", "Last-Modified of the response, in unix time."
)


def samples(target: Target, made: Run) -> Samples:
    """Give the samples of a run: what every prober has, then its protocol's own."""
    exchange = made.exchange
    is_http = urlsplit(target.url or "").scheme in {"http", "https"}
    return {
        _SUCCESS: _one(made.reason is None),
        _DURATION: _one(made.observation.duration_seconds),
        _REGEX: _one(any(each.check == "regex" and not each.passed for each in made.checks)),
        **(_reached(exchange) if exchange is not None else {}),
        **(_http(made, exchange) if is_http else {}),
    }


def _reached(exchange: Exchange) -> Samples:
    address = literal(exchange.address)
    return {
        _LOOKUP: _one(exchange.times.phases().get("resolve", 0.0)),
        _PROTOCOL: _one(address.version if address else 0),
        _HASH: _one(_hashed(address.packed) if address else 0),
        _EXPIRY: _one(exchange.certificate_expiry_timestamp_seconds),
        _TLS: _info("version", exchange.tls_version.replace("TLSv", "TLS ")),
    }


def _http(made: Run, exchange: Exchange | None) -> Samples:
    phases = {} if exchange is None else exchange.times.phases()
    headers = {} if exchange is None else exchange.headers
    return {
        _STATUS: _one(made.observation.status_code or 0),
        _PHASE: [Sample(value=phases.get(p, 0.0), labels=(("phase", p),)) for p in _PHASES],
        _LENGTH: _one(_length(headers.get("content-length", ""))),
        _BODY: _one(0 if exchange is None else sum(len(each.data) for each in exchange.chunks)),
        _REDIRECTS: _one(0 if exchange is None else exchange.redirects),
        _SSL: _one(exchange is not None and bool(exchange.tls_version)),
        _VERSION: _one(_number(exchange.http_version if exchange is not None else "")),
        _MODIFIED: _one(_date(headers.get("last-modified", ""))),
    }


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [Sample(value=value)]


def _info(label: str, text: str) -> list[Sample]:
    return [Sample(value=1, labels=((label, text),))] if text else []


def _length(text: str) -> int:
    return int(text[:18]) if text.isascii() and text.isdigit() else -1


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None


def _hashed(packed: bytes) -> int:
    """Give the 32-bit FNV-1a of an address, an IPv4 one inside IPv6 as IPv4."""
    if len(packed) == 16:
        inner = ipaddress.IPv6Address(packed).ipv4_mapped
        packed = inner.packed if inner else packed
    found = _FNV_OFFSET
    for byte in packed:
        found = ((found ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return found
