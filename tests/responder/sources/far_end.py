"""A small real server that answers as Prometheus, Alertmanager or the exporter would, or fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

from responder.alert import Alert, AlertStatus, Episode
from responder.incident import Incident, IncidentState
from responder.investigation.evidence import Window
from responder.investigation.sharing import Moment
from responder.source import Question, Topology

NOW = 1_700_000_000.0
Answer = Callable[[Mapping[str, str]], Any]


@dataclass(kw_only=True, slots=True)
class FarEnd:
    """Answers by path; what is no mapping's entry is 404. `asked` keeps each question."""

    answers: Mapping[str, Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        form = {k: str(v) for k, v in (await request.post()).items()}
        asked = {**dict(request.query), **form}
        self.asked.append((request.path, asked))
        self.headers.append(dict(request.headers))
        if request.path not in self.answers:
            return web.Response(status=404, text="not here")
        answer = self.answers[request.path](asked)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response(answer)


async def hang(_: Any = None) -> web.Response:
    """Answer after an hour."""
    await asyncio.sleep(3600)
    return web.Response()


def success(data: Any, **more: Any) -> dict[str, Any]:
    """Wrap data as Prometheus does."""
    return {"status": "success", "data": data, **more}


def vector(*samples: tuple[Mapping[str, str], float]) -> dict[str, Any]:
    """Make an instant vector."""
    result = [{"metric": dict(m), "value": [NOW, str(v)]} for m, v in samples]
    return success({"resultType": "vector", "result": result})


def question(
    session: aiohttp.ClientSession,
    *,
    labels: Mapping[str, str] | None = None,
    deadline_seconds: float = 5.0,
    topology: Topology | None = None,
    moment: Moment | None = None,
) -> Question:
    """Ask about an incident of one alert that fired a minute ago."""
    return Question(
        incident=incident(labels or {"alertname": "Slow", "target": "chat"}),
        window=Window(start=NOW - 3600, end=NOW),
        step_seconds=0.0,
        topology=topology or Topology(calls=(("door", "engine"),)),
        changes=(),
        session=session,
        deadline_seconds=deadline_seconds,
        moment=moment or Moment(),
    )


def incident(*labels: Mapping[str, str], fired_at: float = NOW - 60) -> Incident:
    """Make an incident of alerts with these labels."""
    episodes = tuple(
        Episode(
            id=f"ep{number}",
            alert=Alert(
                fingerprint=f"fp{number}",
                status=AlertStatus.FIRING,
                labels=each,
                annotations={},
                starts_at=fired_at,
                ends_at=None,
            ),
            first_seen_at=fired_at,
        )
        for number, each in enumerate(labels)
    )
    return Incident(
        id="inc1",
        opened_at=fired_at,
        state=IncidentState.INVESTIGATING,
        reason="a test",
        episodes=episodes,
    )
