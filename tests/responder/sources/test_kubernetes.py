"""The kubernetes source: what its lists become, page by page, and everything that can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pydantic
import pytest
from aiohttp import web

from responder.cluster import moment
from responder.investigation.evidence import Evidence, Status
from responder.sources.kubernetes import KubernetesSource
from tests.responder.sources.cluster_objects import (
    ROOTS,
    at,
    deployment,
    ended,
    listing,
    node,
    pod,
    replica_set,
    serving,
    warning,
)
from tests.responder.sources.far_end import NOW, FarEnd, hang, question
from toolkit.secrets import Secret


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


async def gathered(far: FarEnd, session: aiohttp.ClientSession, **settings: Any) -> list[Evidence]:
    """Ask about the namespace `prod`."""
    deadline = settings.pop("deadline_seconds", 5.0)
    source = KubernetesSource(url=far.url, **{"namespaces": ("prod",), **settings})
    asked = question(session, deadline_seconds=deadline)
    return list((await source.gather(asked)).evidence)


def of(found: list[Evidence], about: str, component: str | None) -> Evidence:
    """Return the one piece of evidence about something of a component."""
    (one,) = (e for e in found if e.facts.get("about") == about and e.component == component)
    return one


def values(found: Evidence, name: str) -> list[float]:
    """Return the values of the quantities of one name."""
    return [each.value for each in found.quantities if each.name == name]


async def test_killed_for_memory_is_a_fact(session: aiohttp.ClientSession) -> None:
    """The container's last ending is told with its reason, code and time; restarts are counted."""
    sick = pod("engine-1", "engine", restartCount=3, lastState=ended("OOMKilled", 137, 300))
    async with FarEnd(answers=serving(pods=listing(sick, pod("door-1", "door")))) as far:
        found = await gathered(far, session)
    pods = of(found, "pods", "engine")
    assert pods.status is Status.OK
    expected = "OOMKilled, exit code 137, container main of engine-1"
    assert pods.facts["termination 1"] == expected
    (ending,) = (each for each in pods.quantities if each.name == "terminated at")
    assert (ending.value, ending.unit, ending.at) == (NOW - 300, "timestamp", NOW - 300)
    assert ending.labels["reason"] == "OOMKilled"
    assert values(pods, "restarts") == [3]
    assert values(of(found, "pods", None), "pods ready") == [1]
    assert pods.query == ROOTS["pods"]


async def test_endings_of_long_ago_are_no_trouble(session: aiohttp.ClientSession) -> None:
    """Restarts since the pod began are no news."""
    old = pod("engine-1", "engine", restartCount=90, lastState=ended("Error", 1, 90_000))
    async with FarEnd(answers=serving(pods=listing(old))) as far:
        found = await gathered(far, session)
    assert {e.component for e in found if e.facts.get("about") == "pods"} == {None}


async def test_what_cannot_start_is_told(session: aiohttp.ClientSession) -> None:
    """The reason for which a container waits, its words cleaned, and since when it is not ready."""
    waiting = {
        "reason": "ImagePullBackOff",
        "message": "no \x1b[1mchat:9\x1b[0m token=abcd1234efgh",
    }
    sick = pod("engine-1", "engine", ready=False, state={"waiting": waiting})
    async with FarEnd(answers=serving(pods=listing(sick))) as far:
        pods = of(await gathered(far, session), "pods", "engine")
    assert pods.facts["pod 1"] == "engine-1: Running, not ready, main waits: ImagePullBackOff"
    assert pods.facts["pod 1 excerpt"].startswith("no chat:9 token=<assigned#")
    assert values(pods, "waiting since") == [NOW - 290]


