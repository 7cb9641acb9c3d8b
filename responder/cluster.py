"""What objects of the Kubernetes API say of components: pods, terminations, rollouts, events.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/. Whatever an object holds, reading it
never raises; what is not there is left out.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responder.guard import line, mask_secrets

LONGEST_NAME = 253
LONGEST_MESSAGE = 300
_REVISION = "deployment.kubernetes.io/revision"
_REVISIONS_BEFORE = "deployment.kubernetes.io/revision-history"
_CAUSE = "kubernetes.io/change-cause"

Item = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Termination:
    """How a container of a pod last ended; its successor may run already."""

    pod: str
    container: str
    reason: str
    exit_code: int
    at: float
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """One pod; `waits` are the reasons of its containers that cannot start."""

    name: str
    component: str
    phase: str
    reason: str
    node: str
    is_ready: bool
    ready_changed_at: float
    restarts: int
    waits: tuple[tuple[str, str, str], ...]
    terminations: tuple[Termination, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """One revision of a deployment, and when it came."""

    deployment: str
    component: str
    revision: int
    at: float
    images: tuple[str, ...]
    cause: str
    replicas: int
    is_return: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event about an object, which came `count` times, first and last at these times."""

    kind: str
    name: str
    reason: str
    message: str
    count: int
    at: float
    first_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A condition of a node that is not as it should be."""

    node: str
    condition: str
    reason: str
    message: str
    at: float


def component_of(item: Item, labels: Sequence[str]) -> str:
    """Return the value of the first of these labels that an object has; else nothing."""
    own = _map(item, "metadata", "labels")
    return next((line(_text(own, name), LONGEST_NAME) for name in labels if _text(own, name)), "")


def name_of(item: Item) -> str:
    """Return an object's name."""
    return line(_text(_map(item, "metadata"), "name"), LONGEST_NAME)


def pod(item: Item, labels: Sequence[str]) -> Pod:
    """Read a pod."""
    status = _map(item, "status")
    name = name_of(item)
    containers = [*_list(status, "initContainerStatuses"), *_list(status, "containerStatuses")]
    ready = next((c for c in _list(status, "conditions") if c.get("type") == "Ready"), {})
    endings = [each for c in containers for each in _terminations(name, c)]
    return Pod(
        name=name,
        component=component_of(item, labels),
        phase=line(_text(status, "phase"), 30),
        reason=line(_text(status, "reason"), 60),
        node=line(_text(_map(item, "spec"), "nodeName"), LONGEST_NAME),
        is_ready=ready.get("status") == "True",
        ready_changed_at=moment(ready.get("lastTransitionTime")),
        restarts=sum(_whole(each, "restartCount") for each in containers),
        waits=tuple(each for c in containers for each in _waits(c)),
        terminations=tuple(endings),
    )


def _waits(container: Item) -> Iterator[tuple[str, str, str]]:
    waiting = _map(container, "state", "waiting")
    reason = line(_text(waiting, "reason"), 60)
    if reason and reason not in {"ContainerCreating", "PodInitializing"}:
        yield line(_text(container, "name"), 63), reason, _message(waiting)


def _terminations(pod_name: str, container: Item) -> Iterator[Termination]:
    for part in ("state", "lastState"):
        ended = _map(container, part, "terminated")
        at = moment(ended.get("finishedAt"))
        if math.isnan(at):
            continue
        yield Termination(
            pod=pod_name,
            container=line(_text(container, "name"), 63),
            reason=line(_text(ended, "reason"), 60) or "terminated",
            exit_code=_whole(ended, "exitCode"),
            at=at,
            message=_message(ended),
        )


