"""The tools of a model: what each brings, and that none raises or takes what is not its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from responder.investigation.evidence import Status
from responder.investigation.tool import tools
from responder.investigation.toolbox import MOST_CALLS_A_TURN, Toolbox, described
from responder.investigation.turns import Asked, Looked
from responder.remote import failed
from responder.sources.incidents import IncidentsSource
from responder.sources.runbooks import RunbooksSource
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.laid import Exporter, Prometheus, bench, framed, row

EVERYTHING = ("compare_peers", "list_changes", "look_at_series", "read_runbook")


def box(*sources: object) -> tuple[Toolbox, list[tuple[str, str]]]:
    """Give a toolbox and what it told."""
    told: list[tuple[str, str]] = []
    return Toolbox(bench=bench(*sources), told=lambda *words: told.append(words)), told


async def looked(made: Toolbox, *calls: tuple[str, object]) -> Looked:
    """Make calls, none of them known."""
    asked = [Asked(name=n, arguments=json.dumps(given)) for n, given in calls]
    return await made.look(asked, {}, (), 0, 5.0)


def test_tools_are_offered_where_they_are_of_use() -> None:
    """Without sources those that need none are left, with them the others join."""
    assert box()[0].offered == EVERYTHING
    more = box(Prometheus(), Exporter())[0].offered
    assert set(more) == {*EVERYTHING, "query_metric", "last_exchanges"}
    assert "look_at_past_incidents" in box(IncidentsSource())[0].offered


@pytest.mark.parametrize("kind", tools.kinds())
def test_a_tool_is_described(kind: str) -> None:
    """Each says what it does, and takes no argument that it does not name."""
    function = described(kind)["function"]
    assert function["description"].endswith(".")
    assert function["parameters"]["additionalProperties"] is False


async def test_a_query_comes_back_as_numbers() -> None:
    """Median before and since, the factor, extremes; the query has passed its limits."""
    prometheus = Prometheus(rows=[row(2.0, 6.0, service="chat"), row(1.0, 1.0, service="door")])
    made, told = box(prometheus)
    query = {"query": "sum  by (service) (rate(m_seconds_count[5m]))"}
    found = await looked(made, ("query_metric", query))
    first = found.evidence[0]
    assert (first.id, first.status, told) == ("E3", Status.OK, [("query_metric", "ok")])
    named = {(q.name, q.labels.get("service")): q for q in first.quantities}
    assert named["before", "chat"].value == pytest.approx(2.0, abs=0.05)
    assert named["since the onset", "chat"].value == pytest.approx(6.0, abs=0.05)
    assert named["times as much", "chat"].value == pytest.approx(3.0, abs=0.1)
    assert named["before", "chat"].unit == "per_second"
    assert prometheus.asked == ["sum by (service) (rate(m_seconds_count[5m]))"]
    assert '"id": "E3"' in found.results[0].text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("rate(", "not sent"),
        ('{job="x"}', "without a metric's name"),
        ('{__name__=~".+"}', "without a metric's name"),
        ("rate(m[30d])", "a range over 24 h"),
        ("m offset 60d", "an offset over 192 h"),
        ("max_over_time(m[1h:1s])", "step under"),
        ("max_over_time(min_over_time(m[1h:1m])[1h:1m])", "1 subquery"),
        ("m @ 0", "@ is not taken"),
        ("1 + 1", "names no metric"),
        (" + ".join(["m"] * 9), "8 selectors"),
    ],
)
async def test_a_query_over_the_limits_is_not_sent(query: str, problem: str) -> None:
    """What would read everything, or for ever, is told its limit."""
    prometheus = Prometheus()
    found = await looked(box(prometheus)[0], ("query_metric", {"query": query}))
    assert prometheus.asked == []
    assert found.evidence[0].status is Status.FAILED
    assert problem in found.evidence[0].detail


async def test_what_is_empty_or_fails_says_so() -> None:
    """Neither is taken for health."""
    empty, failing = Prometheus(), Prometheus(answer=failed("answered 503"))
    found = await looked(box(empty)[0], ("query_metric", {"query": "m"}))
    assert (found.evidence[0].status, found.results[0].outcome) == (Status.EMPTY, "empty")
    found = await looked(box(failing)[0], ("query_metric", {"query": "m"}))
    assert (found.evidence[0].status, found.results[0].outcome) == (Status.FAILED, "failed")


async def test_the_same_question_is_asked_once() -> None:
    """In one turn and in later ones; arguments left at their default are the same."""
    prometheus = Prometheus(rows=[row(1.0, 2.0)])
    made, told = box(prometheus)
    twice = ("query_metric", {"query": "m"}), ("query_metric", {"minutes_before": 30, "query": "m"})
    found = await looked(made, *twice)
    assert [each.outcome for each in found.results] == ["ok", "again"]
    assert "see E3" in found.results[1].text
    known = {found.results[0].key: found.results[0]}
    asked = [Asked(name="query_metric", arguments={"query": "m"})]
    again = await made.look(asked, known, found.evidence, 2, 5.0)
    assert again.evidence == ()
    assert again.results[0].evidence == ("E3",)
    assert prometheus.asked == ["m"]
    assert told[-1] == ("query_metric", "again")


async def test_what_is_not_on_offer_is_refused_and_counted() -> None:
    """A name of nobody's, a tool without its source, too many calls, arguments that do not fit."""
    made, told = box()
    found = await looked(
        made,
        ("run_shell", {"command": "rm"}),
        ("query_metric", {"query": "m"}),
        ("look_at_series", {"evidence": "http://evil.example"}),
        ("look_at_series", {"evidence": "E1", "url": "http://evil.example"}),
        ("look_at_series", ["E1"]),
    )
    outcomes = [each.outcome for each in found.results]
    assert outcomes == ["refused", "refused", "invalid", "invalid", "invalid"]
    assert told[0] == ("other", "refused")
    assert "evil" not in "".join(each.text for each in found.results)
    many = [("read_runbook", {"alert": f"A{n}"}) for n in range(MOST_CALLS_A_TURN + 2)]
    found = await looked(made, *many)
    assert [each.outcome for each in found.results].count("refused") == 2