async def test_a_rollout_has_its_time_and_images(session: aiohttp.ClientSession) -> None:
    """The revision that came in the window, what it replaced, and its component."""
    sets = listing(replica_set(1, "chat:1", 90_000), replica_set(2, "chat:2", 400))
    answers = serving(deployments=listing(deployment()), replicasets=sets)
    async with FarEnd(answers=answers) as far:
        rollouts = of(await gathered(far, session), "rollouts", "engine")
    assert rollouts.facts["rollout 1"] == "chat revision 2: chat:2, was chat:1"
    assert values(rollouts, "changed at") == [NOW - 400]
    assert rollouts.quantities[0].labels == {"deployment": "chat", "revision": "2"}


async def test_a_return_to_an_old_revision_is_a_rollout(session: aiohttp.ClientSession) -> None:
    """Its replica set is old, but the deployment says when it progressed."""
    again = {"deployment.kubernetes.io/revision-history": "1"}
    sets = listing(replica_set(3, "chat:1", 90_000, **again), replica_set(2, "chat:2", 80_000))
    answers = serving(deployments=listing(deployment(200)), replicasets=sets)
    async with FarEnd(answers=answers) as far:
        rollouts = of(await gathered(far, session), "rollouts", "engine")
    assert values(rollouts, "changed at") == [NOW - 200]
    assert rollouts.facts["rollout 1"].endswith("(taken up again)")


async def test_no_rollout_is_empty(session: aiohttp.ClientSession) -> None:
    """Revisions from before the window are none."""
    sets = listing(replica_set(1, "chat:1", 90_000))
    answers = serving(deployments=listing(deployment()), replicasets=sets)
    async with FarEnd(answers=answers) as far:
        assert of(await gathered(far, session), "rollouts", None).status is Status.EMPTY


async def test_warnings_find_their_component(session: aiohttp.ClientSession) -> None:
    """By the pod, by the replica set of a pod that is gone, or nobody's; old ones are left out."""
    events = listing(
        warning("engine-1", "BackOff", "Back-off restarting"),
        warning("chat-2-x7f", "Unhealthy", "probe failed", lastTimestamp=None, count=None),
        warning("stranger", "FailedScheduling", "0/3 nodes"),
        warning("engine-1", "Old", "long ago", lastTimestamp=at(90_000), firstTimestamp=at(90_001)),
    )
    answers = serving(
        pods=listing(pod("engine-1", "engine")),
        events=events,
        replicasets=listing(replica_set(2, "chat:2", 90_000)),
    )
    async with FarEnd(answers=answers) as far:
        found = await gathered(far, session)
    warnings = of(found, "events", "engine")
    assert warnings.facts["event 1"] == "BackOff, Pod engine-1"
    assert warnings.facts["event 1 excerpt"] == "Back-off restarting"
    assert values(warnings, "times") == [9]
    assert values(warnings, "first at") == [NOW - 280]
    asked = [query for path, query in far.asked if path == ROOTS["events"]]
    assert [each["fieldSelector"] for each in asked] == ["type!=Normal"]
    assert of(found, "events", None).facts["event 1"] == "FailedScheduling, Pod stranger"
    assert "long ago" not in str(found)


async def test_a_node_that_is_away_carries_components(session: aiohttp.ClientSession) -> None:
    """Its condition, since when, and whose pods it holds."""
    answers = serving(
        nodes=listing(node("n1"), node("n2", "Unknown")),
        pods=listing(pod("engine-1", "engine", node="n2")),
    )
    async with FarEnd(answers=answers) as far:
        nodes = of(await gathered(far, session), "nodes", None)
    assert nodes.facts["node 1"] == "n2: Ready is Unknown, K"
    assert nodes.facts["node 1 carries"] == "engine"
    assert values(nodes, "nodes with trouble") == [1]