def rollouts(
    deployments: Sequence[Item], replica_sets: Sequence[Item], labels: Sequence[str]
) -> list[Rollout]:
    """Read the revisions of deployments, the latest first.

    A replica set that a rollback took up again is older than its revision: then it came when the
    deployment last said that it progresses.
    """
    owners = {
        (_text(_map(each, "metadata"), "namespace"), name_of(each)): each for each in deployments
    }
    found = [each for item in replica_sets for each in _revision(item, owners, labels)]
    return sorted(found, key=lambda each: (-each.at, each.deployment, -each.revision))


def _revision(
    item: Item, owners: Mapping[tuple[str, str], Item], labels: Sequence[str]
) -> Iterator[Rollout]:
    metadata = _map(item, "metadata")
    owner = next((o for o in _list(metadata, "ownerReferences") if o.get("controller")), {})
    name = line(_text(owner, "name"), LONGEST_NAME)
    if owner.get("kind") != "Deployment" or not name:
        return
    deployment = owners.get((_text(metadata, "namespace"), name), {})
    annotations = _map(item, "metadata", "annotations")
    is_return = bool(_text(annotations, _REVISIONS_BEFORE))
    created = moment(metadata.get("creationTimestamp"))
    progressed = _progressed(deployment)
    at = created if not is_return else progressed
    if math.isnan(at):
        return
    containers = _list(_map(item, "spec", "template", "spec"), "containers")
    yield Rollout(
        deployment=name,
        component=component_of(deployment, labels)
        or component_of(_map(item, "spec", "template"), labels),
        revision=_whole(annotations, _REVISION),
        at=at,
        images=tuple(line(_text(each, "image"), 200) for each in containers[:5]),
        cause=mask_secrets(line(_text(annotations, _CAUSE), 200)),
        replicas=_whole(_map(item, "spec"), "replicas"),
        is_return=is_return,
    )


def _progressed(deployment: Item) -> float:
    conditions = _list(_map(deployment, "status"), "conditions")
    found = next((each for each in conditions if each.get("type") == "Progressing"), {})
    return moment(found.get("lastUpdateTime"))


def event(item: Item) -> Event:
    """Read an event of either API's form."""
    series = _map(item, "series")
    told = (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("eventTime"),
        _map(item, "metadata").get("creationTimestamp"),
    )
    times = [each for each in map(moment, told) if not math.isnan(each)]
    first = moment(item.get("firstTimestamp"))
    about = _map(item, "involvedObject")
    return Event(
        kind=line(_text(about, "kind"), 60),
        name=line(_text(about, "name"), LONGEST_NAME),
        reason=line(_text(item, "reason"), 60),
        message=_message(item),
        count=max(_whole(series, "count"), _whole(item, "count"), 1),
        at=times[0] if times else math.nan,
        first_at=min(times, default=math.nan) if math.isnan(first) else first,
    )


def troubles(item: Item) -> Iterator[Trouble]:
    """Yield the conditions of a node that are not as they should be."""
    for condition in _list(_map(item, "status"), "conditions"):
        kind, status = _text(condition, "type"), _text(condition, "status")
        is_well = status == ("True" if kind == "Ready" else "False")
        if not kind or is_well:
            continue
        yield Trouble(
            node=name_of(item),
            condition=line(f"{kind} is {status or 'Unknown'}", 80),
            reason=line(_text(condition, "reason"), 60),
            message=_message(condition),
            at=moment(condition.get("lastTransitionTime")),
        )


def moment(value: Any) -> float:
    """Read RFC 3339 as seconds since the epoch; NaN for what is none."""
    if not isinstance(value, str) or not value:
        return math.nan
    try:
        read = dt.datetime.fromisoformat(value[:40])
        return read.timestamp() if read.tzinfo else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _message(item: Item) -> str:
    # Masked before it is cut: half a secret would not be known as one.
    return line(mask_secrets(line(_text(item, "message"), 4 * LONGEST_MESSAGE)), LONGEST_MESSAGE)


def _map(data: Any, *path: str) -> Item:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _list(data: Item, name: str) -> list[Item]:
    found = data.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(data: Item, name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _whole(data: Item, name: str) -> int:
    value = data.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
