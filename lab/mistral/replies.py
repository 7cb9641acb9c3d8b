"""Replies in the forms of the API: a completion, its stream, and the list of models."""

from __future__ import annotations

import itertools
import json
import random
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.mistral.liars import WRITERS
from lab.mistral.personas import Arguments
from lab.mistral.reading import prompt
from lab.mistral.request import ChatRequest
from lab.mistral.tool_users import ODD_IDS, TOOL_USERS, report

TOOL = "submit_report"
PROSE = "I looked at the evidence and I think that something is slow."
CHARACTERS_PER_TOKEN = 4
MODELS = (
    "mistral-small-2603",
    "mistral-small-latest",
    "mistral-medium-3-5",
    "mistral-medium-latest",
    "mistral-large-2512",
    "mistral-large-latest",
    "ministral-8b-2512",
    "ministral-8b-latest",
)
_ALPHABET = string.ascii_letters + string.digits


@dataclass(kw_only=True, slots=True)
class Replies:
    """Writes what the model answers; ids come from *rng*, times from *clock*."""

    rng: random.Random
    clock: Callable[[], float]

    def completion(self, asked: ChatRequest, persona: str) -> dict[str, Any]:
        """Answer a request as *persona*, one of those that answer at all."""
        message, reason = self._message(asked, persona)
        written = message["content"] or json.dumps(message.get("tool_calls"))
        output_tokens = len(written) // CHARACTERS_PER_TOKEN + 1
        if asked.max_tokens is not None and output_tokens > asked.max_tokens:
            reason, output_tokens = "length", asked.max_tokens
            _cut(message, CHARACTERS_PER_TOKEN * asked.max_tokens)
        prompt_tokens = cost(asked)
        return {
            "id": self._identity(32).lower(),
            "object": "chat.completion",
            "created": int(self.clock()),
            "model": asked.model,
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": output_tokens,
                "total_tokens": prompt_tokens + output_tokens,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
        }

    def _message(self, asked: ChatRequest, persona: str) -> tuple[dict[str, Any], str]:
        role_content = {"role": "assistant", "content": ""}
        if persona == "stubborn":
            return {**role_content, "content": PROSE, "tool_calls": None}, "stop"
        # One that stumbles gets it right when it is told.
        is_told = any(each.role == "tool" for each in asked.messages)
        told = prompt(asked.said_by("user"))
        if persona in TOOL_USERS:
            if calls := TOOL_USERS[persona](asked, told):
                named = self._calls(calls)
                if persona == "odd_ids":
                    pairs = zip(named, itertools.cycle(ODD_IDS), strict=False)
                    named = [{**call, "id": identity} for call, identity in pairs]
                return {**role_content, "tool_calls": named}, "tool_calls"
            arguments = json.dumps(report(asked, told))
        else:
            arguments = json.dumps(WRITERS.get(persona, WRITERS["honest"])(told))
        if persona == "malformed" and not is_told:
            arguments = arguments[: len(arguments) // 2]
        if asked.offers(TOOL):
            report_call = self._calls([(TOOL, arguments)])
            return {**role_content, "tool_calls": report_call}, "tool_calls"
        content = arguments if asked.is_json else PROSE
        return {**role_content, "content": content, "tool_calls": None}, "stop"

    def _calls(self, calls: Iterable[tuple[str, str | Arguments]]) -> list[dict[str, Any]]:
        return [
            {
                "id": self._identity(9),
                "type": "function",
                "function": {"name": name, "arguments": _written(given)},
                "index": index,
            }
            for index, (name, given) in enumerate(calls)
        ]

    def _identity(self, length: int) -> str:
        return "".join(self.rng.choices(_ALPHABET, k=length))

    def models(self) -> dict[str, Any]:
        """List the models."""
        return {"object": "list", "data": [_card(name) for name in MODELS]}


def _written(given: str | Arguments) -> str:
    return given if isinstance(given, str) else json.dumps(given)


def _cut(message: dict[str, Any], characters: int) -> None:
    message["content"] = message["content"][:characters]
    for call in message.get("tool_calls") or ():
        function: Arguments = call["function"]
        function["arguments"] = function["arguments"][:characters]


def cost(asked: ChatRequest) -> int:
    """Count the tokens of a request, about."""
    said = sum(len(asked.said_by(role)) for role in ("system", "user", "assistant", "tool"))
    tools = json.dumps([tool.model_dump() for tool in asked.tools or ()])
    return (said + len(tools)) // CHARACTERS_PER_TOKEN + 1


def chunks(completion: dict[str, Any]) -> Iterator[bytes]:
    """Give a completion as server-sent events: its message, its end, `[DONE]`."""
    head = {key: completion[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    choice = completion["choices"][0]
    delta = {"index": 0, "delta": choice["message"], "finish_reason": None}
    end = {"index": 0, "delta": {"content": ""}, "finish_reason": choice["finish_reason"]}
    yield _event({**head, "choices": [delta]})
    yield _event({**head, "choices": [end], "usage": completion["usage"]})
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _card(name: str) -> dict[str, Any]:
    capabilities = {
        "completion_chat": True,
        "function_calling": True,
        "completion_fim": False,
        "fine_tuning": False,
        "vision": False,
        "classification": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": 1_770_000_000,
        "owned_by": "mistralai",
        "capabilities": capabilities,
        "name": name,
        "description": "A stand-in.",
        "max_context_length": 262_144,
        "aliases": [],
        "deprecation": None,
        "type": "base",
    }
