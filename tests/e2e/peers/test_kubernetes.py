"""The kubernetes source against a real API server: objects made through it, rights given by it."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from responder.access import Tls
from responder.investigation.evidence import Evidence, Status, Window
from responder.source import Question, Topology
from responder.sources.kubernetes import KubernetesSource
from tests.e2e.peers.backends import ADMIN, NOBODY, ControlPlane, control_plane
from tests.e2e.peers.servers import running
from tests.responder.sources.far_end import incident
from toolkit.secrets import Secret

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

LABEL = {"app.kubernetes.io/name": "chat"}
NOW = time.time()
MANY = 260
"""More events than one page of a list holds."""


def at(before_seconds: float) -> str:
    """Write a time so long ago as the API does."""
    when = dt.datetime.fromtimestamp(NOW - before_seconds, dt.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """What makes objects, as the administrator."""

    session: aiohttp.ClientSession
    url: str

    async def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object; what a controller would do to its status is said in its stead."""
        async with self.session.post(f"{self.url}{path}", json=body) as answer:
            assert answer.status == 201, await answer.text()
            made: dict[str, Any] = await answer.json()
        if "status" in body:
            where = f"{self.url}{path}/{made['metadata']['name']}/status"
            kind = {"Content-Type": "application/merge-patch+json"}
            patch = {"status": body["status"]}
            async with self.session.patch(where, json=patch, headers=kind) as answer:
                assert answer.status == 200, await answer.text()
        return made


async def furnish(api: Api) -> None:
    """Make a deployment rolled out twice, two pods of it, a node that is away, and warnings."""
    core, apps = "/api/v1/namespaces/prod", "/apis/apps/v1/namespaces/prod"
    await api.make("/api/v1/namespaces", {"metadata": {"name": "prod"}})
    ready: dict[str, Any] = {"type": "Ready", "status": "Unknown"}
    ready |= {"reason": "NodeStatusUnknown"}
    ready |= {"lastTransitionTime": at(100), "lastHeartbeatTime": at(150)}
    status = {"conditions": [ready]}
    await api.make("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    template: dict[str, Any] = {
        "metadata": {"labels": LABEL},
        "spec": {"containers": [{"name": "main", "image": "chat:1"}]},
    }
    spec = {"selector": {"matchLabels": LABEL}, "template": template}
    meta: dict[str, Any] = {"name": "chat", "labels": LABEL}
    deployment = await api.make(f"{apps}/deployments", {"metadata": meta, "spec": spec})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "controller": True}
    owner["uid"] = deployment["metadata"]["uid"]
    for revision in ("1", "2"):
        meta = {"name": f"chat-{revision}", "labels": LABEL, "ownerReferences": [owner]}
        meta["annotations"] = {"deployment.kubernetes.io/revision": revision}
        template["spec"]["containers"][0]["image"] = f"chat:{revision}"
        await api.make(f"{apps}/replicasets", {"metadata": meta, "spec": spec})
    await api.make(f"{core}/pods", killed(template))
    about = {"kind": "Pod", "name": "chat-2-abc", "namespace": "prod"}
    event = {"type": "Warning", "reason": "BackOff", "message": "Back-off restarting", "count": 4}
    event |= {"firstTimestamp": at(280), "lastTimestamp": at(30), "involvedObject": about}
    await api.make(f"{core}/events", {"metadata": {"name": "backoff"}, **event})
    for number in range(MANY):
        about = {"kind": "Pod", "name": "stranger", "namespace": "prod"}
        body = {"metadata": {"name": f"e{number}"}, **event, "involvedObject": about}
        await api.make(f"{core}/events", body)


def killed(template: dict[str, Any]) -> dict[str, Any]:
    """Make a pod whose container was killed for want of memory and waits."""
    ended = {"reason": "OOMKilled", "exitCode": 137, "startedAt": at(400), "finishedAt": at(300)}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}
    container = {
        "name": "main",
        "image": "chat:2",
        "imageID": "",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": waiting},
        "lastState": {"terminated": ended},
    }
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": at(300)}
    return {
        "metadata": {"name": "chat-2-abc", **template["metadata"]},
        "spec": {**template["spec"], "nodeName": "n1"},
        "status": {
            "phase": "Running",
            "conditions": [ready],
            "containerStatuses": [container],
        },
    }


async def allow(api: Api) -> None:
    """Let the user `vigie` list the pods and events of prod, and nothing else."""
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/prod"
    rule = {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]}
    await api.make(f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "vigie"}],
    }
    await api.make(f"{rbac}/rolebindings", binding)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ControlPlane]:
    """Run etcd and the API server, with a namespace that has seen trouble."""
    made = control_plane(cache, tmp_path_factory.mktemp("peers") / "plane")
    async with running(made.etcd), running(made.apiserver):
        headers = {"Authorization": f"Bearer {ADMIN}"}
        connector = aiohttp.TCPConnector(ssl=made.authority.client())
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            api = Api(session=session, url=made.url)
            await furnish(api)
            await allow(api)
        yield made


