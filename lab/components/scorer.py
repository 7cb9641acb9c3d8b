"""The scorer: a logistic fraud model behind the Open Inference Protocol, fed by features."""

from __future__ import annotations

import asyncio
import math
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import numpy as np
import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import addresses, instruments
from lab.component import Component, Listening, Site
from lab.dials import DialBox, Dials
from lab.instruments import Instruments
from lab.serving import RefusedError, application, json_response, plain_error, read_object

MODEL = "fraud"
MODEL_VERSION = "1"
ROWS_AT_MOST = 16
FEATURES_WITHIN_SECONDS = 3.0
FEATURES_BODY_BYTES = 65536
COLUMNS = ("account_age_days", "transactions_24h", "chargeback_ratio", "country_risk")
# Centre and scale of (amount, *COLUMNS), then the weights over them and the intercept.
CENTRES = np.array([120.0, 1825.0, 20.0, 0.1, 0.5])
SCALES = np.array([200.0, 1050.0, 11.5, 0.058, 0.29])
WEIGHTS = np.array([0.9, -0.7, 0.6, 1.4, 0.8])
INTERCEPT = -1.2
METADATA = {
    "name": MODEL,
    "versions": [MODEL_VERSION],
    "platform": "numpy",
    "inputs": [
        {"name": "entity_id", "datatype": "BYTES", "shape": [-1]},
        {"name": "amount", "datatype": "FP64", "shape": [-1]},
    ],
    "outputs": [
        {"name": "probability", "datatype": "FP64", "shape": [-1]},
        {"name": "decision", "datatype": "BYTES", "shape": [-1]},
    ],
}


class ScorerDials(Dials):
    """The scorer has none of its own: its faults come from its process and from what it reads."""


class Tensor(BaseModel):
    """One input tensor of an inference request; data may be nested."""

    model_config = ConfigDict(frozen=True)

    name: str
    datatype: Literal["BYTES", "FP64", "FP32", "INT64", "INT32"]
    shape: tuple[int, ...] = Field(min_length=1, max_length=2)
    data: tuple[Any, ...] = Field(max_length=ROWS_AT_MOST)

    def flat(self, kind: type[str | float]) -> tuple[Any, ...]:
        """Return the data flattened; raises RefusedError when shape or types do not agree."""
        rows: list[Any] = []
        for item in self.data:
            rows.extend(item if isinstance(item, list) else [item])
        allowed = (str,) if kind is str else (int, float)
        if any(isinstance(row, bool) or not isinstance(row, allowed) for row in rows):
            raise RefusedError(400, f"{self.name}: data is not {self.datatype}")
        if len(rows) != math.prod(self.shape):
            raise RefusedError(400, f"{self.name}: {len(rows)} values do not fill the shape")
        return tuple(kind(row) for row in rows)


class InferRequest(BaseModel):
    """An inference request of the protocol."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(default=None, max_length=128)
    inputs: tuple[Tensor, ...] = Field(min_length=1, max_length=8)

    def tensor(self, name: str) -> Tensor:
        """Return the input of this name; raises RefusedError when it is missing."""
        for tensor in self.inputs:
            if tensor.name == name:
                return tensor
        raise RefusedError(400, f"inputs: {name} is missing")


def probabilities(rows: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Return the model's probability for each row of (amount, *COLUMNS)."""
    logits = ((rows - CENTRES) / SCALES) @ WEIGHTS + INTERCEPT
    return [round(float(p), 6) for p in 1.0 / (1.0 + np.exp(-np.clip(logits, -50, 50)))]


