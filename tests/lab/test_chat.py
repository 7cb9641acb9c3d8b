"""The chat server: OpenAI's dialect, vLLM's metrics, faults, and rude clients."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import orjson
import pytest

from lab.components import chat
from tests.lab.servers import App, Served, Servers

CAPITAL = "What is the capital of France?"
LABELS = 'engine="0",model_name="lab-chat"'
WAITING = f"vllm:num_requests_waiting{{{LABELS}}}"


@pytest.fixture
async def server(servers: Servers) -> Served:
    """Serve chat."""
    return await servers.serve(chat)


def asking(prompt: str = CAPITAL, **fields: Any) -> dict[str, Any]:
    """Return a request's body."""
    return {"model": "lab-chat", "messages": [{"role": "user", "content": prompt}], **fields}


async def streamed(client: App, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a streamed answer; it must be a 200 that ends with [DONE]."""
    async with client.post("/v1/chat/completions", json={**body, "stream": True}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        lines = [line[6:] for line in (await response.text()).split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [orjson.loads(line) for line in lines]


def text_of(events: list[dict[str, Any]]) -> str:
    """Join the content of a stream's deltas."""
    return "".join(c["delta"].get("content", "") for e in events for c in e.get("choices", []))


async def test_a_whole_answer_has_its_text_and_usage(server: Served) -> None:
    """Without streaming, one body says everything."""
    response = await server.client.post("/v1/chat/completions", json=asking())
    body = await response.json()
    assert response.status == 200
    assert "Paris" in body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 16
    assert body["usage"]["total_tokens"] == 16 + body["usage"]["prompt_tokens"]


async def test_a_stream_opens_with_the_role_and_ends_with_a_reason(server: Served) -> None:
    """The first event has the role and no text, each next one a token, the last the reason."""
    events = await streamed(server.client, asking())
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(events) == 17
    assert "Paris" in text_of(events)
    reasons = [event["choices"][0]["finish_reason"] for event in events]
    assert reasons == [None] * 16 + ["stop"]
    assert len({event["id"] for event in events}) == 1


async def test_usage_comes_last_when_it_is_asked_for(server: Served) -> None:
    """With include_usage one more event has no choices, but the usage."""
    events = await streamed(server.client, asking(stream_options={"include_usage": True}))
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 16


async def test_the_token_limit_cuts_the_answer(server: Served) -> None:
    """A limit ends the answer with `length`, under either of its names."""
    for body in (asking(max_tokens=4), asking(max_completion_tokens=4)):
        events = await streamed(server.client, body)
        assert events[-1]["choices"][0]["finish_reason"] == "length"
        assert text_of(events) == "The capital of France"


async def test_parts_of_a_message_are_read(server: Served) -> None:
    """Content may come as a list of parts."""
    body = asking()
    body["messages"][0]["content"] = [{"type": "text", "text": CAPITAL}]
    assert "Paris" in text_of(await streamed(server.client, body))


async def test_the_metrics_agree_with_what_was_generated(server: Served) -> None:
    """Tokens, requests and histograms count what clients received."""
    await streamed(server.client, asking())
    await streamed(server.client, asking(max_tokens=4))
    seen = await server.metrics()
    assert seen[f"vllm:generation_tokens_total{{{LABELS}}}"] == 20
    assert seen[f"vllm:time_to_first_token_seconds_count{{{LABELS}}}"] == 2
    assert seen[f"vllm:inter_token_latency_seconds_count{{{LABELS}}}"] == 18
    assert seen[f"vllm:e2e_request_latency_seconds_count{{{LABELS}}}"] == 2
    assert seen[f"vllm:num_requests_running{{{LABELS}}}"] == 0
    for reason in ("stop", "length"):
        name = f'vllm:request_success_total{{engine="0",finished_reason="{reason}"'
        assert seen[f'{name},model_name="lab-chat"}}'] == 1
    route = 'code="200",handler="/v1/chat/completions",method="POST"'
    assert seen[f"http_requests_total{{{route}}}"] == 2
    assert seen['build_info{version="1.2.3"}'] == 1


async def test_a_hung_engine_answers_health_and_nothing_else(server: Served) -> None:
    """Requests pile up and no token moves, until the engine goes on and answers them all."""
    server.component.dials.turn({"stalled": True})
    asked = [asyncio.create_task(streamed(server.client, asking())) for _ in range(3)]
    await server.until(WAITING, 3)
    assert (await server.client.get("/health")).status == 200
    assert (await server.client.get("/v1/models")).status == 200
    assert (await server.metrics())[f"vllm:generation_tokens_total{{{LABELS}}}"] == 0
    assert not any(task.done() for task in asked)
    server.component.dials.turn({})
    assert all("Paris" in text_of(events) for events in await asyncio.gather(*asked))


async def test_a_client_that_leaves_is_forgotten(server: Served) -> None:
    """An abandoned request leaves the queue and is counted as aborted."""
    server.component.dials.turn({"stalled": True})
    asked = asyncio.create_task(streamed(server.client, asking()))
    await server.until(WAITING, 1)
    asked.cancel()
    await server.until(WAITING, 0)
    name = 'vllm:request_success_total{engine="0",finished_reason="abort",model_name="lab-chat"}'
    assert (await server.metrics())[name] == 1


async def test_dials_change_the_pace(server: Served) -> None:
    """The slow faults are the engine's own pace, and go with the dial."""
    engine_pace = server.component.dials
    engine_pace.turn({"slowdown_ratio": 5.0, "prefill_extra_seconds": 0.2})
    slow = await streamed(server.client, asking(max_tokens=3))
    seen = await server.metrics()
    assert len(slow) == 4
    assert seen[f"vllm:time_to_first_token_seconds_sum{{{LABELS}}}"] >= 0.2
    assert seen[f"vllm:inter_token_latency_seconds_sum{{{LABELS}}}"] >= 2 * 0.0625
    engine_pace.turn({})
    assert engine_pace.now == chat.ChatDials()


async def test_wrong_answers_are_fluent(server: Served) -> None:
    """A regressed model ends its stream well; only the text is wrong."""
    server.component.dials.turn({"wrong_answers": True})
    events = await streamed(server.client, asking())
    assert "Lyon" in text_of(events)
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


async def test_an_error_comes_inside_a_stream(server: Served) -> None:
    """A failing engine sends a few tokens and then an error object, in a 200."""
    server.component.dials.turn({"failing_streams": True})
    events = await streamed(server.client, asking())
    assert text_of(events) == "The capital of"
    assert events[-1]["error"]["code"] == 500
    whole = await server.client.post("/v1/chat/completions", json=asking())
    assert whole.status == 500
    server.component.dials.turn({})
    assert "Paris" in text_of(await streamed(server.client, asking()))


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 400, "not JSON"),
        (b"\xff\xfe\x00", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        (b"{}", 400, "model"),
        (b'{"model":"lab-chat","messages":[]}', 400, "messages"),
        (b'{"model":"lab-chat","messages":"hi"}', 400, "messages"),
        (b'{"model":"lab-chat","messages":[{"role":"user","content":7}]}', 400, "content"),
        (orjson.dumps({**asking(), "max_tokens": 0}), 400, "max_tokens"),
        (orjson.dumps({**asking(), "model": "gpt-9"}), 404, "gpt-9"),
        (b"x" * (2 << 20), 413, "larger"),
    ],
    ids=range(11),
)
async def test_bad_requests_get_openais_error_body(
    server: Served, body: bytes, status: int, word: str
) -> None:
    """What cannot be served is refused with a body that OpenAI's clients can read."""
    response = await server.client.post("/v1/chat/completions", data=io.BytesIO(body))
    assert response.status == status
    error = (await response.json())["error"]
    assert error["code"] == status
    assert word in error["message"]


async def test_unknown_paths_are_counted_under_one_name(server: Served) -> None:
    """A client cannot make new label values by asking for paths."""
    for path in ("/a", "/b", "/v1/nothing"):
        assert (await server.client.get(path)).status == 404
    seen = await server.metrics()
    assert seen['http_requests_total{code="404",handler="other",method="GET"}'] == 3


async def test_openmetrics_is_spoken_to_who_asks(server: Served) -> None:
    """A scraper that prefers OpenMetrics gets it."""
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    response = await server.client.get("/metrics", headers=accept)
    assert response.content_type == "application/openmetrics-text"
    assert (await response.text()).endswith("# EOF\n")