async def test_pages_are_read_to_the_end(session: aiohttp.ClientSession) -> None:
    """Each page is asked for with the token of the one before, up to the limit."""

    def pages(asked: Mapping[str, str]) -> Any:
        number = int(asked.get("continue", "0"))
        token = str(number + 1) if number < 4 else ""
        return listing(pod(f"engine-{number}", "engine", ready=False), token=token)

    async with FarEnd(answers=serving(pods=pages)) as far:
        whole = of(await gathered(far, session), "pods", "engine")
        cut = of(await gathered(far, session, max_items=3), "pods", "engine")
    assert values(whole, "pods") == [5]
    assert whole.detail == ""
    assert values(cut, "pods") == [3]
    assert cut.detail == "only 3 pods were read"


async def test_a_last_page_over_the_limit_is_cut(session: aiohttp.ClientSession) -> None:
    """What a server gives beyond what was asked for is left out, and that is said."""
    pods = listing(*(pod(f"engine-{number}", "engine", ready=False) for number in range(5)))
    async with FarEnd(answers=serving(pods=pods)) as far:
        cut = of(await gathered(far, session, max_items=3), "pods", "engine")
    assert (values(cut, "pods"), cut.detail) == ([3], "only 3 pods were read")


async def test_a_list_that_breaks_off_is_partial(session: aiohttp.ClientSession) -> None:
    """What was read before the server forgot the list is kept, and told to be a part."""

    def expires(asked: Mapping[str, str]) -> Any:
        if "continue" in asked:
            return web.json_response({"kind": "Status", "code": 410}, status=410)
        return listing(pod("engine-1", "engine", ready=False), token="t")

    async with FarEnd(answers=serving(pods=expires)) as far:
        pods = of(await gathered(far, session), "pods", "engine")
    assert pods.status is Status.OK
    assert pods.detail.startswith("only 1 pods were read: answered 410")


async def test_an_endless_empty_list_ends(session: aiohttp.ClientSession) -> None:
    """A page of nothing that promises more is the last one."""
    async with FarEnd(answers=serving(pods=listing(token="more"))) as far:
        found = await gathered(far, session)
    assert [path for path, _ in far.asked].count(ROOTS["pods"]) == 1
    assert of(found, "pods", None).status is Status.EMPTY


def forbidden(_: Any) -> web.Response:
    """Answer as the API does without the right to list."""
    body = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403}
    return web.json_response(body, status=403)


async def test_a_denial_is_failed_with_its_remedy(session: aiohttp.ClientSession) -> None:
    """Which right is missing and where; the other lists are told all the same."""
    async with FarEnd(answers=serving(pods=forbidden, nodes=forbidden)) as far:
        found = await gathered(far, session)
    denied = [each for each in found if each.status is Status.FAILED]
    remedies = {
        "not allowed to list nodes of the cluster (403)": "grant `list` on nodes",
        "not allowed to list pods in namespace prod (403)": "grant `list` on pods",
    }
    expected = [f"{what}; {how} to the account of this token" for what, how in remedies.items()]
    assert [each.detail for each in denied] == expected
    assert of(found, "rollouts", None).status is Status.EMPTY


def redirect(_: Any) -> web.Response:
    """Lead elsewhere."""
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})


@pytest.mark.parametrize(
    ("reply", "status", "told"),
    [
        (redirect, Status.FAILED, "redirects (302)"),
        (lambda _: web.Response(status=401, text="{}"), Status.FAILED, "not accepted (401)"),
        (lambda _: web.Response(status=500, text="etcd"), Status.FAILED, "answered 500: etcd"),
        (lambda _: web.Response(text="<html>"), Status.FAILED, "cannot be read"),
        (lambda _: web.Response(body=b" " * 70_000), Status.FAILED, "larger than 65536 bytes"),
        (lambda _: {"kind": "Pod"}, Status.FAILED, "no list"),
        (lambda _: [], Status.FAILED, "no list"),
        (hang, Status.UNAVAILABLE, "no answer within the deadline"),
    ],
)
async def test_a_misbehaving_server_is_told_once(
    session: aiohttp.ClientSession, reply: Any, status: Status, told: str
) -> None:
    """Each way to go wrong has its status and its words, once for all lists; none raises."""
    async with FarEnd(answers=dict.fromkeys(ROOTS.values(), reply)) as far:
        (found,) = await gathered(far, session, max_bytes=65_536, deadline_seconds=0.5)
    assert found.status is status
    assert told in found.detail
    assert found.query.count("\n") == 4


