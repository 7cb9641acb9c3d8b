"""The stand-in's web side: the API under /v1, and its persona, which can change at run time."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import Field

from lab.mistral.liars import WRITERS
from lab.mistral.limits import RateLimits
from lab.mistral.refusals import RefusedError, broken, rate_limited, unauthorized
from lab.mistral.replies import MODELS, Replies, chunks, cost
from lab.mistral.request import ChatRequest, Closed, read
from lab.mistral.shapes import Shape, models, shaped, understood
from lab.mistral.tool_users import TOOL_USERS

log = structlog.get_logger(__name__)

LARGEST_BODY_BYTES = 16 * 1024 * 1024
KEPT_REQUESTS = 50
TRICKLE_SECONDS = 1.0
SLOW_SECONDS = 3.0
LOOK_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 600.0
# Those that answer with a completion, and those that fail as services and networks do.
ANSWERING = (*WRITERS, *TOOL_USERS, "slow", "malformed", "stubborn")
FAILING = (
    "hang",
    "trickle",
    "429",
    "500",
    "cut",
    "garbage",
    "truncated",
    "empty",
    "flood",
    "stall",
    "wrong_type",
)
NAMES = (*ANSWERING, *FAILING)


@dataclass(kw_only=True, slots=True)
class Persona:
    """How the stand-in behaves.

    `delay_seconds` comes before each answer, None for what the name says; `retry_after` is the
    header of persona 429; `times` is after how many requests it turns into `then`, None for never.
    `status` is what persona 500 fails with; persona stall stops for ever after `after_bytes` of its
    reply's body.
    """

    name: str = "honest"
    delay_seconds: float | None = None
    retry_after: str | None = "1"
    times: int | None = None
    then: str = "honest"
    status: int = 500
    after_bytes: int = 0

    def turn(self) -> str:
        """Give the name that answers the next request."""
        if self.times is None:
            return self.name
        self.times -= 1
        return self.name if self.times >= 0 else self.then


@dataclass(kw_only=True, slots=True)
class StandIn:
    """The stand-in; without a *key* any bearer token will do."""

    persona: Persona = field(default_factory=Persona)
    key: str | None = None
    shape: Shape = "mistral"
    clock: Callable[[], float] = time.time
    limits: RateLimits = field(default_factory=lambda: RateLimits(clock=time.monotonic))
    seed: int = 1
    outcomes: Counter[str] = field(default_factory=Counter)
    received: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._refusals], client_max_size=LARGEST_BODY_BYTES)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/persona", self._shown)
        app.router.add_put("/persona", self._change)
        app.router.add_get("/calls", self._calls)
        app.router.add_get("/healthz", _healthy)
        return app

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as refusal:
            headers = {**self._correlation(), **refusal.headers}
            return web.json_response(dict(refusal.body), status=refusal.status, headers=headers)

    def _correlation(self) -> dict[str, str]:
        number = f"{next(self._numbers):032x}"
        return {"mistral-correlation-id": number, "x-kong-request-id": number}

    def _authorise(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token or (self.key is not None and token != self.key):
            raise unauthorized()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self._authorise(request)
        listed = models(self.shape, self._replies().models())
        return web.json_response(listed, headers=self._correlation())

    def _replies(self) -> Replies:
        number = next(self._numbers)
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - ids, not secrets
        return Replies(rng=rng, clock=self.clock)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = await self._admitted(request)
            headers = {**self._correlation(), **self.limits.take(cost(asked))}
        except RefusedError as refusal:
            self.outcomes[str(refusal.status)] += 1
            raise
        delay_seconds = self.persona.delay_seconds
        name = self.persona.turn()
        self.outcomes[name] += 1
        log.info("asked", model=asked.model, messages=len(asked.messages), persona=name)
        if delay_seconds is None:
            delay_seconds = SLOW_SECONDS if name == "slow" else 0.0
        await asyncio.sleep(delay_seconds)
        if name in FAILING:
            return await self._fail(request, name, asked)
        replies = self._replies()
        completion = shaped(self.shape, replies.completion(asked, name), replies.rng)
        if asked.stream:
            return await _streamed(request, completion, headers)
        return web.json_response(completion, headers=headers)

    async def _admitted(self, request: web.Request) -> ChatRequest:
        self._authorise(request)
        body = await request.read()
        asked = read(understood(self.shape, body), MODELS)
        self.received.append(json.loads(body))
        return asked

    async def _fail(
        self, request: web.Request, name: str, asked: ChatRequest
    ) -> web.StreamResponse:
        if name == "429":
            raise rate_limited(self.persona.retry_after)
        if name == "500":
            raise broken(self.persona.status)
        if name == "garbage":
            return web.Response(text="<html><h1>Bad gateway</h1></html>", content_type="text/html")
        if name == "wrong_type":
            whole = self._replies().completion(asked, "honest")
            return web.Response(text=json.dumps(whole), content_type="text/plain")
        if name == "truncated":
            return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
        if name == "empty":
            whole = self._replies().completion(asked, "honest")
            return web.json_response({**whole, "choices": []})
        if name == "hang":
            await _for_ever(request)
            return web.Response()  # nobody is there any more
        return await self._drip(request, name, asked)

    async def _drip(
        self, request: web.Request, name: str, asked: ChatRequest
    ) -> web.StreamResponse:
        """Send half a reply and drop the connection, or blanks without an end."""
        whole = json.dumps(self._replies().completion(asked, "honest")).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if name in {"cut", "stall"}:
            response.content_length = len(whole)
        await response.prepare(request)
        if name == "cut":
            await response.write(whole[: len(whole) // 2])
            if request.transport is not None:
                request.transport.abort()
            return response
        if name == "stall":
            await response.write(whole[: min(self.persona.after_bytes, len(whole) - 1)])
            await _for_ever(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b" " if name == "trickle" else b" " * 65536)
            await asyncio.sleep(TRICKLE_SECONDS if name == "trickle" else 0)
        return response

    async def _calls(self, _request: web.Request) -> web.Response:
        """Tell how many calls came, by the persona that took them or the status they got."""
        return web.json_response({"calls": self.outcomes.total(), "outcomes": self.outcomes})

    async def _shown(self, _request: web.Request) -> web.Response:
        return web.json_response({"name": self.persona.name, "names": NAMES})

    async def _change(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            if isinstance(wanted, dict) and wanted.get("name", "honest") not in NAMES:
                return web.json_response({"error": "no such persona", "names": NAMES}, status=404)
            self.persona = persona(wanted)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        log.info("persona changed", persona=self.persona.name)
        return web.json_response({"name": self.persona.name})


def persona(wanted: Any) -> Persona:
    """Read a persona from JSON; raises ValueError that names what there is."""
    try:
        made = _Wanted.model_validate(wanted)
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        named = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
        raise ValueError(f"not a persona: {named}") from None
    if made.name not in NAMES or made.then not in NAMES:
        raise ValueError(f"no such persona; there are {', '.join(NAMES)}")
    return Persona(**made.model_dump())


class _Wanted(Closed):
    """A persona as it is asked for over HTTP."""

    name: str
    delay_seconds: Annotated[float, Field(ge=0, le=LONGEST_DELAY_SECONDS)] | None = None
    retry_after: str | None = "1"
    times: Annotated[int, Field(ge=0)] | None = None
    then: str = "honest"
    status: Annotated[int, Field(ge=400, le=599)] = 500
    after_bytes: Annotated[int, Field(ge=0)] = 0


async def _for_ever(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - a transport has no event for its end
        await asyncio.sleep(LOOK_SECONDS)


async def _streamed(
    request: web.Request, completion: dict[str, Any], headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream"})
    await response.prepare(request)
    for chunk in chunks(completion):
        await response.write(chunk)
    await response.write_eof()
    return response


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")