async def gathered(plane: ControlPlane, **settings: Any) -> list[Evidence]:
    """Ask the source about the last hour of the namespace."""
    where = {"url": plane.url, "tls": Tls(ca_file=plane.authority.ca)}
    if "kubeconfig" in settings:
        where = {}
    source = KubernetesSource(**{"namespaces": ("prod",), "timeout": 30.0, **where, **settings})
    async with aiohttp.ClientSession() as session:
        asked = Question(
            incident=incident({"alertname": "Slow", "service": "chat"}, fired_at=NOW - 60),
            window=Window(start=NOW - 3600, end=time.time()),
            step_seconds=0.0,
            topology=Topology(),
            changes=(),
            session=session,
            deadline_seconds=30.0,
        )
        return list((await source.gather(asked)).evidence)


def token(value: str) -> Secret:
    """Hold a token as a setting does."""
    return Secret(place="test", value=value)


def of(found: list[Evidence], about: str, component: str | None) -> Evidence:
    """Return the one piece of evidence about something of a component."""
    (one,) = (e for e in found if e.facts.get("about") == about and e.component == component)
    return one


def values(found: Evidence, name: str) -> list[float]:
    """Return the values of the quantities of one name."""
    return [each.value for each in found.quantities if each.name == name]


async def test_all_of_it_is_told(plane: ControlPlane) -> None:
    """The killed container, both rollouts, the warnings page by page, and the node."""
    found = await gathered(plane, bearer=token(ADMIN))
    assert {each.status for each in found} == {Status.OK}, [each.detail for each in found]
    pods = of(found, "pods", "chat")
    assert pods.facts["termination 1"] == "OOMKilled, exit code 137, container main of chat-2-abc"
    assert values(pods, "terminated at") == [int(NOW - 300)]
    assert values(pods, "waiting since") == [int(NOW - 300)]
    rollouts = of(found, "rollouts", "chat")
    assert "chat revision 2: chat:2, was chat:1" in rollouts.facts.values()
    assert all(NOW - 60 < each <= time.time() for each in values(rollouts, "changed at"))
    assert of(found, "events", "chat").facts["event 1"] == "BackOff, Pod chat-2-abc"
    assert values(of(found, "events", "chat"), "times") == [4]
    strangers = of(found, "events", None)
    assert strangers.detail == ""
    assert of(found, "nodes", None).facts["node 1"] == "n1: Ready is Unknown, NodeStatusUnknown"
    assert of(found, "nodes", None).facts["node 1 carries"] == "chat"


async def test_a_limit_is_said(plane: ControlPlane) -> None:
    """No more is read than allowed, over the edge of a page as well."""
    found = await gathered(plane, bearer=token(ADMIN), max_items=255)
    assert {e.detail for e in found if e.facts["about"] == "events"} == {
        "only 255 events were read"
    }


async def test_no_rights_and_no_account(plane: ControlPlane) -> None:
    """Each denial says what to grant; a token that is none is told once."""
    found = await gathered(plane, bearer=token(NOBODY))
    assert {each.status for each in found} == {Status.FAILED}
    assert found[0].detail.startswith("not allowed to list deployments in namespace prod (403); ")
    assert len(found) == 5
    (only,) = await gathered(plane, bearer=token("stranger"))
    assert only.detail.startswith("the credentials are not accepted (401)")


async def test_some_rights_by_a_kubeconfig(plane: ControlPlane, tmp_path: Path) -> None:
    """The user of a client certificate sees what its role allows; the rest is told as denied."""
    shown = plane.authority.sign("vigie")
    data = base64.b64encode(plane.authority.ca.read_bytes()).decode()
    user = {"client-certificate": str(shown.cert), "client-key": str(shown.key)}
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": plane.url, "certificate-authority-data": data}}
        ],
        "users": [{"name": "u", "user": user}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    found = await gathered(plane, kubeconfig=path)
    assert of(found, "pods", "chat").status is Status.OK
    denied = {each.query.rpartition("/")[2] for each in found if each.status is Status.FAILED}
    assert denied == {"deployments", "replicasets", "nodes"}


async def test_it_falls(plane: ControlPlane) -> None:
    """Without its store the API answers nothing in time; killed, it is gone. The last test."""
    await plane.etcd.kill()
    (only,) = await gathered(plane, bearer=token(ADMIN), timeout=1.0)
    assert (only.status, only.detail) == (Status.UNAVAILABLE, "no answer within the deadline")
    await plane.apiserver.kill()
    (only,) = await gathered(plane, bearer=token(ADMIN))
    assert (only.status, only.detail[:14]) == (Status.UNAVAILABLE, "cannot connect")
