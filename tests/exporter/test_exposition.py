"""The exposition: both formats parse, each family once, and renderings are kept."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition import Exposition
from exporter.histogram import Histogram
from exporter.instruments import Instruments
from exporter.metrics import DURATION, FAMILIES, FIRST_TOKEN
from exporter.probes.http import Http
from exporter.probes.openai_chat import OpenAIChat
from exporter.record import TargetRecord
from exporter.sheet import Shown
from exporter.target import CheckResult, Observation, Outcome, PromptKind, Reason, Skip, State

SEEN = Observation(
    duration_seconds=0.3,
    first_token_seconds=0.5,
    first_answer_seconds=0.6,
    time_per_output_token_seconds=0.01,
    chunk_gap_max_seconds=0.02,
    stream_buffered=False,
    prompt_tokens=3,
    output_tokens=5,
    served_model='m"1\\\n',
    status_code=200,
    retirement_timestamp_seconds=1.9e9,
)
OUTCOME = Outcome(
    canary="alive",
    prompt=PromptKind.WARM,
    finished_timestamp_seconds=1.7e9,
    observation=SEEN,
    reason=None,
    state=State.OK,
    checks=(CheckResult(check="regex", passed=True),),
    phases={"connect": 0.001},
    certificate_expiry_timestamp_seconds=1.8e9,
    ratelimit_remaining={"requests": 0.5},
)


def whole_record(name: str = "chat") -> TargetRecord:
    """Make a record that has samples of every family, hostile labels among them."""
    target = OpenAIChat.model_validate(
        {
            "name": name,
            "url": "http://h:1",
            "model": "m",
            "labels": {"team": 'a "quoted" \\ back'},
            "budget": {"tokens_per_day": 1000},
        }
    )
    record = TargetRecord(target, now=0.0)
    record.skip(Skip.BUDGET, now=0.0)
    record.finish(replace(OUTCOME, reason=Reason.EMPTY, state=State.WRONG), now=0.0)
    record.judge(record.questions[0], None)
    record.finish(OUTCOME, now=1.0)
    record.hear_native({"vllm:num_requests_waiting": True})
    return record


def text_of(shown: Shown) -> bytes:
    """Put the blocks together."""
    return b"".join(shown.blocks())


def rendered(records: list[TargetRecord], *, openmetrics: bool) -> str:
    """Render records and the exporter's own metrics."""
    fleet = text_of(Exposition().render(records, now=2.0, openmetrics=openmetrics))
    return (fleet + Instruments().render(openmetrics=openmetrics)).decode()


def test_every_family_is_rendered_once_and_parses() -> None:
    """Each family has one HELP and TYPE, in both formats, with all targets' series together."""
    records = [whole_record("a"), whole_record("b")]
    for text, families in (
        (rendered(records, openmetrics=False), parse_text),
        (rendered(records, openmetrics=True), parse_openmetrics),
    ):
        found = [family.name for family in families(text)]
        assert len(found) == len(set(found))
        assert {family.name.removesuffix("_total") for family in FAMILIES} <= set(found)


def test_labels_come_back_as_they_were() -> None:
    """Quotes, backslashes and line ends are escaped."""
    text = rendered([whole_record()], openmetrics=False)
    by_name = {family.name: family for family in parse_text(text)}
    info = by_name["vigie_target_info"].samples[0].labels
    assert info["label_team"] == 'a "quoted" \\ back'
    assert by_name["vigie_model_info"].samples[0].labels["served_model"] == 'm"1\\'


def test_both_formats_have_the_same_samples() -> None:
    """`le` is written "1.0" in both, and so is every value; exemplars follow in OpenMetrics."""
    lines = [
        {
            line.partition(" # {run_id=")[0]
            for line in rendered([whole_record()], openmetrics=om).splitlines()
            if "vigie_" in line
        }
        for om in (False, True)
    ]
    samples = [{line for line in each if not line.startswith("#")} for each in lines]
    fleet = [{line for line in each if "vigie_exporter" not in line} for each in samples]
    assert fleet[0] == fleet[1]
    assert any('le="1.0"' in line for line in fleet[0])


def test_objectives_have_their_bounds() -> None:
    """The thresholds that objectives use are bucket bounds."""
    assert {0.5, 1.0, 2.0} <= set(FIRST_TOKEN.buckets)
    assert {0.5, 1.0, 2.0} <= set(DURATION.buckets)
    for family in FAMILIES:
        assert list(family.buckets) == sorted(set(family.buckets))
        assert (family.kind == "histogram") is bool(family.buckets)
        assert (family.kind == "counter") is family.name.endswith("_total")
        assert family.help


def test_histogram_bound_is_inclusive() -> None:
    """A value equal to a bound is in its bucket; the last bucket is all."""
    histogram = Histogram((0.5, 1.0))
    for value in (0.5, 0.6, 7.0):
        histogram.observe(value, 1.7e9)
    values = {
        sample.suffix + str(dict(sample.labels)): sample.value for sample in histogram.samples()
    }
    assert list(values.values()) == [1, 2, 3, pytest.approx(8.1), 3]


def test_unchanged_fleet_is_not_rendered_again() -> None:
    """Nothing changed: the same thing is shown; a change of one target shows another."""
    exposition = Exposition()
    records = [whole_record("a"), whole_record("b")]
    before = exposition.render(records, now=2.0, openmetrics=False)
    assert exposition.render(records, now=2.0, openmetrics=False) is before
    records[0].skip(Skip.WAITING, now=2.0)
    after = exposition.render(records, now=2.0, openmetrics=False)
    moved = set(text_of(after).splitlines()) - set(text_of(before).splitlines())
    assert b'vigie_probe_skipped_total{target="a",reason="waiting"} 1' in moved
    assert all(b'target="a"' in line for line in moved)


