"""The requests that the chat API takes: its fields, and its rules about messages and tools."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from lab.mistral import refusals

_IDENTITY = re.compile(r"[a-zA-Z0-9]{9}")
_AFTER_TOOL = ("assistant", "tool")
MOST_TOOLS = 128


class Closed(pydantic.BaseModel):
    """A map without unknown fields."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Chunk(Closed):
    """A part of a message's content; only text is served."""

    type: Literal["text"]
    text: str


Content = str | tuple[Chunk, ...]


class Function(Closed):
    """The function of a tool call; arguments are JSON text or a map."""

    name: str
    arguments: str | dict[str, Any]


class Call(Closed):
    """A tool call that is sent back."""

    id: str = "null"
    type: Literal["function"] = "function"
    function: Function
    index: int = 0


class System(Closed):
    """A system message."""

    role: Literal["system"]
    content: Content


class User(Closed):
    """A user message."""

    role: Literal["user"]
    content: Content


class Assistant(Closed):
    """A message of the model, sent back."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: tuple[Call, ...] | None = None
    prefix: bool = False


class Result(Closed):
    """The result of a tool call."""

    role: Literal["tool"]
    content: Content | None = None
    tool_call_id: str | None = None
    name: str | None = None


Message = Annotated[System | User | Assistant | Result, Field(discriminator="role")]


class Described(Closed):
    """A function that is on offer."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ""
    strict: bool = False
    parameters: dict[str, Any]


class Tool(Closed):
    """A tool that is on offer."""

    type: Literal["function"] = "function"
    function: Described


class Named(Closed):
    """The name of a function."""

    name: str


class Forced(Closed):
    """The choice of one function."""

    type: Literal["function"] = "function"
    function: Named


class Format(Closed):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: dict[str, Any] | None = None


class ChatRequest(Closed):
    """One request for a completion, with the fields that version 3.7.0 of the SDK can send."""

    model: str
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=1.5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    stream: bool = False
    stop: str | tuple[str, ...] | None = None
    random_seed: Annotated[int, Field(ge=0)] | None = None
    metadata: dict[str, Any] | None = None
    response_format: Format | None = None
    tools: Annotated[tuple[Tool, ...], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | Forced = "auto"
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    min_tokens: int | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: int | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    prediction: dict[str, Any] | None = None
    parallel_tool_calls: bool = True
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    prompt_mode: Literal["reasoning"] | None = None
    guardrails: tuple[dict[str, Any], ...] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    safe_prompt: bool = False

    @property
    def is_json(self) -> bool:
        """Whether the answer must be JSON."""
        return self.response_format is not None and self.response_format.type != "text"

    def offers(self, name: str) -> bool:
        """Tell whether the model may call this function."""
        if self.tool_choice == "none":
            return False
        if isinstance(self.tool_choice, Forced) and self.tool_choice.function.name != name:
            return False
        return any(tool.function.name == name for tool in self.tools or ())

    def said_by(self, role: str) -> str:
        """Give all text of one role."""
        return "\n".join(text(each) for each in self.messages if each.role == role)


def text(message: Message) -> str:
    """Give a message's text."""
    content = message.content
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(chunk.text for chunk in content)


def read(body: bytes, models: Sequence[str]) -> ChatRequest:
    """Read a request as the API does; raises RefusedError."""
    try:
        document = json.loads(body)
    except ValueError:
        raise refusals.unprocessable(
            [{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error", "input": {}}]
        ) from None
    try:
        # Through JSON, so that lists are taken for tuples.
        asked = ChatRequest.model_validate_json(json.dumps(document))
    except pydantic.ValidationError as error:
        raise refusals.unprocessable(_faults(error)) from None
    if asked.model not in models:
        raise refusals.invalid(f"Invalid model: {asked.model}", "invalid_model", "1500")
    if asked.is_json and asked.tools:
        raise refusals.invalid("Cannot use tools together with a JSON response format")
    _check_choice(asked)
    _check_order(asked.messages)
    _check_calls(asked.messages)
    return asked


def _faults(error: pydantic.ValidationError) -> list[dict[str, Any]]:
    return [
        {
            "type": each["type"],
            "loc": ["body", *each["loc"]],
            "msg": each["msg"],
            "input": each["input"],
        }
        for each in error.errors(include_url=False, include_context=False)
    ]


def _check_choice(asked: ChatRequest) -> None:
    needs_tools = asked.tool_choice not in {"auto", "none"}
    if needs_tools and not asked.tools:
        raise refusals.invalid("Tool choice without tools")
    chosen = asked.tool_choice
    if isinstance(chosen, Forced) and not asked.offers(chosen.function.name):
        raise refusals.invalid(f"Tool choice {chosen.function.name} is not among the tools")


def _check_order(messages: Sequence[Message]) -> None:
    roles = [each.role for each in messages]
    for before, after in itertools.pairwise(("start", *roles)):
        if before == "tool" and after not in _AFTER_TOOL:
            raise refusals.invalid(
                f"Unexpected role '{after}' after role 'tool'", refusals.ORDER, "3230"
            )
        if after == "tool" and before not in _AFTER_TOOL:
            raise refusals.invalid(
                f"Unexpected role 'tool' after role '{before}'", refusals.ORDER, "3230"
            )
    last = messages[-1]
    is_prefix = isinstance(last, Assistant) and last.prefix
    if last.role not in {"user", "tool"} and not is_prefix:
        raise refusals.invalid(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
            f"{last.role}",
            refusals.ORDER,
            "3230",
        )


def _check_calls(messages: Sequence[Message]) -> None:
    waiting: set[str] = set()
    results = 0
    for message in messages:
        if isinstance(message, Result):
            results += 1
            if message.tool_call_id not in waiting:
                raise refusals.invalid("Unexpected tool call id in tool results", refusals.CALL)
            continue
        _check_count(len(waiting), results)
        waiting, results = set(), 0
        if isinstance(message, Assistant):
            waiting = _identities(message)
    _check_count(len(waiting), results)


def _check_count(calls: int, results: int) -> None:
    if calls != results:
        raise refusals.invalid(
            "Not the same number of function calls and responses", refusals.ORDER, "3230"
        )


def _identities(message: Assistant) -> set[str]:
    if not message.tool_calls and not text(message):
        raise refusals.invalid(
            "Assistant message must have either content or tool_calls, but not none."
        )
    calls = message.tool_calls or ()
    for call in calls:
        if not _IDENTITY.fullmatch(call.id):
            raise refusals.invalid(
                f"Tool call id was {call.id} but must be a-z, A-Z, 0-9, with a length of 9.",
                refusals.CALL,
                "3280",
            )
        _check_arguments(call.function.arguments)
    if len({call.id for call in calls}) != len(calls):
        raise refusals.invalid("Duplicate tool call id in assistant message", refusals.CALL)
    return {call.id for call in calls}


def _check_arguments(arguments: str | Mapping[str, Any]) -> None:
    """Refuse arguments that are not JSON: servers with chat templates parse them again."""
    if isinstance(arguments, str):
        try:
            json.loads(arguments)
        except ValueError:
            raise refusals.invalid("Tool call arguments are not JSON", refusals.CALL) from None
