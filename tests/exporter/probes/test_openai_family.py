"""The kinds of OpenAI's API beside chat, Mistral's cards, and Anthropic's messages."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import ValidationError

from exporter.canary import Canary
from exporter.checks.cosine import Cosine
from exporter.probes.anthropic_messages import AnthropicMessages
from exporter.probes.mistral_models import MistralModels
from exporter.probes.openai_completions import OpenAICompletions
from exporter.probes.openai_embeddings import OpenAIEmbeddings, TextCanary
from exporter.probes.openai_models import OpenAIModels
from exporter.run import Run
from exporter.target import Reason
from tests.exporter.probes.speaking import Handler, asked, says
from toolkit.secrets import Secret


def embedding(vector: Any, **more: Any) -> dict[str, Any]:
    """Make an answer that holds one vector."""
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"data": [{"index": 0, "embedding": vector}], "model": "m-1", "usage": usage, **more}


async def test_an_embedding_is_a_vector() -> None:
    """Its model, its tokens and its numbers are seen."""
    run = await asked(says(embedding([0.6, 0.8])), OpenAIEmbeddings, model="m", unit_norm=True)
    assert run.reason is None, run.detail
    seen = run.observation
    assert (seen.vector, seen.served_model, seen.prompt_tokens) == ((0.6, 0.8), "m-1", 3)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (embedding([0.0, 0.0]), Reason.WRONG_ANSWER),
        (embedding([3.0, 4.0]), Reason.WRONG_ANSWER),
        (embedding([1.0]), Reason.SCHEMA),
        (embedding([1.0, None]), Reason.SCHEMA),
        (embedding([True, False]), Reason.SCHEMA),
        (embedding([1.5e308, 1.5e308]), Reason.WRONG_ANSWER),
        (embedding("AACAPw=="), Reason.SCHEMA),
        (embedding([1.0, 0.0], data=[]), Reason.EMPTY),
        ({"object": "list"}, Reason.SCHEMA),
        (b'{"data":[{"embedding":[NaN,1.0]}]}', Reason.WRONG_ANSWER),
        (b"not json", Reason.BAD_JSON),
        (b"", Reason.EMPTY),
    ],
)
async def test_what_is_no_embedding_is_told(answer: Any, reason: Reason) -> None:
    """Zeros, a wrong length, what is no number, and nothing: each has its reason."""
    given = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    run = await asked(says(given), OpenAIEmbeddings, model="m", dimensions=2, unit_norm=True)
    assert run.reason is reason, run.detail


async def test_a_vector_that_turned_is_wrong() -> None:
    """The cosine to the golden vector is what notices another model behind the name."""
    golden = TextCanary(name="c", text="a", checks=(Cosine(vector=(1.0, 0.0), min_cosine=0.9),))
    for vector, reason in (([1.0, 0.1], None), ([0.0, 1.0], Reason.WRONG_ANSWER)):
        run = await asked(says(embedding(vector)), OpenAIEmbeddings, model="m", canaries=(golden,))
        assert run.reason is reason


def stream(*documents: Any, done: bool = True) -> Handler:
    """Make the handler that streams documents as events."""
    events = b"".join(b"data: " + orjson.dumps(each) + b"\n\n" for each in documents)
    body = events + (b"data: [DONE]\n\n" if done else b"")
    return says(body, content_type="text/event-stream")


async def test_a_prompt_is_completed() -> None:
    """Text chunks are tokens; the prompt goes as it is."""
    seen: list[Any] = []
    answer = stream({"choices": [{"text": "Par"}]}, {"choices": [{"text": "is"}], "model": "m-2"})

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        return await answer(request)

    canary = Canary(name="c", prompt="The capital of France is")
    routes = {"POST /v1/completions": handle}
    run = await asked(routes, OpenAICompletions, model="m", canaries=(canary,))
    assert (run.reason, run.observation.answer) == (None, "Paris")
    assert run.observation.first_token_seconds is not None
    assert (seen[0]["prompt"], seen[0]["stream"]) == ("The capital of France is", True)


async def test_the_model_must_be_listed() -> None:
    """A server that serves other models is up, and wrong."""
    listed = says({"object": "list", "data": [{"id": "a"}, {"id": "b"}]})
    routes = {"GET /v1/models": listed}
    assert (await asked(routes, OpenAIModels)).reason is None
    assert (await asked(routes, OpenAIModels, model="b")).reason is None
    assert (await asked(routes, OpenAIModels, model="c")).reason is Reason.WRONG_ANSWER
    under_kserve = {"GET /openai/v1/models": listed}
    assert (await asked(under_kserve, OpenAIModels, dialect="kserve")).reason is None


async def test_a_list_may_say_when_a_model_goes() -> None:
    """OpenAI's `shutdown_date`, of the model asked for alone."""
    cards = [{"id": "a", "shutdown_date": "2027-03-31"}, {"id": "b", "shutdown_date": None}]
    routes = {"GET /v1/models": says({"data": cards})}
    for model, at in (("a", 1806451200.0), ("b", None), (None, None)):
        run = await asked(routes, OpenAIModels, model=model)
        assert (run.reason, run.observation.retirement_timestamp_seconds) == (None, at)


