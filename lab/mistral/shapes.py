"""Other servers of the same API, in what sets them apart: vLLM and Ollama.

Sources: vLLM's and Ollama's own documentation of their OpenAI-compatible servers.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Mapping
from typing import Any, Literal

from lab.mistral.refusals import RefusedError

Shape = Literal["mistral", "vllm", "ollama"]
SHAPES: tuple[Shape, ...] = ("mistral", "vllm", "ollama")
FORCED = ("none", "auto", "required")


def understood(shape: Shape, body: bytes) -> bytes:
    """Give a request as a server of this shape takes it; raises RefusedError.

    vLLM refuses the word by which Mistral forces a tool; Ollama heeds no such word.
    """
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if shape == "mistral" or not isinstance(document, dict):
        return body
    if shape == "ollama":
        return json.dumps({**document, "tool_choice": "auto"}).encode()
    choice = document.get("tool_choice", "auto")
    if isinstance(choice, str) and choice not in FORCED:
        raise _unknown_choice()
    return body


def _unknown_choice() -> RefusedError:
    fault = (
        "[{'type': 'literal_error', 'loc': ('body', 'tool_choice'), 'msg': \"Input should be"
        " 'none', 'auto' or 'required'\"}]"
    )
    body = {"object": "error", "message": fault, "type": "BadRequestError", "param": None}
    return RefusedError(400, {**body, "code": 400})


def shaped(shape: Shape, completion: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Give a completion as a server of this shape writes it."""
    if shape == "mistral":
        return completion
    choice = completion["choices"][0]
    message = dict(choice["message"])
    calls = [_call(shape, call, rng) for call in message.get("tool_calls") or ()]
    message["tool_calls"] = calls if calls or shape == "vllm" else None
    if shape == "vllm":
        extra: dict[str, Any] = {
            "service_tier": None,
            "system_fingerprint": None,
            "prompt_logprobs": None,
        }
        message |= {"reasoning_content": None, "content": message["content"] or None}
        choice = {**choice, "logprobs": None, "stop_reason": None}
    else:
        extra = {"system_fingerprint": "fp_ollama"}
        message |= {"reasoning": "I look at the evidence."}
        choice = {**choice, "finish_reason": "tool_calls" if calls else choice["finish_reason"]}
    if message["tool_calls"] is None:
        del message["tool_calls"]
    head = f"chatcmpl-{rng.randrange(1000)}"
    return {**completion, **extra, "id": head, "choices": [{**choice, "message": message}]}


def _call(shape: Shape, call: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """Name a call as no other server would: by an id that Mistral itself refuses."""
    letters = "".join(rng.choices(string.hexdigits.lower(), k=8))
    name = f"call_{letters}" if shape == "ollama" else f"chatcmpl-tool-{letters}"
    return {**call, "id": name}


def models(shape: Shape, listed: dict[str, Any]) -> dict[str, Any]:
    """List the models as a server of this shape does: without type, aliases and deprecation."""
    if shape == "mistral":
        return listed
    owner = "vllm" if shape == "vllm" else "library"
    kept = [
        {"id": each["id"], "object": "model", "created": each["created"], "owned_by": owner}
        for each in listed["data"]
    ]
    return {"object": "list", "data": kept}
