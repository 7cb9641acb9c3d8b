"""Metrics that cannot be read: what a scrape was answered with tells a gone process from others."""

from __future__ import annotations

import pytest

from responder.investigation.evidence import Evidence, Status, Window
from responder.investigation.report import Confidence
from tests.responder.investigation.scene import START, Scene

REFUSED = 'Get "http://engine:8000/metrics": dial tcp 127.0.0.1:8000: connect: connection refused'
ANSWERED = "server returned HTTP status 503 Service Unavailable"


def blinded(error: str) -> Scene:
    """Make a scene in which the engine's metrics end, and its scrape fails with this."""
    scene = Scene()
    for (service, role, _), values in scene.series.items():
        if service == "engine" and role != "up":
            values[scene.onset_index + 1 :] = float("nan")
    scene.late("engine", "up", 0)
    scene.extra.append(
        Evidence(
            id="",
            source="prometheus",
            title="scrape of engine",
            query="/api/v1/targets",
            window=Window(start=START, end=START + 1),
            status=Status.OK,
            component="engine",
            facts={"error": error, "health": "down", "origin": "scrape"},
        )
    )
    return scene


@pytest.mark.parametrize(
    ("error", "reason", "kind"),
    [
        (REFUSED, "connect", "crash"),
        (ANSWERED, "timeout_first_token", "hung_engine"),
        (ANSWERED, "stall", "hung_engine"),
        (ANSWERED, "stream_error", "internal_error"),
    ],
)
async def test_who_answers_a_scrape_is_not_gone(error: str, reason: str, kind: str) -> None:
    """Refused is gone; a status means alive, and then the junior's reason decides."""
    scene = blinded(error)
    scene.states["engine"], scene.reasons["engine"] = "down", reason
    report, _, _ = await scene.report("TargetDown", "engine")
    assert (report.causes[0].component, report.causes[0].kind) == ("engine", kind)


async def test_without_its_metrics_a_hang_is_not_highly_certain() -> None:
    """What one source alone says is told with less confidence."""
    scene = blinded(ANSWERED)
    scene.states["engine"], scene.reasons["engine"] = "down", "timeout_first_token"
    report, _, _ = await scene.report("TargetDown", "engine")
    assert report.causes[0].confidence is not Confidence.HIGH


async def test_only_the_metrics_are_gone() -> None:
    """The junior is content: it is the monitoring that is broken."""
    report, _, _ = await blinded(ANSWERED).report("ScrapeFails", "engine", severity="warning")
    assert (report.causes[0].component, report.causes[0].kind) == ("engine", "monitoring")