async def test_a_tool_that_raises_is_evidence_that_says_so() -> None:
    """The analysis goes on."""
    made, _ = box(Exporter(failure=RuntimeError("secret")))
    found = await looked(made, ("last_exchanges", {"target": "chat"}))
    assert found.evidence[0].status is Status.FAILED
    assert "secret" not in found.evidence[0].detail


async def test_a_series_of_the_evidence_and_its_peers() -> None:
    """The course of one, and what the others with the same metric did."""
    made, _ = box()
    found = await looked(
        made, ("look_at_series", {"evidence": "E1"}), ("compare_peers", {"evidence": "E1"})
    )
    course, peers = found.evidence
    assert (course.component, course.status) == ("chat", Status.OK)
    medians = [q.value for q in course.quantities if q.name == "median up to"]
    assert medians[0] > 100
    assert abs(medians[-1]) < 10
    assert {q.labels["component"] for q in peers.quantities} == {"embeddings"}
    found = await looked(made, ("look_at_series", {"evidence": "E99"}))
    assert found.evidence[0].status is Status.FAILED


async def test_changes_and_runbooks() -> None:
    """What was announced, and the part of a page under a heading."""
    made, _ = box()
    found = await looked(
        made,
        ("list_changes", {"service": "chat"}),
        ("list_changes", {"service": "door"}),
        ("read_runbook", {"alert": "VigieTargetHung", "heading": "mitigation"}),
        ("read_runbook", {"alert": "Nobody"}),
    )
    statuses = [each.status for each in found.evidence]
    assert statuses == [Status.OK, Status.EMPTY, Status.OK, Status.EMPTY]
    assert "2.1.0" in found.evidence[0].facts["change 1"]
    assert "Restart the engine." in found.evidence[2].detail


async def test_the_page_of_an_alert_that_did_not_fire(tmp_path: Path) -> None:
    """To tell two alike conditions apart, the other's page is read too; a path is no name."""
    (tmp_path / "Other.md").write_text("# Other\n\n## Diagnosis\n\nLook.\n", encoding="utf-8")
    made, _ = box(RunbooksSource(folder=tmp_path))
    found = await looked(
        made,
        ("read_runbook", {"alert": "Other", "heading": "Diagnosis"}),
        ("read_runbook", {"alert": "Other", "heading": "Cure"}),
        ("read_runbook", {"alert": "../Other"}),
        ("read_runbook", {"alert": "Nobody"}),
    )
    statuses = [each.status for each in found.evidence]
    assert statuses == [Status.OK, Status.EMPTY, Status.EMPTY, Status.EMPTY]
    assert found.evidence[0].detail == "## Diagnosis\n\nLook."


def test_the_bench_of_a_brief_without_series() -> None:
    """What needs series is not offered."""
    made = Toolbox(bench=bench(about=brief()), told=lambda *_: None)
    assert made.offered == ("read_runbook",)
    assert framed(brief()).frame is not None
