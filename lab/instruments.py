"""The metrics that each component of the lab keeps, and the page that shows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 10, 30)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
CLIENT_GONE = 499  # nginx's code for a client that closed before its answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruments:
    """One component's registry and the families that all components share."""

    registry: CollectorRegistry
    requests: Counter
    durations: Histogram
    in_flight: Gauge
    upstream_requests: Counter
    upstream_durations: Histogram


def build(version: str) -> Instruments:
    """Return fresh instruments of a component of this version."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    info = Gauge("build_info", "The version that runs; always 1.", ["version"], registry=registry)
    info.labels(version).set(1)
    return Instruments(
        registry=registry,
        requests=Counter(
            "http_requests_total",
            "Requests that have ended, by route, method and status code.",
            ["handler", "method", "code"],
            registry=registry,
        ),
        durations=Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ["handler"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        ),
        in_flight=Gauge(
            "http_requests_in_flight", "Requests being answered now.", registry=registry
        ),
        upstream_requests=Counter(
            "upstream_requests_total",
            "Requests sent to a peer, by its status code, or `error` or `timeout` without one.",
            ["peer", "code"],
            registry=registry,
        ),
        upstream_durations=Histogram(
            "upstream_request_duration_seconds",
            "Time from sending a request to a peer to the end of its answer.",
            ["peer"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        ),
    )


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


def measured(instruments: Instruments) -> Middleware:
    """Return the middleware that counts and times each request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        code = 500
        instruments.in_flight.inc()
        try:
            response = await handler(request)
            code = response.status
        except (asyncio.CancelledError, ConnectionResetError):
            code = CLIENT_GONE
            raise
        else:
            return response
        finally:
            instruments.in_flight.dec()
            route = _route(request)
            method = request.method if request.method in _METHODS else "other"
            instruments.requests.labels(route, method, str(code)).inc()
            instruments.durations.labels(route).observe(time.perf_counter() - started)

    return middleware


def exposition(instruments: Instruments) -> Handler:
    """Return the handler of /metrics, in the format the scraper asks for first."""

    async def handler(request: web.Request) -> web.StreamResponse:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(
            body=encode(instruments.registry), headers={"Content-Type": content_type}
        )

    return handler


@dataclass(kw_only=True, slots=True)
class Call:
    """One request to a peer under way; `code` is set when its status is known."""

    code: str = field(default="error")


@asynccontextmanager
async def upstream(instruments: Instruments, peer: str) -> AsyncIterator[Call]:
    """Time and count one request to a peer; what is raised inside passes through."""
    call = Call()
    started = time.perf_counter()
    try:
        yield call
    except TimeoutError:
        call.code = "timeout"
        raise
    except asyncio.CancelledError:
        call.code = "cancelled"
        raise
    finally:
        instruments.upstream_requests.labels(peer, call.code).inc()
        instruments.upstream_durations.labels(peer).observe(time.perf_counter() - started)
