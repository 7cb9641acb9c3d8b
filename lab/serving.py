"""The web side that the components share: bounded bodies, errors in the protocol's own form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from lab.instruments import Instruments, exposition, measured

log = structlog.get_logger(__name__)

BODY_LIMIT_BYTES = 1 << 20
BODY_WITHIN_SECONDS = 10.0
ErrorForm = Callable[[int, str], dict[str, Any]]


class RefusedError(Exception):
    """A request that cannot be served, with the status and text its client gets."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def plain_error(_status: int, text: str) -> dict[str, Any]:
    """Return the error body of the Open Inference Protocol, which plain services use as well."""
    return {"error": text}


def openai_error(status: int, text: str) -> dict[str, Any]:
    """Return the error body of OpenAI's API, with the type names that vLLM uses."""
    kinds = {400: "BadRequestError", 404: "NotFoundError", 413: "BadRequestError"}
    kind = kinds.get(status, "InternalServerError" if status >= 500 else "BadRequestError")
    return {"error": {"message": text, "type": kind, "param": None, "code": status}}


def json_response(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _errors(form: ErrorForm) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as refusal:
            return json_response(form(refusal.status, refusal.text), refusal.status)
        except web.HTTPException as refusal:
            if refusal.status < 400:
                raise
            return json_response(form(refusal.status, refusal.reason), refusal.status)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("request failed", path=request.path)
            return json_response(form(500, "Internal Server Error"), 500)

    return middleware


def application(instruments: Instruments, form: ErrorForm) -> web.Application:
    """Return an application that measures itself, bounds bodies and words errors in one form."""
    app = web.Application(
        middlewares=[measured(instruments), _errors(form)], client_max_size=BODY_LIMIT_BYTES
    )
    app.router.add_get("/metrics", exposition(instruments))
    return app


async def read_body(request: web.Request) -> bytes:
    """Return the body; raises RefusedError for one that is too large (413) or too slow (408)."""
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            return await request.read()
    except TimeoutError:
        raise RefusedError(
            408, f"the body did not arrive within {BODY_WITHIN_SECONDS:g} s"
        ) from None
    except web.HTTPRequestEntityTooLarge:
        raise RefusedError(413, f"the body is larger than {BODY_LIMIT_BYTES} bytes") from None
    except (web.RequestPayloadError, ValueError) as error:
        raise RefusedError(400, f"the body cannot be read: {type(error).__name__}") from None


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body as a JSON object; raises RefusedError (400) when it is none."""
    try:
        document = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise RefusedError(400, "the body is not a JSON object")
    return document


def model_list(model: str) -> web.Response:
    """List the one model of a server, as OpenAI's GET /v1/models does."""
    card = {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "lab"}
    return json_response({"object": "list", "data": [card]})