def test_what_was_shown_stays_as_it_was() -> None:
    """A scrape under way is not mixed with what came after it."""
    exposition = Exposition()
    records = [whole_record("a"), whole_record("b")]
    before = exposition.render(records, now=2.0, openmetrics=True)
    text = text_of(before)
    records[1].skip(Skip.WAITING, now=2.0)
    exposition.render(records[1:], now=2.0, openmetrics=True)
    assert text_of(before) == text
    assert text_of(before) == text  # the second time on, from what is kept


def test_kept_rendering_is_as_a_new_one() -> None:
    """Whatever targets do, come or go, what was kept never differs from a rendering afresh."""
    exposition = Exposition()
    records = [whole_record(name) for name in "abc"]
    for turn in range(30):
        record = records[turn % len(records)]
        if turn % 5 == 0:
            records = [*records[1:], whole_record(f"n{turn}")]
        elif turn % 5 == 1:
            failed = replace(OUTCOME, reason=Reason.CONNECT, state=State.DOWN, phases={})
            record.finish(failed, now=2.0 + turn)
        elif turn % 5 == 2:
            record.finish(replace(OUTCOME, finished_timestamp_seconds=1.7e9 + turn), now=2.0 + turn)
        elif turn % 5 == 3:
            records = records[::-1]
        for openmetrics in (False, True):
            now = 2.0 + 10 * turn
            kept = exposition.render(records, now=now, openmetrics=openmetrics)
            anew = Exposition().render(records, now=now, openmetrics=openmetrics)
            assert text_of(kept) == text_of(anew)
            assert kept.series == anew.series


def test_exemplars_name_the_run_in_openmetrics_alone() -> None:
    """Each bucket's last run is found again by its id; the text format has no exemplars."""
    record = whole_record("a")
    text = rendered([record], openmetrics=False)
    assert "run_id" not in text
    assert list(parse_text(text))
    families = parse_openmetrics(rendered([record], openmetrics=True))  # type: ignore[no-untyped-call]
    found = {
        (family.name, sample.labels["le"]): sample.exemplar
        for family in families
        for sample in family.samples
        if sample.exemplar is not None
    }
    exemplar = found["vigie_llm_time_to_first_token_seconds", "0.5"]
    assert exemplar.labels == {"run_id": record.history.runs()[0].run_id}
    assert (exemplar.value, float(exemplar.timestamp)) == (0.5, 1.7e9)
    assert ("vigie_llm_time_to_first_token_seconds", "10.0") not in found
    histograms = {family.name for family in FAMILIES if family.kind == "histogram"}
    assert {name for name, _ in found} == histograms


def test_series_past_the_cap_are_left_out_by_whole_targets() -> None:
    """No target is shown in part, and what is left out is counted."""
    exposition = Exposition()
    records = [whole_record(name) for name in "abc"]
    whole = exposition.render(records, now=2.0, openmetrics=True)
    each = whole.series // 3
    assert (whole.series, whole.left_out) == (3 * each, 0)
    assert sum(not line.startswith(b"#") for line in text_of(whole).splitlines()) == 3 * each
    most = 3 * each - 1
    capped = exposition.render(records, now=2.0, openmetrics=True, most_series=most)
    assert (capped.series, capped.left_out) == (2 * each, each)
    assert b'target="b"' in text_of(capped)
    assert b'target="c"' not in text_of(capped)
    none = exposition.render(records, now=2.0, openmetrics=True, most_series=1)
    assert (none.series, none.left_out) == (0, 3 * each)
    assert text_of(none) == b""


async def test_what_is_due_is_done_while_a_large_fleet_is_rendered() -> None:
    """The loop turns often meanwhile, and the bytes are those of one piece."""
    records = [whole_record(f"t{number}") for number in range(300)]
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    shown = await Exposition().render_between(records, now=2.0, openmetrics=True)
    turning.cancel()
    whole = Exposition().render(records, now=2.0, openmetrics=True)
    assert text_of(shown) == text_of(whole)
    assert turns > 3


def test_target_that_is_gone_leaves_nothing() -> None:
    """After a reload without a target, none of its series is shown."""
    exposition = Exposition()
    exposition.render([whole_record("a"), whole_record("b")], now=2.0, openmetrics=False)
    assert b'"a"' not in text_of(exposition.render([whole_record("b")], now=2.0, openmetrics=False))


def test_staleness_is_rendered_without_a_new_run() -> None:
    """Time alone takes the measurements away, although nothing was recorded."""
    exposition = Exposition()
    records = [TargetRecord(Http(name="a", url="http://h", interval=10), now=0.0)]
    records[0].finish(OUTCOME_HTTP, now=0.0)
    fresh = exposition.render(records, now=1.0, openmetrics=False)
    assert b"vigie_probe_success" in text_of(fresh)
    stale = exposition.render(records, now=31.0, openmetrics=False)
    assert b"vigie_probe_success" not in text_of(stale)


OUTCOME_HTTP = replace(OUTCOME, canary="", prompt=None, checks=())


def test_promtool_finds_nothing(programs: Mapping[str, Path]) -> None:
    """Names, types and units are as Prometheus' linter wants them."""
    text = rendered([whole_record("a"), whole_record("b")], openmetrics=False)
    checked = subprocess.run(
        [programs["promtool"], "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