CARD: dict[str, Any] = {
    "id": "mistral-small-latest",
    "name": "mistral-small-2506",
    "aliases": ["mistral-small-2506", "mistral-small-2501"],
    "deprecation": "2027-03-31T12:00:00Z",
}


async def card(more: dict[str, Any], model: str = "mistral-small-latest") -> Run:
    """Ask for a card that is CARD but for some fields."""
    routes = {"GET /v1/models/{model}": says(CARD | more)}
    return await asked(routes, MistralModels, model=model)


async def test_a_card_says_what_an_alias_stands_for_and_until_when() -> None:
    """The version behind the alias and the retirement are seen."""
    run = await card({})
    assert run.reason is None, run.detail
    seen = run.observation
    assert (seen.served_model, seen.version) == ("mistral-small-latest", "mistral-small-2506")
    assert seen.retirement_timestamp_seconds == 1806494400
    assert (await card({"deprecation": None})).observation.retirement_timestamp_seconds is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"deprecation": "soon"}, Reason.SCHEMA),
        ({"deprecation": "9999-12-31T23:59:59+23:00"}, None),
        ({"id": "another", "name": None, "aliases": "none"}, Reason.WRONG_ANSWER),
    ],
)
async def test_an_odd_card_is_borne(more: dict[str, Any], reason: Reason | None) -> None:
    """A date that is none, and the card of another model."""
    assert (await card(more)).reason is reason


def test_a_model_cannot_lead_elsewhere() -> None:
    """Its name is part of an address."""
    with pytest.raises(ValidationError):
        MistralModels(name="t", url="http://h", model="../admin")


MESSAGE: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {"model": "c-1", "usage": {"input_tokens": 9, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Paris"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


async def message(*documents: Any) -> Run:
    """Ask for a message that is streamed so."""
    routes = {"POST /v1/messages": stream(*documents, done=False)}
    return await asked(routes, AnthropicMessages, model="c")


async def test_a_message_is_read() -> None:
    """Thinking is apart from the answer; usage is the last that was told."""
    run = await message(*MESSAGE)
    seen = run.observation
    assert (run.reason, seen.answer, seen.reasoning) == (None, "Paris", "hm")
    assert (seen.prompt_tokens, seen.output_tokens, seen.served_model) == (9, 5, "c-1")
    assert seen.finish_reason == "end_turn"


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ([ERROR], Reason.STREAM_ERROR),
        ([*MESSAGE[:5], ERROR], Reason.STREAM_ERROR),
        (MESSAGE[:5], Reason.STREAM_TRUNCATED),
        ([MESSAGE[0], MESSAGE[-1]], Reason.EMPTY),
        ([["no object"]], Reason.SCHEMA),
        (
            [MESSAGE[3], {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}],
            Reason.CUT_OFF,
        ),
    ],
)
async def test_a_message_that_fails_is_told(documents: list[Any], reason: Reason) -> None:
    """An error in the stream, its end too soon, and an answer of nothing, or thinking alone."""
    assert (await message(*documents)).reason is reason


async def test_a_message_may_come_whole() -> None:
    """A gateway that does not stream still answered; its error is one."""
    whole = {
        "type": "message",
        "model": "c-1",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Paris"}],
        "usage": {"input_tokens": 9, "output_tokens": 2},
    }
    run = await asked(says(whole), AnthropicMessages, model="c")
    assert (run.reason, run.observation.answer) == (None, "Paris")
    assert (await asked(says(ERROR), AnthropicMessages, model="c")).reason is Reason.STREAM_ERROR
    assert (await asked(says({"a": 1}), AnthropicMessages, model="c")).reason is Reason.SCHEMA


async def test_the_key_goes_in_its_header() -> None:
    """And the version of the API with it."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.extend((request.headers["x-api-key"], request.headers["anthropic-version"]))
        return web.json_response(ERROR, status=401)

    key = {"x-api-key": Secret(place="here", value="k-123")}
    run = await asked(handle, AnthropicMessages, model="c", headers=key)
    assert run.reason is Reason.AUTH
    assert seen == ["k-123", "2023-06-01"]
