"""A Kubernetes API server as far as lists go, and as strict: rights, selectors, pages, 410.

The rules are those of kubernetes.io, docs, reference, using-api, api-concepts: a continue token
belongs to the list's first moment and its own query, and ends when that moment is compacted.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

TOKEN = "account-t0ken"
_EQUALITY = re.compile(r"([\w./-]+)\s*(=|==|!=)\s*([\w.-]*)")
_SET = re.compile(r"([\w./-]+)\s+(in|notin)\s+\(([\w.,\s-]*)\)")
_EXISTS = re.compile(r"(!?)([\w./-]+)")
_KINDS = {"pods": "PodList", "services": "ServiceList", "inferenceservices": "InferenceServiceList"}


class StatusError(Exception):
    """An answer that is a Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Cluster:
    """Objects by resource; `rights` holds the resources and namespaces that may be listed."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {"pods": [], "services": []}
        self.rights: set[tuple[str, str]] = {("pods", "")}
        self.revision = 100
        self.compacted = 0
        self.asked: list[Mapping[str, str]] = []
        self.expire_after_pages: int | None = None
        self._moments: dict[int, dict[str, list[dict[str, Any]]]] = {}

    def application(self) -> web.Application:
        """Make the server."""
        app = web.Application()
        for root in ("/api/v1", "/apis/serving.kserve.io/v1beta1"):
            app.router.add_get(root + "/{resource}", self._answer)
            app.router.add_get(root + "/namespaces/{namespace}/{resource}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        try:
            return web.json_response(self._list(request))
        except StatusError as error:
            status = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": error.message,
                "reason": error.reason,
                "code": error.code,
            }
            return web.json_response(status, status=error.code)

    def _list(self, request: web.Request) -> dict[str, Any]:
        resource, namespace = request.match_info["resource"], request.match_info.get("namespace")
        self._authorize(request, resource, namespace or "")
        query = request.query
        limit = int(query.get("limit", "0"))
        if "continue" in query:
            revision, start = self._continued(query, request.path)
        else:
            revision, start = self.revision, 0
            self._moments[revision] = {name: list(each) for name, each in self.objects.items()}
        _selected({}, query.get("labelSelector", ""))  # it is read even where there is nothing
        found = [
            each
            for each in self._moments[revision].get(resource, [])
            if namespace in {None, each["metadata"]["namespace"]}
            and _selected(each["metadata"].get("labels", {}), query.get("labelSelector", ""))
        ]
        page = found[start : start + limit] if limit else found[start:]
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if start + len(page) < len(found):
            told = {"rv": revision, "start": start + len(page), "of": _of(query, request.path)}
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
            metadata["remainingItemCount"] = len(found) - start - len(page)
        self._age()
        return {
            "kind": _KINDS[resource],
            "apiVersion": "v1",
            "metadata": metadata,
            "items": page or None,  # as Go writes a list with nothing in it
        }

    def _authorize(self, request: web.Request, resource: str, namespace: str) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise StatusError(401, "Unauthorized", "Unauthorized")
        if not self.rights & {(resource, ""), (resource, namespace)}:
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            raise StatusError(
                403,
                "Forbidden",
                f'{resource} is forbidden: User "system:serviceaccount:vigie:vigie" cannot list'
                f' resource "{resource}" in API group "" {where}',
            )
        if resource not in self.objects:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")

    def _continued(self, query: Mapping[str, str], path: str) -> tuple[int, int]:
        if "resourceVersion" in query:
            message = "specifying resource version is not allowed when using continue"
            raise StatusError(400, "BadRequest", message)
        try:
            told = json.loads(base64.urlsafe_b64decode(query["continue"]))
        except (binascii.Error, ValueError):
            raise StatusError(400, "BadRequest", "continue key is not valid") from None
        if told["of"] != _of(query, path):
            raise StatusError(400, "BadRequest", "continue key is of another list")
        if told["rv"] <= self.compacted:
            message = "The provided continue parameter is too old to display a consistent list."
            raise StatusError(410, "Expired", message)
        return told["rv"], told["start"]

    def _age(self) -> None:
        if self.expire_after_pages is not None:
            self.expire_after_pages -= 1
            if self.expire_after_pages == 0:
                self.expire_after_pages = None
                self.compact()

    def compact(self) -> None:
        """Forget every moment so far, as etcd does after five minutes."""
        self.compacted = self.revision
        self.revision += 1


def _of(query: Mapping[str, str], path: str) -> str:
    return f"{path}?{query.get('labelSelector', '')}"


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    """Apply a label selector; raises StatusError where it cannot be read."""
    parts = re.split(r",(?![^(]*\))", selector) if selector else []
    return all(_holds(part.strip(), labels) for part in parts)


def _holds(part: str, labels: Mapping[str, str]) -> bool:
    if found := _EQUALITY.fullmatch(part):
        return (labels.get(found[1]) == found[3]) is (found[2] != "!=")
    if found := _SET.fullmatch(part):
        values = {each.strip() for each in found[3].split(",")}
        return (labels.get(found[1]) in values) is (found[2] == "in")
    if found := _EXISTS.fullmatch(part):
        return (found[2] in labels) is not bool(found[1])
    raise StatusError(400, "BadRequest", f"unable to parse requirement: {part!r}")


def pod(name: str, ip: str = "10.0.0.1", namespace: str = "ml", **given: Any) -> dict[str, Any]:
    """Make a pod of one container, which serves on port 8000."""
    container = {
        "name": "server",
        "image": "vllm/vllm-openai:v1",
        "ports": given.get("ports", [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]),
    }
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": given.get("labels", {"app": "vllm"}),
            "annotations": {"vigie/model": "m"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "controller": True}],
        },
        "spec": {"nodeName": "node-1", "containers": [container]},
        "status": {
            "phase": given.get("phase", "Running"),
            "podIP": ip,
            "hostIP": "192.168.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
