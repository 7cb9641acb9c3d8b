"""Eleven troubles, told apart as an engineer would tell them, among red herrings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from responder.investigation.report import Confidence, Standing
from tests.responder.investigation.scene import START, Scene, concluded, stages

Trouble = Callable[[Scene], tuple[str, str]]


def hang(scene: Scene) -> tuple[str, str]:
    """Stop the engine: tokens at zero, requests pile up, the process lives."""
    scene.late("engine", "tokens", 0)
    scene.late("engine", "queue", 0, 20)
    scene.late("engine", "in_flight", 1, 25)
    scene.late("engine", "traffic", 0.1)
    scene.late("door", "in_flight", 1, 25)
    scene.late("door", "latency", 20)
    scene.states["engine"], scene.reasons["engine"] = "hung", "timeout_first_token"
    return "TargetHung", "engine"


def slow_first_token(scene: Scene) -> tuple[str, str]:
    """Put a second before each first token; nothing waits, the load is the usual one."""
    scene.late("engine", "first_token", 1, 1.0)
    scene.late("engine", "latency", 1, 1.0)
    scene.late("engine", "running", 4)
    scene.late("door", "latency", 1, 0.7)
    scene.late("door", "upstream_latency", 1, 1.0, peer="engine")
    scene.states["engine"] = "degraded"
    return "TargetDegraded", "engine"


def slow_tokens(scene: Scene) -> tuple[str, str]:
    """Let each token take five times as long."""
    scene.late("engine", "token_gap", 5)
    scene.late("engine", "latency", 4.5)
    scene.late("engine", "running", 4)
    scene.late("door", "latency", 3)
    scene.states["engine"] = "degraded"
    return "TargetDegraded", "engine"


def wrong_answer(scene: Scene) -> tuple[str, str]:
    """Let only the text tell."""
    scene.states["engine"], scene.reasons["engine"] = "wrong", "wrong_answer"
    return "WrongAnswers", "engine"


def stream_error(scene: Scene) -> tuple[str, str]:
    """Put an error inside a 200: fewer tokens, shorter answers."""
    scene.late("engine", "tokens", 0.2)
    scene.late("engine", "latency", 0.3)
    scene.states["engine"], scene.reasons["engine"] = "down", "stream_error"
    return "TargetDown", "engine"


def http_500(scene: Scene) -> tuple[str, str]:
    """Let the vector server answer 500, and the door pass it on."""
    scene.late("vectors", "error_ratio", 0, 1.0)
    scene.late("door", "error_ratio", 0, 0.33)
    scene.late("door", "upstream_error_ratio", 0, 1.0, peer="vectors")
    scene.states["vectors"], scene.reasons["vectors"] = "down", "http_5xx"
    return "TargetDown", "vectors"


def crash(scene: Scene) -> tuple[str, str]:
    """Take the judge's process away; its series end; what it reads gets no requests."""
    for role in ("traffic", "latency", "in_flight", "memory", "started", "error_ratio"):
        scene.of("judge", role)[scene.onset_index + 1 :] = np.nan
    scene.late("judge", "up", 0)
    scene.late("facts", "traffic", 0)
    scene.states["judge"], scene.reasons["judge"] = "down", "connect"
    return "TargetDown", "judge"


def saturation(scene: Scene) -> tuple[str, str]:
    """Send four times the traffic: a long queue, late first tokens, slower steps."""
    for service in ("door", "engine"):
        scene.late(service, "traffic", 4)
        scene.late(service, "latency", 12)
    scene.late("engine", "queue", 0, 60)
    scene.late("engine", "running", 0, 32)
    scene.late("engine", "tokens", 4)
    scene.late("engine", "first_token", 1, 3)
    scene.late("engine", "token_gap", 3)
    scene.states["engine"], scene.reasons["engine"] = "saturated", "timeout_first_token"
    return "TargetSaturated", "engine"


def bad_rollout(scene: Scene) -> tuple[str, str]:
    """Deploy facts; the judge, which reads it, then fails with a text that names it."""
    scene.change("facts", before=2)
    scene.late("judge", "error_ratio", 0, 0.9)
    started = scene.of("facts", "started")
    started[scene.onset_index :] = scene.onset - scene.step
    scene.states["judge"], scene.reasons["judge"] = "down", "http_5xx"
    scene.texts["judge"] = '{"error": "facts of customer-7: no column risk"}'
    return "TargetDown", "judge"


def dependency_slow(scene: Scene) -> tuple[str, str]:
    """Make facts 600 ms slower, and so is the judge that waits for it."""
    scene.late("facts", "latency", 1, 0.6)
    scene.late("judge", "upstream_latency", 1, 0.6, peer="facts")
    scene.late("judge", "latency", 1, 0.6)
    scene.states["judge"] = "degraded"
    return "TargetDegraded", "judge"


