"""Servers of the same API that are not Mistral's: vLLM's and Ollama's shapes, tools and all."""

from __future__ import annotations

from typing import Any

import pytest

from lab.mistral.server import Persona
from lab.mistral.shapes import SHAPES, Shape
from responder.investigation.mistral import Observers
from responder.investigation.model_listing import Listed, told_of
from responder.investigation.model_settings import MistralSettings
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import MODEL, Seat
from tests.responder.investigation.laid import Prometheus, framed, means, row


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("persona", ["honest", "curious", "odd_ids", "malformed", "intruder"])
async def test_every_server_leads_to_a_report(seat: Seat, shape: Shape, persona: str) -> None:
    """Whatever its ids, its extra fields and its word for a forced tool; ours are sent back."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])))
    desk.stand_in.shape = shape
    desk.stand_in.persona = Persona(name=persona)
    written = await desk.analyst.analyse(framed(brief()))
    assert written.causes[0].component == "chat"
    sent = desk.stand_in.received[-1]["messages"]
    ids = [each["tool_call_id"] for each in sent if each["role"] == "tool"]
    assert all(len(each) == 9 and each.isalnum() for each in ids)
    assert len(set(ids)) == len(ids)
    assert (persona == "honest") == (not ids)


@pytest.mark.parametrize(
    ("url", "forced"),
    [
        ("https://api.mistral.ai", "any"),
        ("https://api.eu.mistral.ai", "any"),
        ("http://vllm:8000", "required"),
        ("https://mistral.ai.evil.example", "required"),
    ],
)
def test_the_word_for_a_forced_tool(url: str, forced: str) -> None:
    """It is Mistral's own at Mistral's alone, unless it is set."""
    assert MistralSettings.model_validate({"server_url": url}).forced == forced
    own = {"server_url": url, "tool_choice": "auto"}
    assert MistralSettings.model_validate(own).forced == "auto"


async def test_a_refused_word_is_dropped_for_good(seat: Seat) -> None:
    """A vLLM refuses Mistral's: it is asked again without, and from then on."""
    desk = await seat(tool_choice="any")
    desk.stand_in.shape = "vllm"
    await desk.analyst.analyse(brief())
    await desk.analyst.analyse(brief())
    assert [each["tool_choice"] for each in desk.stand_in.received] == ["auto", "auto"]
    assert [outcome for _, outcome in desk.outcomes] == ["refused", "ok", "ok"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_list_of_models_is_read(seat: Seat, shape: Shape) -> None:
    """A model that is there, and one that is not, in the form of each server."""
    told: dict[str, Listed] = {}
    observers = Observers(listed=told.__setitem__)
    desk = await seat(observers=observers, fallback_model="mistral-retired")
    desk.stand_in.shape = shape
    await desk.analyst.check_models()
    assert told == {MODEL: Listed(is_listed=True), "mistral-retired": Listed(is_listed=False)}


@pytest.mark.parametrize("name", ["key", "gone"])
async def test_a_list_that_cannot_be_had_is_no_error(seat: Seat, name: str) -> None:
    """The responder starts all the same, and nothing is said of the model."""
    told: dict[str, Listed] = {}
    observers = Observers(listed=told.__setitem__)
    desk = await seat(observers=observers)
    if name == "key":
        desk.stand_in.key = "another"
    else:
        await desk.analyst.aclose()
    await desk.analyst.check_models()
    assert name == "gone" or not told


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": [{"id": "m", "deprecation": "2027-01-01T00:00:00Z"}]}, (True, 1798761600.0)),
        ({"data": [{"id": "m-1", "aliases": ["m"], "deprecation": None}]}, (True, None)),
        ({"data": [{"id": "m:latest"}]}, (True, None)),
        ({"data": [{"id": "n", "aliases": "m"}]}, (False, None)),
        ([{"id": "m", "deprecation": 7e9}], (True, 7e9)),
        ({"data": [{"id": "m", "deprecation": "soon"}]}, (True, None)),
        ({"data": []}, (None, None)),
        ({"data": "m"}, (None, None)),
        ({"models": [{"id": "m"}]}, (None, None)),
        ("<html>", (None, None)),
        (None, (None, None)),
    ],
)
def test_lists_are_read_tolerantly(body: Any, expected: tuple[bool | None, float | None]) -> None:
    """What is no list says nothing."""
    assert told_of(body, "m") == Listed(is_listed=expected[0], retires_at=expected[1])
