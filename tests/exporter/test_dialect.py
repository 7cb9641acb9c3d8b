"""What is sent in each dialect, and what a refusal teaches."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.dialect import DIALECTS, Name, path, refused_fields, streamed

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
    """A refused limit is replaced by its other name; other fields go."""
    body = streamed("auto", ASKED, max_tokens=7, left_out=frozenset({"max_tokens", "temperature"}))
    assert body["max_completion_tokens"] == 7
    assert not {"max_tokens", "temperature"} & body.keys()
    both = frozenset({"max_tokens", "max_completion_tokens"})
    assert 7 not in streamed("auto", ASKED, max_tokens=7, left_out=both).values()


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
        (400, {"error": "bad request"}, {"stream_options"}),
        (401, OPENAI, set()),
        (200, OPENAI, set()),
        (None, OPENAI, set()),
    ],
)
def test_a_refusal_names_a_field(status: int | None, body: Any, named: set[str]) -> None:
    """Given as a parameter, as a place, in the text, or not at all: then the least known one."""
    assert refused_fields(status, orjson.dumps(body)) == named


def test_an_odd_refusal_is_borne() -> None:
    """No JSON, deep JSON and a long text all come to a field or none."""
    for body in (b"", b"\xff\x00", b"[" * 30_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"x" * 10**6):
        assert len(refused_fields(400, body)) == 1
