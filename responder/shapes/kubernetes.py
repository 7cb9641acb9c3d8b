"""Kubernetes events (core/v1 and events.k8s.io/v1), one or a list, as event exporters post them.

Form: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/. Only events
of what is rolled out or configured are changes; those of pods and nodes are told by the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from responder.shape import Announced, first, part, shape

_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Rollout", "InferenceService"})
_CONFIGURATION = frozenset({"ConfigMap", "Secret", "Ingress", "HTTPRoute", "NetworkPolicy"})
_SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
_MOST_EVENTS = 500


@shape("kubernetes")
def kubernetes(body: Mapping[str, Any]) -> Sequence[Announced] | None:
    """Read one event or a list of them."""
    if str(body.get("kind", "")) in {"EventList", "List"} and isinstance(body.get("items"), list):
        items = [each for each in body["items"][:_MOST_EVENTS] if isinstance(each, Mapping)]
        return tuple(one for each in items for one in _read(each))
    return tuple(_read(body)) if _about(body) else None


def _about(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the object that an event is about; empty where it is no event."""
    found = first(event.get("involvedObject"), event.get("regarding"))
    is_event = isinstance(found, Mapping) and isinstance(event.get("reason"), str)
    return found if is_event and isinstance(found, Mapping) else {}


def _read(event: Mapping[str, Any]) -> Sequence[Announced]:
    about = _about(event)
    kind = str(about.get("kind", ""))
    if kind not in _WORKLOADS | _CONFIGURATION | _SCALERS:
        return ()
    name, reason = about.get("name"), event["reason"]
    said = first(event.get("message"), event.get("note"), "")
    return (
        Announced(
            service=name,
            kind="deployment" if kind in _WORKLOADS else "config",
            title=f"{kind} {name}: {reason}: {said}",
            at=_at(event),
            author=first(part(event, "source", "component"), event.get("reportingController")),
        ),
    )


def _at(event: Mapping[str, Any]) -> Any:
    """Take the newest time that an event has."""
    series = part(event, "series", "lastObservedTime")
    made = part(event, "metadata", "creationTimestamp")
    return first(
        series,
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        made,
    )
