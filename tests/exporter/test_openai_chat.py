"""The kind openai_chat: what it sends, and what it makes of a stream; times are given."""

from __future__ import annotations

import pytest

from exporter.canary import Canary
from exporter.prediction import joined
from exporter.probes.openai_chat import OpenAIChat
from exporter.target import Chunk, Exchange, Observation, Reason, Times
from tests.exporter.servers import DONE, delta, event, finished

PATH = "v1/chat/completions"
USAGE = event(b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}}')


def observed(*pieces: tuple[float, bytes], content_type: str = "text/event-stream") -> Observation:
    """Return what is seen in a stream whose request was written at 10 s."""
    target = OpenAIChat(
        name="t", url="http://h", model="m", canaries=(Canary(name="c", prompt="p"),)
    )
    exchange = Exchange(
        times=Times(begin=9.0, end=pieces[-1][0], written=10.0, first_byte=10.1),
        status=200,
        headers={"content-type": content_type},
        chunks=tuple(Chunk(at=at, data=data) for at, data in pieces),
        complete=True,
    )
    return target.preprocess(target.questions()[0], exchange)


def test_first_token_is_the_first_that_says_something() -> None:
    """The role-only chunk is no token; the time runs from the request written."""
    seen = observed(
        (10.2, delta("")), (10.5, delta("Par")), (10.7, delta("is") + finished() + DONE)
    )
    assert seen.reason is None
    assert seen.answer == "Paris"
    assert seen.first_token_seconds == pytest.approx(0.5)
    assert seen.duration_seconds == pytest.approx(1.7)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_a_token_but_no_answer(field: str) -> None:
    """A model that thinks first has two times: first token, and first token of the answer."""
    seen = observed((11, delta("hmm", field)), (14, delta("Paris")), (15, finished() + DONE))
    assert (seen.first_token_seconds, seen.first_answer_seconds) == (1, 4)
    assert (seen.reasoning, seen.answer) == ("hmm", "Paris")


def test_thinking_parts_are_reasoning() -> None:
    """Mistral sends content as typed parts; thinking is not the answer."""
    parts = b'[{"type":"thinking","thinking":[{"type":"text","text":"hmm"}]}]'
    thinking = event(b'{"choices":[{"delta":{"content":%s}}]}' % parts)
    answer = event(b'{"choices":[{"delta":{"content":[{"type":"text","text":"Paris"}]}}]}')
    seen = observed((11, thinking), (12, answer), (13, finished() + DONE))
    assert (seen.reasoning, seen.answer, seen.first_answer_seconds) == ("hmm", "Paris", 2)


def test_tool_call_is_an_answer() -> None:
    """A chunk with a tool call is a token and an answer."""
    call = event(b'{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}')
    seen = observed((11, call), (12, finished("tool_calls") + DONE))
    assert (seen.reason, seen.first_answer_seconds) == (None, 1)


def test_time_per_token_comes_from_usage_and_ends_with_the_last_token() -> None:
    """A late usage chunk does not lengthen it: (12 - 11) / (5 - 1)."""
    seen = observed((11, delta("a")), (12, delta("b")), (20, finished() + USAGE + DONE))
    assert seen.time_per_output_token_seconds == pytest.approx(0.25)
    assert (seen.prompt_tokens, seen.output_tokens) == (9, 5)


def test_time_per_token_is_absent_without_usage() -> None:
    """Chunks are not tokens: without usage there is no figure."""
    seen = observed((11, delta("a")), (12, delta("b") + finished() + DONE))
    assert seen.time_per_output_token_seconds is None
    assert seen.chunk_gap_max_seconds == 1


def test_one_token_has_no_time_per_token() -> None:
    """Under two tokens there is nothing to divide by."""
    usage = event(b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}')
    seen = observed((11, delta("a") + finished() + usage + DONE))
    assert seen.time_per_output_token_seconds is None
    assert seen.chunk_gap_max_seconds is None


def test_stream_in_one_read_is_buffered() -> None:
    """A long answer that comes at once was held back; a short one says nothing."""
    long = b"".join(delta(word) for word in "abcdefgh") + finished() + DONE
    assert observed((15, long)).stream_buffered is True
    assert observed((11, delta("a")), (15, long)).stream_buffered is False
    assert observed((15, delta("a") + delta("b") + finished() + DONE)).stream_buffered is None


def test_stream_that_a_proxy_held_back_is_buffered() -> None:
    """In several reads too, when they are nearer to each other than tokens are made."""
    words = [(15 + index * 2e-5, delta(word)) for index, word in enumerate("abcdefgh")]
    assert observed(*words, (15.1, finished() + DONE)).stream_buffered is True
    slower = [(15 + index * 2e-3, delta(word)) for index, word in enumerate("abcdefgh")]
    assert observed(*slower, (15.1, finished() + DONE)).stream_buffered is False


def test_reasoning_that_is_not_shown_does_not_quicken_the_tokens() -> None:
    """Its tokens are in the usage, but came before the first that was seen: (12 - 11) / (5 - 1)."""
    usage = b'{"completion_tokens":105,"completion_tokens_details":{"reasoning_tokens":100}}'
    told = event(b'{"choices":[],"usage":%s}' % usage)
    seen = observed((11, delta("a")), (12, delta("b")), (13, finished() + told + DONE))
    assert seen.time_per_output_token_seconds == pytest.approx(0.25)
    shown = observed((11, delta("h", "reasoning")), (12, delta("b") + finished() + told + DONE))
    assert shown.time_per_output_token_seconds == pytest.approx(1 / 104)


def test_a_refusal_is_an_answer() -> None:
    """What a user is shown in the answer's place is one, for the checks to judge."""
    seen = observed((11, delta("I cannot", "refusal")), (12, finished() + DONE))
    assert (seen.reason, seen.answer) == (None, "I cannot")


def test_answer_that_is_no_stream_is_read() -> None:
    """A server that ignores `stream` still answered."""
    body = b'{"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}],"model":"m2"}'
    seen = observed((12, body), content_type="application/json")
    assert (seen.reason, seen.answer, seen.served_model) == (None, "Paris", "m2")


def test_cut_by_the_limit_is_told_from_empty() -> None:
    """Reasoning until the token limit is cut_off; nothing at all is empty."""
    cut = observed((11, delta("hmm", "reasoning")), (12, finished("length") + DONE))
    assert cut.reason is Reason.CUT_OFF
    assert observed((12, finished("length") + DONE)).reason is Reason.EMPTY
    half = observed((11, delta("Pari")), (12, finished("length") + DONE))
    assert half.reason is None


@pytest.mark.parametrize(
    "given",
    ["http://h", "http://h/", "http://h/v1", "http://h/v1/", "http://h/v1/chat/completions"],
)
def test_path_is_not_doubled(given: str) -> None:
    """However much of the path the url has, the endpoint is one."""
    assert joined(given, PATH) == "http://h/v1/chat/completions"


def test_path_before_v1_stays() -> None:
    """A gateway's prefix is kept, and so is a query."""
    assert joined("http://h/openai?x=1", PATH) == "http://h/openai/v1/chat/completions?x=1"
