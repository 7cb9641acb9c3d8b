"""Objects of the Kubernetes API -> target groups, labelled as Prometheus labels them.

The names are those of prometheus.io, docs, configuration, kubernetes_sd_config; `inferenceservice`
is ours, of KServe's serving.kserve.io/v1beta1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

Role = Literal["pod", "service", "inferenceservice"]
Group = dict[str, Any]

_META = "__meta_kubernetes_"
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")
_OVER: Final = frozenset({"Succeeded", "Failed"})

RESOURCES: Mapping[Role, tuple[str, str]] = {
    "pod": ("/api/v1", "pods"),
    "service": ("/api/v1", "services"),
    "inferenceservice": ("/apis/serving.kserve.io/v1beta1", "inferenceservices"),
}
"""Where the API has each role's objects."""


def groups_of(role: Role, item: Any) -> Iterator[Group]:
    """Yield the groups of one object; none for what has no address (yet, or any more)."""
    if isinstance(item, dict):
        yield from _READERS[role](item)


def _map(data: Any, *path: str) -> Mapping[str, Any]:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _list(data: Any, name: str) -> list[Mapping[str, Any]]:
    found = data.get(name) if isinstance(data, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else ""


def _about(role: str, item: Mapping[str, Any]) -> dict[str, str]:
    """Return what every object tells of itself: namespace, name, labels, annotations."""
    metadata = _map(item, "metadata")
    about = {
        f"{_META}namespace": _text(metadata, "namespace"),
        f"{_META}{role}_name": _text(metadata, "name"),
    }
    for kind, field in (("label", "labels"), ("annotation", "annotations")):
        for name, value in _map(metadata, field).items():
            fit = _UNFIT.sub("_", str(name))
            about[f"{_META}{role}_{kind}_{fit}"] = str(value)
            about[f"{_META}{role}_{kind}present_{fit}"] = "true"
    return about


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _pod(item: Mapping[str, Any]) -> Iterator[Group]:
    """Yield a target for each container's port, or the pod's address where none is declared."""
    status, spec = _map(item, "status"), _map(item, "spec")
    address, phase = _text(status, "podIP"), _text(status, "phase")
    if not address or phase in _OVER:
        return
    own = {**_about("pod", item), **_of_pod(item, status, spec)}
    for container, is_init in _containers(spec):
        about = {
            **own,
            f"{_META}pod_container_name": _text(container, "name"),
            f"{_META}pod_container_image": _text(container, "image"),
            f"{_META}pod_container_init": str(is_init).lower(),
        }
        ports = _list(container, "ports")
        if not ports:
            yield {"targets": [_host(address)], "labels": about}
        for port in ports:
            number = _text(port, "containerPort")
            told = {
                f"{_META}pod_container_port_name": _text(port, "name"),
                f"{_META}pod_container_port_number": number,
                f"{_META}pod_container_port_protocol": _text(port, "protocol"),
            }
            yield {"targets": [f"{_host(address)}:{number}"], "labels": {**about, **told}}


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    yield from ((each, False) for each in _list(spec, "containers"))
    yield from ((each, True) for each in _list(spec, "initContainers"))


def _of_pod(
    item: Mapping[str, Any], status: Mapping[str, Any], spec: Mapping[str, Any]
) -> dict[str, str]:
    ready = [each for each in _list(status, "conditions") if each.get("type") == "Ready"]
    owners = _list(_map(item, "metadata"), "ownerReferences")
    owner = next((each for each in owners if each.get("controller") is True), {})
    return {
        f"{_META}pod_ip": _text(status, "podIP"),
        f"{_META}pod_phase": _text(status, "phase"),
        f"{_META}pod_ready": _text(ready[0], "status").lower() if ready else "unknown",
        f"{_META}pod_host_ip": _text(status, "hostIP"),
        f"{_META}pod_node_name": _text(spec, "nodeName"),
        f"{_META}pod_uid": _text(_map(item, "metadata"), "uid"),
        f"{_META}pod_controller_kind": _text(owner, "kind"),
        f"{_META}pod_controller_name": _text(owner, "name"),
    }


def _service(item: Mapping[str, Any]) -> Iterator[Group]:
    """Yield a target for each port, by the service's name in the cluster."""
    metadata, spec = _map(item, "metadata"), _map(item, "spec")
    host = f"{_text(metadata, 'name')}.{_text(metadata, 'namespace')}.svc"
    own = _about("service", item)
    kind = _text(spec, "type")
    own[f"{_META}service_type"] = kind
    where = "external_name" if kind == "ExternalName" else "cluster_ip"
    own[f"{_META}service_{where}"] = _text(
        spec, "externalName" if kind == "ExternalName" else "clusterIP"
    )
    for port in _list(spec, "ports"):
        number = _text(port, "port")
        told = {
            f"{_META}service_port_name": _text(port, "name"),
            f"{_META}service_port_number": number,
            f"{_META}service_port_protocol": _text(port, "protocol"),
        }
        yield {"targets": [f"{host}:{number}"], "labels": {**own, **told}}


def _inference_service(item: Mapping[str, Any]) -> Iterator[Group]:
    """Yield the address that KServe gave the service, when it gave one."""
    status = _map(item, "status")
    url = _text(status, "url")
    if not url:
        return
    ready = [each for each in _list(status, "conditions") if each.get("type") == "Ready"]
    labels = {
        **_about("inferenceservice", item),
        f"{_META}inferenceservice_ready": _text(ready[0], "status").lower() if ready else "unknown",
    }
    yield {"targets": [url.rstrip("/")], "labels": labels}


_READERS: Mapping[Role, Callable[[Mapping[str, Any]], Iterator[Group]]] = {
    "pod": _pod,
    "service": _service,
    "inferenceservice": _inference_service,
}
