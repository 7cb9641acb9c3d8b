"""Alertmanager and Prometheus asked what they know of alerts: bounded, and read beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from responder.absence import Listed, Span, alert_labels, fingerprint, spans
from responder.access import Access, AccessError, Reach
from responder.guard import line, mask_secrets
from responder.relabelling import Rewriting, read_rewriting
from responder.routes import Route, UnsureError, read_routes
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.webhook_v4 import UnreadableError, read_delivery

_LARGEST_LIST_BYTES = 64 << 20
_LARGEST_SMALL_BYTES = 8 << 20
# Of all questions together; each has the source's own timeout.
_DEADLINE_SECONDS = 300.0
_SLICE_SECONDS = 900.0
_LEAST_SLICE_SECONDS = 5.0
_TOO_MANY_SAMPLES = 422
_NOT_OFFERED = frozenset({403, 404, 405, 501})
_DEFAULT_INTERVAL_SECONDS = 60.0
_READ_BYTES = 1 << 16
_FIRING = 'ALERTS{alertstate="firing"}'


class SilentError(Exception):
    """A witness gave no answer that can be used; the text says why."""


class LargeError(SilentError):
    """An answer would be larger than is allowed: less should be asked for."""


class ClosedError(SilentError):
    """A witness does not offer this, now or later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Active:
    """What an Alertmanager has now; `tree` is None where its routes are not understood.

    It is partial where they could not be asked just now.
    """

    listed: Mapping[str, Listed]
    tree: Route | None
    problem: str = ""
    is_partial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Fired:
    """What fired by a Prometheus since `start`; `over` is what has ended by `end`.

    `rewriting` is None where what is done to labels is not understood; a `partial` answer proves
    no absence.
    """

    start: float
    end: float
    over: Sequence[Span]
    now: Sequence[Span]
    rewriting: Rewriting | None
    problem: str = ""
    is_partial: bool = False
    fingerprints: Mapping[str, Span] = field(default_factory=dict)


async def ask_alertmanager(
    source: AlertmanagerSource, session: aiohttp.ClientSession, at: float
) -> Active:
    """Ask for all active alerts and for the routes; raises SilentError."""
    limits = _limits(source.timeout, _LARGEST_LIST_BYTES)
    desk = _Desk(source.url, session, await _reach(source), limits)
    raw = await desk.ask("/api/v2/alerts")
    listed = await asyncio.to_thread(_read_list, raw, at)
    try:
        status = await desk.ask("/api/v2/status")
        tree = await asyncio.to_thread(_read_tree, status)
    except (ClosedError, UnsureError) as error:
        return Active(listed=listed, tree=None, problem=str(error))
    except SilentError as error:
        return Active(listed=listed, tree=None, problem=str(error), is_partial=True)
    return Active(listed=listed, tree=tree)


async def ask_prometheus(
    source: PrometheusSource,
    session: aiohttp.ClientSession,
    start: float,
    end: float,
    *,
    slice_seconds: float = _SLICE_SECONDS,
) -> Fired:
    """Ask for what fired between two times, sample by sample; raises SilentError."""
    limits = _limits(source.timeout, source.max_bytes)
    desk = _Desk(source.url, session, await _reach(source), limits)
    rules = await desk.ask("/api/v1/rules?type=alert")
    intervals = await asyncio.to_thread(_intervals, rules)
    found: dict[str, tuple[dict[str, str], list[float]]] = {}
    is_partial = await _sample(desk, start, end, found, slice_seconds)
    rewriting, problem = None, ""
    try:
        raw = await desk.ask("/api/v1/status/config")
        rewriting = await asyncio.to_thread(_read_rewriting, raw)
    except (ClosedError, UnsureError) as error:
        problem = str(error)
    except SilentError as error:
        problem, is_partial = str(error), True
    over, now = await asyncio.to_thread(_told_apart, found.values(), intervals, end)
    return Fired(
        start=start,
        end=end,
        over=over,
        now=now,
        rewriting=rewriting,
        problem=problem,
        is_partial=is_partial,
        fingerprints=await asyncio.to_thread(_fingerprints, now, rewriting),
    )


async def _sample(
    desk: _Desk,
    start: float,
    end: float,
    found: dict[str, tuple[dict[str, str], list[float]]],
    width: float,
) -> bool:
    """Add all samples between two times to *found*; tell whether an answer is partial.

    They are asked for in slices, which are halved while the answer to one is too large.
    """
    is_partial, until = False, end
    while until > start:
        width = min(width, max(until - start, 1.0))
        asked = {"query": f"{_FIRING}[{width * 1000:.0f}ms]", "time": f"{until:.3f}"}
        try:
            raw = await desk.ask(f"/api/v1/query?{urlencode(asked)}")
        except LargeError:
            if width <= _LEAST_SLICE_SECONDS:
                raise
            width /= 2
            continue
        is_partial |= await asyncio.to_thread(_gather, raw, found)
        until -= width
    return is_partial


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limits:
    until: float
    each_seconds: float
    most_bytes: int


def _limits(each_seconds: float, most_bytes: int) -> _Limits:
    until = asyncio.get_running_loop().time() + _DEADLINE_SECONDS
    return _Limits(until=until, each_seconds=each_seconds, most_bytes=most_bytes)


