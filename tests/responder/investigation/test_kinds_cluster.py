"""What a cluster's account adds to an incident: endings, rollouts, and what is no news."""

from __future__ import annotations

import pytest

from responder.investigation.evidence import CauseKind, Evidence, Quantity, Status, Window
from tests.responder.investigation.scene import START, Scene


def account(about: str, component: str, *quantities: Quantity, fact: str = "") -> Evidence:
    """Make the evidence of a cluster about a component, worded as the source words it."""
    return Evidence(
        id="",
        source="kubernetes",
        title=f"{about} of {component}",
        query="/api/v1/pods",
        window=Window(start=START, end=START + 1),
        status=Status.OK,
        component=component,
        quantities=quantities,
        facts={"origin": "kubernetes", "about": about, f"{about} 1": fact},
    )


def stamp(name: str, at: float, **labels: str) -> Quantity:
    """Make a time of the cluster's account."""
    return Quantity(name=name, value=at, unit="timestamp", at=at, labels=labels)


def ended(at: float, reason: str = "Error", code: int = 1) -> Evidence:
    """Make the account of a container of `vectors` that ended."""
    labels = {"pod": "vectors-1", "container": "main", "reason": reason, "exit_code": str(code)}
    fact = f"{reason}, exit code {code}, container main of vectors-1"
    return account("pods", "vectors", stamp("terminated at", at, **labels), fact=fact)


def rolled(at: float) -> Evidence:
    """Make the account of a rollout of `vectors`."""
    labels = {"deployment": "vectors", "revision": "4"}
    fact = "vectors revision 4: vectors:2, was vectors:1"
    return account("rollouts", "vectors", stamp("changed at", at, **labels), fact=fact)


def failing() -> Scene:
    """Make a scene in which the door fails, and what it calls says nothing of itself."""
    scene = Scene()
    scene.late("door", "error_ratio", plus=0.4)
    scene.states["door"], scene.reasons["door"] = "down", "http_5xx"
    return scene


async def first(scene: Scene) -> tuple[str, str, float]:
    """Return component, kind and score of the first suspect."""
    _, ranked, _ = await scene.report("HighErrors", "door")
    lead = ranked.suspects[0]
    return lead.component, lead.kind.value, lead.score


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [("OOMKilled", 137, "out_of_memory"), ("Error", 1, "crash"), ("Error", 137, "crash")],
)
async def test_an_ending_at_the_onset_is_the_cause(reason: str, code: int, kind: str) -> None:
    """Killed for want of memory is that; any other ending but a good one is a crash."""
    scene = failing()
    scene.extra.append(ended(scene.onset - 5, reason, code))
    component, found, _ = await first(scene)
    assert (component, found) == ("vectors", kind)


async def test_the_report_says_so_in_its_own_words() -> None:
    """The pod, the reason and the time are in the lead's text, which stands as verified."""
    scene = failing()
    scene.extra.append(ended(scene.onset - 5, "OOMKilled", 137))
    report, _, _ = await scene.report("HighErrors", "door")
    assert report.causes[0].kind is CauseKind.OUT_OF_MEMORY
    text = " ".join(claim.text for claim in report.causes[0].claims)
    assert "ended with OOMKilled (exit code 137) at " in text
    assert {claim.standing.value for claim in report.causes[0].claims} == {"verified"}


async def test_a_signal_from_outside_is_less_certain() -> None:
    """Who is killed may have been killed for being ill."""
    scores = []
    for code in (1, 137):
        scene = failing()
        scene.extra.append(ended(scene.onset - 5, "Error", code))
        scores.append((await first(scene))[2])
    assert scores[1] < scores[0]


@pytest.mark.parametrize(("code", "before"), [(0, 5.0), (1, 1200.0)])
async def test_what_is_no_crash(code: int, before: float) -> None:
    """A good ending, and one of long before, are none."""
    scene = failing()
    scene.extra.append(ended(scene.onset - before, "Error", code))
    assert (await first(scene))[0] != "vectors"


async def test_who_always_crashes_is_hardly_the_cause() -> None:
    """A loop that began long before the onset harmed nobody then."""
    scene = failing()
    scene.extra.append(ended(scene.onset - 5))
    new = (await first(scene))[2]
    old = stamp("first at", scene.onset - 1500, reason="BackOff", object="vectors-1")
    scene.extra.append(account("events", "vectors", old))
    _, ranked, _ = await scene.report("HighErrors", "door")
    (score,) = [each.score for each in ranked.suspects if each.component == "vectors"]
    assert score < 0.5 * new


async def test_a_rollout_before_the_onset_is_the_cause() -> None:
    """A revision that nobody announced counts like one that was; what crashes then, follows."""
    scene = failing()
    scene.extra.append(rolled(scene.onset - 40))
    assert (await first(scene))[:2] == ("vectors", "bad_rollout")
    scene.extra.append(ended(scene.onset - 5))
    assert (await first(scene))[:2] == ("vectors", "bad_rollout")
    report, _, _ = await scene.report("HighErrors", "door")
    text = " ".join(claim.text for claim in report.causes[0].claims)
    assert "revision 4, at " in text
    assert "55 s before the onset" in text  # the onset is a sample after the trouble
    assert {claim.standing.value for claim in report.causes[0].claims} == {"verified"}


@pytest.mark.parametrize("before", [-400.0, 1400.0])
async def test_other_rollouts_are_not(before: float) -> None:
    """One long before, and one after the onset, are no cause."""
    scene = failing()
    scene.extra.append(rolled(scene.onset - before))
    assert (await first(scene))[0] != "vectors"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("ImagePullBackOff", "bad_rollout"), ("CreateContainerConfigError", "configuration")],
)
async def test_what_cannot_start(reason: str, kind: str) -> None:
    """An image or a configuration that is not there, since about the onset."""
    scene = failing()
    waits = stamp("waiting since", scene.onset - 5, pod="vectors-1", reason=reason)
    scene.extra.append(account("pods", "vectors", waits))
    assert (await first(scene))[:2] == ("vectors", kind)


async def test_a_stranger_to_the_topology_is_no_lead() -> None:
    """What runs elsewhere in the cluster is not blamed before what is called."""
    scene = failing()
    other = ended(scene.onset - 5, "OOMKilled", 137).model_copy(update={"component": "batch"})
    scene.extra.append(other)
    assert (await first(scene))[0] != "batch"
