"""The kind json: body template, nonce, golden values by path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from exporter.probes.json import JsonEndpoint
from exporter.target import Reason
from tests.exporter.probes.speaking import asked, says


async def repeats(request: web.Request) -> web.StreamResponse:
    """Answer with what was sent."""
    return web.json_response({"got": await request.json(), "score": 0.5, "tags": ["a", "b"]})


async def test_nonce_is_new_and_must_come_back() -> None:
    """Each run sends another nonce, and finds it where the path says."""
    answers = set()
    for _ in range(2):
        run = await asked(repeats, JsonEndpoint, body={"id": "run-{{nonce}}"}, echo="got.id")
        assert run.reason is Reason.WRONG_ANSWER  # "run-" stands before it
        run = await asked(repeats, JsonEndpoint, body={"id": "{{nonce}}"}, echo="got.id")
        assert run.reason is None, run.detail
        answers.add(json.loads(run.observation.answer)["got"]["id"])
    assert len(answers) == 2


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"score": 0.5002, "tags[1]": "b", "length(tags)": 2}, None),
        ({"score": 0.51}, Reason.WRONG_ANSWER),
        ({"nothing.there": 1}, Reason.WRONG_ANSWER),
        ({"length(score)": 1}, Reason.WRONG_ANSWER),
    ],
)
async def test_golden_values_by_path(expect: dict[str, Any], reason: Reason | None) -> None:
    """A path that finds nothing, or cannot be followed, is no golden value."""
    run = await asked(repeats, JsonEndpoint, body={}, expect=expect)
    assert run.reason is reason, run.detail


async def test_checks_and_status_hold() -> None:
    """A status of one's own is right, and checks see the document."""
    schema = {"json_schema": {"type": "object", "required": ["a"]}}
    run = await asked(says({"a": 1}, 409), JsonEndpoint, valid_status=[409], checks=[schema])
    assert run.reason is None, run.detail
    run = await asked(says({"b": 1}), JsonEndpoint, checks=[schema])
    assert run.reason is Reason.SCHEMA


async def test_large_answer_is_not_searched() -> None:
    """An answer of too many values would hold up every other agent."""
    run = await asked(says([0] * 30_000), JsonEndpoint, expect={"[0]": 0})
    assert run.reason is Reason.SCHEMA


async def test_text_body_goes_as_it_is() -> None:
    """A text is not quoted, and its header may be one's own."""
    kept: list[tuple[str, str]] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        kept.append((await request.text(), request.content_type))
        return web.json_response({})

    run = await asked(keep, JsonEndpoint, body="a=1", headers={"content-type": "text/csv"})
    assert run.reason is None, run.detail
    assert kept == [("a=1", "text/csv")]


def test_settings_that_cannot_work_are_refused() -> None:
    """An echo without a nonce, and a path that is none."""
    with pytest.raises(ValidationError, match="no nonce is sent"):
        JsonEndpoint(body={}, echo="id")
    with pytest.raises(ValidationError, match="not JMESPath"):
        JsonEndpoint(expect={"a[": 1})