def certificate(scene: Scene) -> tuple[str, str]:
    """Let the door show a certificate that ends in two days."""
    ends = np.full(scene.count, START + 90 * 86_400)
    ends[scene.onset_index :] = scene.onset + 2 * 86_400
    scene.put("door", "certificate_end", "vigie_tls_certificate_expiry_timestamp_seconds", ends)
    return "VigieCertificateExpiry", "door"


TRUTHS: dict[Trouble, tuple[str, str]] = {
    hang: ("engine", "hung_engine"),
    slow_first_token: ("engine", "slow_engine"),
    slow_tokens: ("engine", "slow_engine"),
    wrong_answer: ("engine", "model_regression"),
    stream_error: ("engine", "internal_error"),
    http_500: ("vectors", "internal_error"),
    crash: ("judge", "crash"),
    saturation: ("engine", "traffic_surge"),
    bad_rollout: ("facts", "bad_rollout"),
    dependency_slow: ("facts", "dependency"),
    certificate: ("door", "certificate"),
}
every_trouble = pytest.mark.parametrize("trouble", TRUTHS, ids=lambda trouble: trouble.__name__)


@every_trouble
@pytest.mark.parametrize("step", [1.0, 15.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2])
async def test_the_first_cause_is_the_true_one(trouble: Trouble, step: float, seed: int) -> None:
    """Whatever the scrape interval and the noise, the report's first cause is the true one."""
    scene = Scene(step=step, seed=seed)
    scene.change("billing", "config", before=1)
    scene.change("search", "other", before=4)
    alert, target = trouble(scene)
    report, ranked, _ = await scene.report(alert, target)
    assert (report.causes[0].component, report.causes[0].kind.value) == TRUTHS[trouble]
    assert abs(ranked.onset_at - scene.onset) <= 3 * step or trouble is certificate


@every_trouble
async def test_every_claim_of_the_embedded_report_is_grounded(trouble: Trouble) -> None:
    """What code writes from evidence is found in it again, number by number."""
    scene = Scene()
    report, _, _ = await scene.report(*trouble(scene))
    assert report.unverified == ()
    for cause in report.causes:
        assert all(claim.standing is Standing.VERIFIED for claim in cause.claims)


@every_trouble
async def test_the_same_evidence_gives_the_same_report(trouble: Trouble) -> None:
    """Two runs on the same evidence are the same, byte for byte."""
    first, second = Scene(), Scene()
    one = await first.report(*trouble(first))
    two = await second.report(*trouble(second))
    assert one[0].model_dump_json() == two[0].model_dump_json()
    assert one[1].model_dump_json() == two[1].model_dump_json()


@every_trouble
async def test_an_earlier_incident_in_the_window_does_not_mislead(trouble: Trouble) -> None:
    """A slow engine half a window ago is another story."""
    scene = Scene()
    for role in ("latency", "first_token", "token_gap"):
        scene.of("engine", role)[50:75] *= 30
    alert, target = trouble(scene)
    report, _, _ = await scene.report(alert, target)
    assert (report.causes[0].component, report.causes[0].kind.value) == TRUTHS[trouble]


@every_trouble
async def test_an_old_change_of_the_culprit_is_no_rollout(trouble: Trouble) -> None:
    """A deployment long before, after which all was well, does not make it a rollout."""
    scene = Scene()
    alert, target = trouble(scene)
    if trouble is bad_rollout:
        return
    scene.change(TRUTHS[trouble][0], before=60)
    report, _, _ = await scene.report(alert, target)
    assert (report.causes[0].component, report.causes[0].kind.value) == TRUTHS[trouble]


async def test_without_any_source_the_report_still_comes_and_says_so() -> None:
    """The alert alone gives a report of low confidence that tells what was not seen."""
    scene = Scene()
    incident = scene.incident("Strange", "engine")
    gathered = await stages().gather(incident, ())
    report, _, _ = await concluded(incident, gathered, ())
    assert report.causes[0].kind.value == "unknown"
    assert report.causes[0].confidence is Confidence.LOW
    assert any("alert alone" in note for note in report.notes)
    assert {each.status.value for each in report.coverage} >= {"ok", "unavailable"}


async def test_a_certificate_alert_names_its_cause_without_any_source() -> None:
    """The alert's name says enough where nothing else can be seen."""
    scene = Scene()
    incident = scene.incident("VigieCertificateExpiry", "door")
    gathered = await stages().gather(incident, ())
    report, _, _ = await concluded(incident, gathered, ())
    assert report.causes[0].kind.value == "certificate"
