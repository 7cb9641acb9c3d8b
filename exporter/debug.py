"""A run to /probe as text for people: what was sent, what came and when, what was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.excerpt import MASK, clean, mask, secrets_of
from exporter.on_demand import Answer, OnDemand
from exporter.target import Exchange
from exporter.transport import Request

_BODY_CHARACTERS: Final = 20_000
_MOST_CHUNKS: Final = 200
_SHOWN_HEADERS: Final = frozenset(
    {"content-type", "content-length", "content-encoding", "server", "date", "retry-after"}
    | {"location", "transfer-encoding", "connection", "via", "last-modified"}
)


def text(request: OnDemand, answer: Answer) -> str:
    """Return all of a run, secrets masked; so are headers that may hold one, ours and theirs."""
    lines = [*_run(request, answer)]
    for said in answer.said:
        lines += ["", *_sent(said.request), "", *_came(said.exchange)]
    lines += ["", "# Metrics that would have been returned", answer.exposition.decode()]
    lines += ["# The module", request.target.model_dump_json(indent=2, exclude_unset=True), ""]
    return mask("\n".join(lines), secrets_of(request.target))


def _run(request: OnDemand, answer: Answer) -> Iterator[str]:
    made = answer.made
    yield "# The run"
    yield f"target: {request.target.url}"
    yield f"hostname: {request.hostname or '-'}"
    yield f"timeout: {request.target.timeout_seconds:g} s"
    yield f"canary: {request.question.canary or '-'}"
    yield f"reason: {made.reason or '-'}"
    yield f"detail: {clean(made.detail) or '-'}"
    for result in made.checks:
        held = "held" if result.passed else f"not held ({clean(result.detail)})"
        yield f"check {result.check}: {held}"


def _sent(request: Request) -> Iterator[str]:
    yield "# The request"
    yield f"{request.method or 'connection to'} {clean(request.url, 2000)}"
    for name, value in request.headers.items():
        yield f"{name}: {MASK if name.lower() in request.private - {'host'} else clean(value)}"
    if request.body:
        yield from _body(request.body)


def _came(exchange: Exchange) -> Iterator[str]:
    peer = exchange.peer
    yield "# The exchange"
    yield f"address: {peer.address or '-'}"
    if peer.tls_version:
        yield f"tls: {peer.tls_version} {peer.tls_cipher}"
    if peer.certificate is not None:
        yield f"certificate: {clean(peer.certificate.subject)}, {_ends(exchange)}"
    if exchange.redirects:
        yield f"redirects: {exchange.redirects}, the last one's answer follows"
    yield f"status: {exchange.status or '-'}"
    yield f"version: {exchange.http_version or '-'}"
    for phase, seconds in exchange.times.phases().items():
        yield f"{phase}: {seconds:.6f} s"
    for name, value in exchange.headers.items():
        shown = value if name in _SHOWN_HEADERS else f"({len(value)} characters)"
        yield f"{clean(name, 100)}: {clean(shown)}"
    yield from _chunks(exchange)
    yield ""
    yield from _body(exchange.body)


def _ends(exchange: Exchange) -> str:
    seconds = exchange.certificate_expiry_timestamp_seconds
    return f"ends at {seconds:.0f} unix time" if seconds is not None else "end unknown"


def _chunks(exchange: Exchange) -> Iterator[str]:
    """Tell when each piece came, in seconds after the beginning."""
    for chunk in exchange.chunks[:_MOST_CHUNKS]:
        yield f"after {chunk.at - exchange.times.begin:.6f} s: {len(chunk.data)} bytes"
    if len(exchange.chunks) > _MOST_CHUNKS:
        yield f"and {len(exchange.chunks) - _MOST_CHUNKS} pieces more"


def _body(data: bytes) -> Iterator[str]:
    yield f"# The body, {len(data)} bytes"
    yield clean(data[: _BODY_CHARACTERS * 4].decode("utf-8", "replace"), _BODY_CHARACTERS)
