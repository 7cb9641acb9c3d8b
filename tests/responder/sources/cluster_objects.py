"""Objects and lists as a Kubernetes API gives them, for the tests of what reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from tests.responder.sources.far_end import NOW

LABEL = "app.kubernetes.io/name"
ROOTS = {
    "pods": "/api/v1/namespaces/prod/pods",
    "events": "/api/v1/namespaces/prod/events",
    "deployments": "/apis/apps/v1/namespaces/prod/deployments",
    "replicasets": "/apis/apps/v1/namespaces/prod/replicasets",
    "nodes": "/api/v1/nodes",
}


def at(before_seconds: float) -> str:
    """Write a time so long before the end of the window as the API does."""
    return dt.datetime.fromtimestamp(NOW - before_seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listing(*items: Any, token: str = "") -> dict[str, Any]:
    """Make a page of a list."""
    return {"kind": "SomeList", "metadata": {"continue": token}, "items": list(items)}


def pod(
    name: str, app: str, *, ready: bool = True, node: str = "n1", **status: Any
) -> dict[str, Any]:
    """Make a pod of one container; *status* are fields of the container's status."""
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at(290)}
    return {
        "metadata": {"name": name, "namespace": "prod", "labels": {LABEL: app}},
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [condition],
            "containerStatuses": [{"name": "main", "restartCount": 0, **status}],
        },
    }


def ended(reason: str, code: int, before_seconds: float, **more: Any) -> dict[str, Any]:
    """Make what a container's last state says."""
    return {
        "terminated": {"reason": reason, "exitCode": code, "finishedAt": at(before_seconds)} | more
    }


def replica_set(revision: int, image: str, before_seconds: float, **noted: str) -> dict[str, Any]:
    """Make a replica set of the deployment `chat`."""
    notes = {"deployment.kubernetes.io/revision": str(revision), **noted}
    owner = {"kind": "Deployment", "name": "chat", "controller": True}
    return {
        "metadata": {
            "name": f"chat-{revision}",
            "namespace": "prod",
            "creationTimestamp": at(before_seconds),
            "annotations": notes,
            "ownerReferences": [owner],
            "labels": {LABEL: "engine"},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": image}]}}},
    }


def deployment(progressed_before_seconds: float = 5000) -> dict[str, Any]:
    """Make the deployment `chat`, whose component is `engine`."""
    condition = {"type": "Progressing", "lastUpdateTime": at(progressed_before_seconds)}
    return {
        "metadata": {"name": "chat", "namespace": "prod", "labels": {LABEL: "engine"}},
        "status": {"conditions": [condition]},
    }


def warning(name: str, reason: str, message: str, **more: Any) -> dict[str, Any]:
    """Make an event about a pod."""
    about = {"kind": "Pod", "name": name, "namespace": "prod"}
    times = {"firstTimestamp": at(280), "lastTimestamp": at(20), "count": 9}
    return {"involvedObject": about, "reason": reason, "message": message, **times, **more}


def node(name: str, ready: str = "True") -> dict[str, Any]:
    """Make a node."""
    conditions = [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "Ready", "status": ready, "reason": "K", "lastTransitionTime": at(400)},
    ]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


WELL: Mapping[str, Any] = {
    "pods": listing(pod("door-1", "door")),
    "events": listing(),
    "deployments": listing(),
    "replicasets": listing(),
    "nodes": listing(node("n1")),
}


def serving(**lists: Any) -> dict[str, Callable[[Mapping[str, str]], Any]]:
    """Answer with these lists, and with those of a cluster that is well otherwise."""
    bodies = {**WELL, **lists}
    return {path: _answering(bodies[name]) for name, path in ROOTS.items()}


def _answering(body: Any) -> Callable[[Mapping[str, str]], Any]:
    return body if callable(body) else lambda _: body