class _Desk:
    """One server, asked with a deadline for each question and one for all of them."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        reach: Reach,
        limits: _Limits,
    ) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._reach = reach
        self._limits = limits

    async def ask(self, path: str) -> bytes:
        """Give the body of a 200; raises SilentError."""
        try:
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout_at(min(now + self._limits.each_seconds, self._limits.until)):
                return await self._exchange(path)
        except TimeoutError:
            problem = "no answer within the deadline"
        except (aiohttp.ClientError, OSError) as error:
            problem = type(error).__name__
        where = path.partition("?")[0]
        raise SilentError(f"{where}: {mask_secrets(line(problem, 200))}") from None

    async def _exchange(self, path: str) -> bytes:
        async with self._session.get(
            self._url + path,
            headers=self._reach.headers,
            ssl=self._reach.tls,
            allow_redirects=False,
        ) as response:
            where = path.partition("?")[0]
            if response.status in _NOT_OFFERED:
                raise ClosedError(f"{where}: answered {response.status}")
            if response.status == _TOO_MANY_SAMPLES:
                raise LargeError(f"{where}: more samples than a query may load")
            if response.status != 200:
                raise SilentError(f"{where}: answered {response.status}")
            read = bytearray()
            while chunk := await response.content.read(_READ_BYTES):
                read += chunk
                if len(read) > self._limits.most_bytes:
                    raise LargeError(f"{where}: more than {self._limits.most_bytes} bytes")
            return bytes(read)


async def _reach(source: Access) -> Reach:
    try:
        return await source.reach()
    except AccessError as error:
        raise SilentError(str(error)) from None


def _read_list(raw: bytes, at: float) -> Mapping[str, Listed]:
    """Read the list by the reader of the webhook, whose alerts have the same fields."""
    entries = _json(raw)
    if not isinstance(entries, list):
        raise SilentError("/api/v2/alerts: not a list")
    by_fingerprint = {str(each["fingerprint"]): each for each in entries if _is_alert(each)}
    firing = [{**each, "status": "firing"} for each in by_fingerprint.values()]
    try:
        delivery = read_delivery(orjson.dumps({"alerts": firing}), at).delivery
    except UnreadableError as error:
        raise SilentError(f"/api/v2/alerts: {error}") from None
    found = {}
    for alert in delivery.alerts:
        entry = by_fingerprint[alert.fingerprint]
        names = frozenset(str(each["name"]) for each in entry["receivers"])
        held = bool(entry["status"].get("mutedBy")) or entry["status"]["state"] == "suppressed"
        found[alert.fingerprint] = Listed(alert=alert, entry=entry, receivers=names, is_held=held)
    return found


def _is_alert(entry: Any) -> bool:
    try:
        names = [each["name"] for each in entry["receivers"]]
        return bool(entry["fingerprint"] and entry["status"]["state"] and names)
    except (KeyError, TypeError):
        return False


def _read_tree(raw: bytes) -> Route:
    try:
        return read_routes(str(_json(raw)["config"]["original"]))
    except (KeyError, TypeError):
        raise UnsureError("/api/v2/status: without a configuration") from None


def _read_rewriting(raw: bytes) -> Rewriting:
    try:
        return read_rewriting(str(_json(raw)["data"]["yaml"]))
    except (KeyError, TypeError):
        raise UnsureError("/api/v1/status/config: without a configuration") from None


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise SilentError("not JSON") from None


def _intervals(raw: bytes) -> Mapping[str, float]:
    """Give how often each alert is evaluated, the longest where several rules bear its name."""
    found: dict[str, float] = {}
    try:
        for group in _json(raw)["data"]["groups"]:
            for rule in group["rules"]:
                name, interval = str(rule["name"]), float(group["interval"])
                found[name] = max(found.get(name, 0.0), interval)
    except (KeyError, TypeError, ValueError):
        raise SilentError("/api/v1/rules: not of the API's shape") from None
    return found


def _gather(raw: bytes, found: dict[str, tuple[dict[str, str], list[float]]]) -> bool:
    """Add the samples of an answer to *found*, by series; tell whether the answer is partial."""
    body = _json(raw)
    try:
        for series in body["data"]["result"]:
            labels = alert_labels({str(n): str(v) for n, v in series["metric"].items()})
            key = orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode()
            samples = found.setdefault(key, (labels, []))[1]
            samples += [float(at) for at, _ in series["values"]]
        return bool(body.get("warnings"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SilentError("/api/v1/query: not of the API's shape") from None


def _told_apart(
    found: Any, intervals: Mapping[str, float], end: float
) -> tuple[Sequence[Span], Sequence[Span]]:
    """Give what is over, and what still fires."""
    over: list[Span] = []
    now: list[Span] = []
    for labels, samples in found:
        interval = intervals.get(labels.get("alertname", ""), _DEFAULT_INTERVAL_SECONDS)
        for span in spans(labels, samples, interval):
            # Its next sample may only be late.
            (now if span.ends_at + 2 * interval > end else over).append(span)
    return over, now


def _fingerprints(now: Sequence[Span], rewriting: Rewriting | None) -> Mapping[str, Span]:
    found = {}
    for span in now if rewriting else ():
        try:
            labels = rewriting.apply(span.labels) if rewriting else None
        except UnsureError:
            continue
        if labels is not None:
            found[fingerprint(labels)] = span
    return found
