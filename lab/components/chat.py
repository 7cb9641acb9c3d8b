"""The chat server: OpenAI's API in front of a small engine with a real queue and batch limit."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import instruments, tiny_model
from lab.component import Component, Listening, Site
from lab.dials import DialBox, Dials
from lab.engine import Emission, Engine, Generation, Pace
from lab.serving import (
    RefusedError,
    application,
    json_response,
    model_list,
    openai_error,
    read_object,
)
from lab.vllm_metrics import EngineMetrics
from toolkit.lifecycle import Supervisor

MODEL = "lab-chat"
ANSWER_WITHIN_SECONDS = 120.0
LONGEST_SLEEP_SECONDS = 60.0
FAILS_AFTER_TOKENS = 3
MAX_TOKENS_DEFAULT = 256


class ChatDials(Dials):
    """How the chat server can be made to fail."""

    stalled: bool = False
    prefill_extra_seconds: float = Field(default=0.0, ge=0, le=60)
    slowdown_ratio: float = Field(default=1.0, ge=1, le=100)
    wrong_answers: bool = False
    failing_streams: bool = False


class Message(BaseModel):
    """One message of a conversation; content is a text or a list of parts."""

    model_config = ConfigDict(frozen=True)

    role: str
    content: str | tuple[dict[str, Any], ...] | None = None

    def text(self) -> str:
        """Return the text of the message, its parts joined."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(str(part.get("text", "")) for part in self.content or ())