ODD: tuple[Any, ...] = (None, 5, "x", [], {}, {"status": 5}, {"metadata": [], "spec": "x"})


@pytest.mark.parametrize("item", ODD)
async def test_odd_objects_never_raise(session: aiohttp.ClientSession, item: Any) -> None:
    """Whatever an object is made of, evidence of each list comes of it."""
    answers = {path: (lambda _: listing(item)) for path in ROOTS.values()}
    async with FarEnd(answers=answers) as far:
        found = await gathered(far, session)
    assert {each.facts["about"] for each in found} == {"pods", "rollouts", "events", "nodes"}


async def test_odd_fields_never_raise(session: aiohttp.ClientSession) -> None:
    """Fields of other types than they should have are passed over."""
    odd = pod(
        "engine-1", "engine", restartCount="many", lastState={"terminated": {"finishedAt": 7}}
    )
    odd["status"]["conditions"] = [{"type": 7, "status": None, "lastTransitionTime": "when"}]
    strange = {"count": 1 << 70, "series": {"count": []}, "lastTimestamp": [], "message": {}}
    events = listing(warning("engine-1", "X", "y") | strange)
    async with FarEnd(answers=serving(pods=listing(odd), events=events)) as far:
        pods = of(await gathered(far, session), "pods", "engine")
    assert values(pods, "restarts") == [0]


@pytest.mark.parametrize("text", ["", "x", None, 5, "2026-01-01T00:00:00", "9999-99-99T00:00:00Z"])
def test_what_is_no_time_is_none(text: Any) -> None:
    """Neither other types nor times without a zone are guessed at."""
    assert moment(text) != moment(text)


async def test_the_token_goes_along(session: aiohttp.ClientSession) -> None:
    """Each question carries it."""
    async with FarEnd(answers=serving()) as far:
        await gathered(far, session, bearer=Secret(place="test", value="t0ken"))
    assert {each["Authorization"] for each in far.headers} == {"Bearer t0ken"}


async def test_without_namespaces_all_are_listed(session: aiohttp.ClientSession) -> None:
    """The lists of the whole cluster are asked for; nodes can be left out."""
    answers = {path.replace("/namespaces/prod", ""): a for path, a in serving().items()}
    async with FarEnd(answers=answers) as far:
        found = await gathered(far, session, namespaces=(), nodes=False)
    assert "/api/v1/pods" in {path for path, _ in far.asked}
    assert "/api/v1/nodes" not in {path for path, _ in far.asked}
    assert all(each.status is not Status.FAILED for each in found)


async def test_many_lists_are_asked_a_few_at_a_time(session: aiohttp.ClientSession) -> None:
    """No more than four at once, however many namespaces there are."""
    now = most = 0

    async def slow(_: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)  # so that any number of others can come in the meantime
        now -= 1
        return listing()

    names = tuple(f"n{number}" for number in range(9))
    answers = {path.replace("prod", name): slow for name in names for path in ROOTS.values()}
    async with FarEnd(answers=answers) as far:
        await gathered(far, session, namespaces=names)
    assert 1 <= most <= 4
    assert len(far.asked) == 4 * 9 + 1


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "https://k", "kubeconfig": "/k"},
        {"url": "https://k", "context": "c"},
        {"url": "https://k", "namespaces": ("Prod",)},
        {"url": "https://k", "component_labels": ()},
        {"url": "https://k", "component_labels": ("a b",)},
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any]) -> None:
    """Two places at once, a context of nothing, and names that Kubernetes does not allow."""
    with pytest.raises(pydantic.ValidationError):
        KubernetesSource(**settings)