@dataclass(kw_only=True, slots=True)
class FeatureClient:
    """Asks the feature service for what it knows of an entity."""

    url: str
    measures: Instruments
    session: aiohttp.ClientSession | None = None

    async def lives(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep one session open as long as the application runs."""
        timeout = aiohttp.ClientTimeout(total=FEATURES_WITHIN_SECONDS, sock_connect=1.0)
        async with aiohttp.ClientSession(timeout=timeout) as self.session:
            yield

    async def row(self, entity: str) -> list[float]:
        """Return the columns of one entity in the model's order; raises RefusedError without."""
        columns = await self._read(entity)
        try:
            return [float(columns[column]) for column in COLUMNS]
        except KeyError as error:
            text = f"features of {entity[:64]}: no column {error.args[0]}"
            raise RefusedError(500, text) from None
        except (TypeError, ValueError):
            text = f"features of {entity[:64]}: a column is not a number"
            raise RefusedError(500, text) from None

    async def _read(self, entity: str) -> dict[str, Any]:
        assert self.session is not None  # noqa: S101 - the application is running
        path = urllib.parse.quote(entity, safe="")
        try:
            async with (
                instruments.upstream(self.measures, "features") as call,
                self.session.get(f"{self.url}/features/{path}") as response,
            ):
                call.code = str(response.status)
                body = await response.content.read(FEATURES_BODY_BYTES)
        except TimeoutError:
            raise RefusedError(
                504, f"features: no answer in {FEATURES_WITHIN_SECONDS:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise RefusedError(503, f"features: {type(error).__name__}") from None
        if response.status != 200:
            raise RefusedError(502, f"features: answered {response.status}")
        return _columns(body)


def _columns(body: bytes) -> dict[str, Any]:
    try:
        columns = orjson.loads(body)["features"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        columns = None
    if not isinstance(columns, dict):
        raise RefusedError(502, "features: the answer cannot be read")
    return columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """The routes of the scorer."""

    features: FeatureClient

    async def live(self, _request: web.Request) -> web.StreamResponse:
        """Say that the server lives."""
        return json_response({"live": True})

    async def ready(self, _request: web.Request) -> web.StreamResponse:
        """Say that the server, or its one model, is ready."""
        return json_response({"ready": True})

    async def server(self, _request: web.Request) -> web.StreamResponse:
        """Answer with the server's metadata."""
        return json_response({"name": "lab-scorer", "version": "1", "extensions": []})

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """Answer with the model's metadata."""
        _check_model(request)
        return json_response(METADATA)

    async def infer(self, request: web.Request) -> web.StreamResponse:
        """Score each entity with its amount and what the feature service knows of it."""
        _check_model(request)
        asked = _parse(await read_object(request))
        entities = asked.tensor("entity_id").flat(str)
        amounts = asked.tensor("amount").flat(float)
        if len(entities) != len(amounts) or not entities:
            raise RefusedError(400, "inputs: entity_id and amount are not of the same length")
        rows = await asyncio.gather(*(self.features.row(entity) for entity in entities))
        scores = probabilities(
            np.array([[amount, *row] for amount, row in zip(amounts, rows, strict=True)])
        )
        return json_response(_answer(asked, scores))


def _answer(asked: InferRequest, scores: list[float]) -> dict[str, Any]:
    decisions = ["review" if score > 0.5 else "accept" for score in scores]
    shape = [len(scores)]
    outputs = [
        {"name": "probability", "datatype": "FP64", "shape": shape, "data": scores},
        {"name": "decision", "datatype": "BYTES", "shape": shape, "data": decisions},
    ]
    body: dict[str, Any] = {"model_name": MODEL, "model_version": MODEL_VERSION}
    if asked.id is not None:
        body["id"] = asked.id
    return {**body, "outputs": outputs}


def _check_model(request: web.Request) -> None:
    if request.match_info["model"] != MODEL:
        raise RefusedError(404, f"model {request.match_info['model'][:80]} is not found")
    if request.match_info.get("version", MODEL_VERSION) != MODEL_VERSION:
        raise RefusedError(404, f"version {request.match_info['version'][:80]} is not found")


def _parse(document: dict[str, Any]) -> InferRequest:
    try:
        return InferRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedError(400, f"{place}: {first['msg']}") from None


def build(site: Site) -> Component:
    """Return the scorer."""
    measures = instruments.build(site.version)
    app = application(measures, plain_error)
    features = FeatureClient(url=addresses.url(site.addresses, "features:8003"), measures=measures)
    app.cleanup_ctx.append(features.lives)
    scorer = Scorer(features=features)
    app.router.add_get("/v2/health/live", scorer.live)
    app.router.add_get("/v2/health/ready", scorer.ready)
    app.router.add_get("/v2", scorer.server)
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        app.router.add_get(path, scorer.metadata)
        app.router.add_get(f"{path}/ready", scorer.ready)
        app.router.add_post(f"{path}/infer", scorer.infer)
    return Component(
        app=app, dials=DialBox(ScorerDials()), listens=(Listening(name="scorer:8002"),)
    )
