"""Conformance: every registered probe and check holds its contract; none is named here."""

from __future__ import annotations

import math
from typing import Any

import pytest

import exporter.checks
import exporter.probes  # noqa: F401 - registers the kinds
from exporter.check import checks
from exporter.probe import Probe, Question, probes
from exporter.run import perform
from exporter.target import CheckResult, Exchange, Observation, Reason, Target, Times
from exporter.transport import Request

VALUES: dict[str, Any] = {
    "json_schema": {"type": "object"},
    "pattern": "a",
    "limit": 1.0,
    "value": 1.0,
    "options": ("a", "b"),
}
GIVEN: dict[str, dict[str, Any]] = {"Cosine": {"vector": (1.0, 2.0)}}
"""What a model needs though no single field is required."""

ODD = (
    Observation(),
    Observation(answer="\0" * 10, first_token_seconds=0.0, duration_seconds=1e9),
    Observation(answer="[" * 70_000),
    Observation(answer="{}", document={"a": [None]}),
    Observation(answer="\ud800", document=[]),
    Observation(answer="1e999 " * 10, vector=(math.inf, math.nan), output_tokens=0),
    Observation(answer="9" * 70_000, vector=(), finish_reason="content_filter"),
    Observation(answer="1,000" * 20_000, vector=(0.0, 0.0), document=[{"a": "a" * 70_000}] * 9),
)


def made(model: type[Any]) -> Any:
    """Make a plug-in with a value for each field that it requires."""
    fields: dict[str, Any] = {
        name: VALUES.get(name, "a")
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    fields |= GIVEN.get(model.__name__, {})
    if issubclass(model, Target):
        fields |= {"name": "t", "url": "http://127.0.0.1:1"}
    return model(**fields)


class Dead:
    """A transport whose every exchange fails in the same way."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def exchange(self, request: Request) -> Exchange:
        """Give the exchange, whatever is asked."""
        del request
        return self._exchange


@pytest.mark.parametrize("kind", [*checks.kinds()])
def test_check_says_something_of_anything(kind: str) -> None:
    """A check is frozen, names itself by its kind, and raises for no observation."""
    check = made(checks.get(kind))
    assert checks.kind_of(check) == kind
    assert check.model_config["frozen"]
    for observation in ODD:
        result = check.examine(observation)
        assert isinstance(result, CheckResult)
        assert result.check == kind
        assert result.passed or result.detail


@pytest.mark.parametrize("kind", [*probes.kinds()])
@pytest.mark.parametrize("failure", [None, *Reason])
@pytest.mark.parametrize("status", [None, 200, 204, 301, 418, 500, 999])
async def test_probe_reads_any_exchange(
    kind: str, failure: Reason | None, status: int | None
) -> None:
    """A probe is a frozen Target, asks something, and gives an outcome for any exchange."""
    target = made(probes.get(kind))
    assert isinstance(target, Target)
    assert isinstance(target, Probe)
    exchange = Exchange(times=Times(begin=1.0, end=2.0), status=status, failure=failure)
    questions = target.questions()
    assert questions
    assert all(isinstance(question, Question) for question in questions)
    for question in questions:
        run = await perform(target, question, Dead(exchange))
        assert run.reason is not Reason.INTERNAL or failure is Reason.INTERNAL
        assert failure is None or run.reason is not None


@pytest.mark.parametrize("kind", [*probes.kinds()])
async def test_probe_that_breaks_is_internal(kind: str) -> None:
    """A defect of ours ends in the reason internal, not in an exception."""

    class Broken:
        async def exchange(self, request: Request) -> Exchange:
            raise RuntimeError(f"a defect ({request.method})")

    target = made(probes.get(kind))
    run = await perform(target, target.questions()[0], Broken())
    assert run.reason is Reason.INTERNAL