class StreamOptions(BaseModel):
    """What a streamed answer carries besides its text."""

    model_config = ConfigDict(frozen=True)

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The fields of a chat completion request that the lab reads; others are ignored."""

    model_config = ConfigDict(frozen=True)

    model: str
    messages: tuple[Message, ...] = Field(min_length=1, max_length=256)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int = Field(default=1, ge=1, le=1)

    @property
    def limit(self) -> int:
        """The most tokens that the answer may have."""
        asked = self.max_completion_tokens or self.max_tokens or MAX_TOKENS_DEFAULT
        return min(asked, MAX_TOKENS_DEFAULT)


@dataclass(kw_only=True, slots=True)
class EngineLoop:
    """Runs the engine in real time and hands each emission to the request that waits for it."""

    engine: Engine
    metrics: EngineMetrics
    dials: DialBox[ChatDials]
    _outlets: dict[Generation, asyncio.Queue[Emission]] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def turned(self, dials: ChatDials) -> None:
        """Take over the dials: the pace changes from the next step on."""
        self.engine.pace = replace(
            self.engine.pace,
            slowdown_ratio=dials.slowdown_ratio,
            prefill_extra_seconds=dials.prefill_extra_seconds,
        )
        self._wake.set()

    async def run(self) -> None:
        """Advance the engine for ever, but while it is stalled."""
        while True:
            self._wake.clear()
            due = None if self.dials.now.stalled else self.engine.due()
            wait = LONGEST_SLEEP_SECONDS if due is None else due - time.monotonic()
            if wait > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            if not self.dials.now.stalled:
                for emission in self.engine.advance(time.monotonic()):
                    self._deliver(emission)

    def _deliver(self, emission: Emission) -> None:
        self.metrics.observe(emission)
        if outlet := self._outlets.get(emission.sequence):
            outlet.put_nowait(emission)

    async def generate(self, generation: Generation) -> AsyncGenerator[Emission]:
        """Yield the emissions of one request; abandoning the iteration aborts the request."""
        # Bounded by the answer's own length: an emission a token, and one for a failure.
        outlet: asyncio.Queue[Emission] = asyncio.Queue(maxsize=len(generation.answer) + 1)
        self._outlets[generation] = outlet
        self.engine.submit(generation, time.monotonic())
        self._wake.set()
        try:
            while True:
                emission = await outlet.get()
                yield emission
                if emission.last:
                    return
        finally:
            del self._outlets[generation]
            self.engine.abort(generation)
            self.metrics.ended(generation, time.monotonic())


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatServer:
    """The routes of the chat server."""

    loop: EngineLoop
    version: str
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Answer 200 whatever the engine does, as real servers' /health does."""
        return web.Response()

    async def models(self, _request: web.Request) -> web.StreamResponse:
        """List the one model, from configuration; this proves nothing about generation."""
        return model_list(MODEL)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer a chat completion request, streamed or whole."""
        asked = _parse(await read_object(request))
        if self.loop.engine.full:
            raise RefusedError(503, "the queue is full")
        generation = self._generation(asked)
        head = {"id": f"chatcmpl-{next(self._ids)}", "created": int(time.time()), "model": MODEL}
        head["system_fingerprint"] = f"lab-{self.version}"
        if asked.stream:
            return await self._stream(request, asked, generation, head)
        return await self._whole(generation, head)

    def _generation(self, asked: ChatRequest) -> Generation:
        dials = self.loop.dials.now
        prompt = asked.messages[-1].text()
        answer = tiny_model.answer(prompt, wrong=dials.wrong_answers)
        cut = answer[: asked.limit]
        read = sum(len(tiny_model.tokens(message.text())) + 4 for message in asked.messages)
        return Generation(
            answer=cut,
            prompt_tokens=read,
            ends="stop" if len(cut) == len(answer) else "length",
            fail_after=min(FAILS_AFTER_TOKENS, len(cut) - 1) if dials.failing_streams else None,
        )

    async def _whole(self, generation: Generation, head: dict[str, Any]) -> web.Response:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                async for _ in self.loop.generate(generation):
                    pass
        except TimeoutError:
            raise RefusedError(504, f"no answer within {ANSWER_WITHIN_SECONDS:g} s") from None
        if generation.finish == "error":
            raise RefusedError(500, "the engine failed")
        message = {"role": "assistant", "content": "".join(generation.answer)}
        choice = {"index": 0, "message": message, "finish_reason": generation.finish}
        body = {**head, "object": "chat.completion", "choices": [choice]}
        return json_response({**body, "usage": _usage(generation)})

    async def _stream(
        self,
        request: web.Request,
        asked: ChatRequest,
        generation: Generation,
        head: dict[str, Any],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        head = {**head, "object": "chat.completion.chunk"}
        try:
            async with (
                asyncio.timeout(ANSWER_WITHIN_SECONDS),
                aclosing(self.loop.generate(generation)) as emissions,
            ):
                async for emission in emissions:
                    await response.write(_events(emission, head))
        except TimeoutError:  # the status is sent: the failure can only be an event
            await response.write(_event(openai_error(504, "the answer took too long")))
        wanted = asked.stream_options is not None and asked.stream_options.include_usage
        if wanted and generation.finish in ("stop", "length"):
            await response.write(_event({**head, "choices": [], "usage": _usage(generation)}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def _parse(document: dict[str, Any]) -> ChatRequest:
    try:
        asked = ChatRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedError(400, f"{place}: {first['msg']}") from None
    if asked.model != MODEL:
        raise RefusedError(404, f"The model `{asked.model[:80]}` does not exist.")
    return asked


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _events(emission: Emission, head: dict[str, Any]) -> bytes:
    """Return the events of one emission; the first brings the role, the last the finish reason."""
    if emission.token is None:
        return _event(openai_error(500, "EngineCore encountered an issue"))
    delta = {"content": emission.token}
    opening = b""
    if emission.first:
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        opening = _event({**head, "choices": [choice]})
    last = emission.sequence.finish if emission.last else None
    return opening + _event(
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": last}]}
    )


def _usage(generation: Generation) -> dict[str, int]:
    return {
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.produced,
        "total_tokens": generation.prompt_tokens + generation.produced,
    }


def build(site: Site) -> Component:
    """Return the chat server."""
    measures = instruments.build(site.version)
    app = application(measures, openai_error)
    dials = DialBox(ChatDials())
    engine = Engine(pace=Pace())
    loop = EngineLoop(
        engine=engine,
        metrics=EngineMetrics.build(measures.registry, engine, MODEL),
        dials=dials,
    )
    dials.watch(loop.turned)
    server = ChatServer(loop=loop, version=site.version)
    app.router.add_get("/health", server.health)
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/chat/completions", server.complete)

    async def engine_runs(_app: web.Application) -> AsyncIterator[None]:
        async with Supervisor(stop_within_seconds=1) as supervisor:
            supervisor.spawn("engine", loop.run)
            yield

    app.cleanup_ctx.append(engine_runs)
    return Component(app=app, dials=dials, listens=(Listening(name="chat:8000"),))
