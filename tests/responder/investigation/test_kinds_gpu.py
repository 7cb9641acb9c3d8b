"""What a graphics processor tells of an incident, and what of it is no fault of the hardware."""

from __future__ import annotations

import pytest

from responder.gpu import COUNTERS, GAUGES, THROTTLED, XID, XID_BEFORE, happenings
from responder.investigation.evidence import CauseKind, Evidence, Quantity, Status, Window
from responder.investigation.kinds_gpu import ORIGIN, XIDS
from tests.responder.investigation.scene import START, Scene
from tests.responder.investigation.test_truths import hang

WHO = {"gpu": "3", "host": "node-7"}


def told(*quantities: Quantity, component: str = "engine") -> Evidence:
    """Make the evidence of a component's processors, as the source words it."""
    return Evidence(
        id="",
        source="nvidia",
        title=f"graphics processors of {component}",
        query="max by (__name__, UUID) (...)",
        window=Window(start=START, end=START + 1),
        status=Status.OK,
        component=component,
        quantities=quantities,
        facts={"origin": ORIGIN, "processors": "8", **happenings(quantities)},
    )


def xid(code: int, at: float | None, name: str = XID) -> Quantity:
    """Make an Xid."""
    return Quantity(name=name, value=code, at=at, labels=WHO)


async def kinds(scene: Scene) -> list[tuple[str, str]]:
    """Return component and kind of each suspect when the engine hangs."""
    _, ranked, _ = await scene.report(*hang(scene))
    return [(each.component, each.kind.value) for each in ranked.suspects]


@pytest.mark.parametrize("code", [48, 79, 95, 140])
async def test_a_fatal_xid_is_the_cause_of_the_hang_and_the_report_says_so(code: int) -> None:
    """The processor, the code, its meaning and the time, each verified, before the hang itself."""
    scene = Scene()
    scene.extra.append(told(xid(code, scene.onset - 15)))
    report, _, _ = await scene.report(*hang(scene))
    first = report.causes[0]
    assert (first.component, first.kind) == ("engine", CauseKind.GPU_HARDWARE)
    text = " ".join(claim.text for claim in first.claims)
    assert f"GPU 3 of node-7 reported Xid {code} ({XIDS[code][0]}) at " in text
    assert {claim.standing.value for claim in first.claims} == {"verified"}


@pytest.mark.parametrize(
    "quantity",
    [
        xid(13, 0.0),  # a program's exception
        xid(43, 0.0),  # a program's fault: the catalogue says that the GPU is healthy
        xid(45, 0.0),  # cleaned up after a program
        xid(63, 0.0),  # memory remapped as it should be
        xid(9999, 0.0),  # nobody knows
        Quantity(name=COUNTERS["DCGM_FI_DEV_PCIE_REPLAY_COUNTER"], value=2, at=0.0, labels=WHO),
        Quantity(name=f"{GAUGES['DCGM_FI_DEV_GPU_TEMP']} since", value=91, labels=WHO),
        xid(79, None, XID_BEFORE),
    ],
)
async def test_what_is_no_fault_of_the_hardware_is_no_suspect(quantity: Quantity) -> None:
    """Whatever stands in it at the onset."""
    scene = Scene()
    at = None if quantity.at is None else scene.onset
    scene.extra.append(told(quantity.model_copy(update={"at": at})))
    found = await kinds(scene)
    assert found[0] == ("engine", "hung_engine")
    assert ("engine", "gpu_hardware") not in found


@pytest.mark.parametrize("away", [-3000.0, 1200.0])
async def test_an_xid_far_from_the_onset_is_another_story(away: float) -> None:
    """One long before harmed nobody then; one long after is what came of it."""
    scene = Scene()
    scene.extra.append(told(xid(79, scene.onset + away)))
    assert ("engine", "gpu_hardware") not in await kinds(scene)


async def test_uncorrectable_memory_errors_and_slowdowns_are_suspected_in_this_order() -> None:
    """Errors of memory lead; a slowdown by heat may be the consequence of load."""
    scores = []
    for name, labels in (
        (COUNTERS["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"], WHO),
        (THROTTLED, {**WHO, "reason": "hardware thermal slowdown"}),
    ):
        scene = Scene()
        scene.extra.append(told(Quantity(name=name, value=1, at=scene.onset, labels=labels)))
        _, ranked, _ = await scene.report(*hang(scene))
        (score,) = [each.score for each in ranked.suspects if each.kind.value == "gpu_hardware"]
        scores.append(score)
    assert scores[0] > scores[1]


async def test_a_component_that_only_its_processors_tell_of_is_a_suspect() -> None:
    """It has no series of its own, and is not in the topology."""
    scene = Scene()
    scene.extra.append(told(xid(79, scene.onset), component="trainer"))
    assert ("trainer", "gpu_hardware") in await kinds(scene)
