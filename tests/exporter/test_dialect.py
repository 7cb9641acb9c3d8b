"""What is sent in each dialect, and what a refusal teaches."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.dialect import DIALECTS, Learnt, Name, path, refused_fields, streamed
from exporter.target import Observation

ASKED: dict[str, Any] = {"model": "m", "messages": []}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_sends_only_what_its_servers_take(name: Name) -> None:
    """Each dialect limits the answer, and none sends a field that its servers refuse."""
    body = streamed(name, ASKED, max_tokens=7)
    assert 7 in {body.get("max_tokens"), body.get("max_completion_tokens")}
    refused = {
        "mistral": {"stream_options", "seed", "max_completion_tokens"},
        "openai_reasoning": {"max_tokens", "temperature", "seed", "random_seed"},
    }
    assert not refused.get(name, set()) & body.keys()
    assert path(name, "models").endswith("v1/models")


def test_what_was_refused_is_left_out() -> None:
    """A refused limit is replaced by its other name, and never gone; other fields go."""
    body = streamed("auto", ASKED, max_tokens=7, left_out=frozenset({"max_tokens", "temperature"}))
    assert body["max_completion_tokens"] == 7
    assert not {"max_tokens", "temperature"} & body.keys()
    both = frozenset({"max_tokens", "max_completion_tokens"})
    assert streamed("auto", ASKED, max_tokens=7, left_out=both)["max_tokens"] == 7


OPENAI = {
    "error": {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model."
        " Use 'max_completion_tokens' instead.",
        "param": "max_tokens",
        "code": "unsupported_parameter",
    }
}
MISTRAL = {
    "object": "error",
    "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]},
}


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (400, OPENAI, {"max_tokens"}),
        (422, MISTRAL, {"stream_options"}),
        (400, {"error": {"param": "stream_options.include_usage"}}, {"stream_options"}),
        (400, {"error": "temperature must be 1; seed is ignored"}, {"temperature"}),
        (400, {"error": "bad request"}, set()),
        (400, {"detail": [{"loc": ["body", "model"], "input": {"max_tokens": 7}}]}, None),
        (400, {"error": {"message": "no such model, max_tokens", "param": "model"}}, None),
        (401, OPENAI, None),
        (200, OPENAI, None),
        (None, OPENAI, None),
    ],
)
def test_a_refusal_names_a_field(status: int | None, body: Any, named: set[str] | None) -> None:
    """Given as a parameter, as a place, in the text, or not at all; what is not ours is none."""
    assert refused_fields(status, orjson.dumps(body)) == named


def test_an_odd_refusal_is_borne() -> None:
    """No JSON, deep JSON and a long text all come to a field or none."""
    for body in (b"", b"\xff\x00", b"[" * 30_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"x" * 10**6):
        assert refused_fields(400, body) == frozenset()


def heard(*seen: tuple[int | None, frozenset[str] | None]) -> Learnt:
    """Return what some runs have taught: each a status and what the refusal named."""
    learnt = Learnt()
    for status, fields in seen:
        learnt.hear(Observation(status_code=status, refused_fields=fields))
    return learnt


REFUSED = (400, frozenset[str]())
TAKEN = (200, None)
OPTIONS = frozenset({"stream_options"})


def test_a_guess_is_kept_only_when_it_helps() -> None:
    """A refusal without a name: the least known field goes, and comes back if that was not it."""
    assert heard().left_out == frozenset()
    assert heard(REFUSED).left_out == OPTIONS
    assert heard(REFUSED, TAKEN).left_out == OPTIONS
    assert heard(REFUSED, (503, None), TAKEN).left_out == OPTIONS
    assert heard(REFUSED, REFUSED).left_out == frozenset()
    assert heard(REFUSED, REFUSED, TAKEN, REFUSED).left_out == frozenset()
    assert heard(REFUSED, TAKEN, REFUSED, REFUSED).left_out == OPTIONS


def test_what_was_named_stays_left_out() -> None:
    """Also beside a guess that was wrong."""
    named = (422, frozenset({"temperature"}))
    assert heard(named, TAKEN).left_out == {"temperature"}
    assert heard(REFUSED, named, REFUSED).left_out == {"temperature"}
    assert heard((422, OPTIONS), REFUSED, REFUSED, TAKEN).left_out == OPTIONS
