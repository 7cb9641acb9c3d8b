"""Evidence out of a cluster's objects, by component: what is ill of it, and what was changed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from responder.cluster import (
    Event,
    Pod,
    Rollout,
    Trouble,
    component_of,
    event,
    name_of,
    pod,
    rollouts,
    troubles,
)
from responder.investigation.evidence import Evidence, Quantity, Status, Window
from responder.investigation.wording import listed
from responder.kubernetes_api import Listed

ORIGIN = "kubernetes"
PODS, ROLLOUTS, EVENTS, NODES = "pods", "rollouts", "events", "nodes"
MOST_COMPONENTS = 20
MOST_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Around:
    """What is read for: the window, and the components that the alert names."""

    window: Window
    named: frozenset[str]
    labels: tuple[str, ...]

    def holds(self, at: float) -> bool:
        """Say whether a time lies in the window; the clocks may differ by a minute."""
        return self.window.start <= at <= self.window.end + 60

    def first(self, components: Iterable[str]) -> list[str]:
        """Order components, those that the alert names first, and keep so many."""
        order = sorted(components, key=lambda each: (each not in self.named, each))
        return order[:MOST_COMPONENTS]


@dataclass(kw_only=True, slots=True)
class _Entry:
    """One piece of evidence in the making."""

    facts: dict[str, str] = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str = "count", **labels: str) -> None:
        at = value if unit == "timestamp" else None
        if math.isfinite(value):
            quantity = Quantity(name=name, value=value, unit=unit, labels=labels, at=at)
            self.quantities.append(quantity)


def evidence_of(lists: Sequence[Listed], around: Around) -> list[Evidence]:
    """Make evidence of all that was listed, and of what could not be; pure and in order."""
    by_kind = {kind: [each for each in lists if each.resource == kind] for kind in _KINDS}
    pods = [pod(item, around.labels) for item in _items(by_kind["pods"])]
    made = [*_pods(pods, by_kind["pods"], around), *_rollouts(by_kind, around)]
    made += [*_events(by_kind, pods, around), *_nodes(by_kind["nodes"], pods, around)]
    return [*made, *_unread(lists, around)]


_KINDS = ("pods", "deployments", "replicasets", "events", "nodes")


def _items(lists: Sequence[Listed]) -> list[Mapping[str, object]]:
    return [item for each in lists for item in each.items]


def _made(  # noqa: PLR0913, PLR0917 - the parts of one record
    about: str,
    title: str,
    lists: Sequence[Listed],
    around: Around,
    entry: _Entry,
    component: str = "",
) -> Evidence:
    answered = [each for each in lists if each.status is Status.OK]
    return Evidence(
        id="",
        source="kubernetes",
        title=title,
        query="\n".join(each.path for each in answered)[:2000],
        window=around.window,
        status=Status.OK if entry.quantities else Status.EMPTY,
        component=component or None,
        quantities=tuple(entry.quantities),
        facts={"origin": ORIGIN, "about": about, **entry.facts},
        detail="; ".join(dict.fromkeys(each.problem for each in answered if each.problem)),
        seconds=round(max((each.seconds for each in answered), default=0.0), 4),
    )


def _pods(pods: Sequence[Pod], lists: Sequence[Listed], around: Around) -> list[Evidence]:
    """Tell of each component that the alert names or that has trouble; of the others together."""
    if not any(each.status is Status.OK for each in lists):
        return []
    groups: dict[str, list[Pod]] = defaultdict(list)
    for each in pods:
        groups[each.component].append(each)
    ill = {name for name, own in groups.items() if any(_is_ill(each, around) for each in own)}
    told = around.first(name for name in groups if name and (name in ill or name in around.named))
    made = [
        _made(PODS, f"pods of {name}", lists, around, _of_pods(groups[name], around), name)
        for name in told
    ]
    rest = [each for name, own in groups.items() if name not in told for each in own]
    if rest or not made:
        entry = _of_pods(rest, around) if rest else _Entry()
        made.append(_made(PODS, "pods of other components", lists, around, entry))
    return made


def _is_ill(each: Pod, around: Around) -> bool:
    unready = not each.is_ready and each.phase != "Succeeded"
    return unready or bool(each.waits) or any(around.holds(t.at) for t in each.terminations)


def _of_pods(pods: Sequence[Pod], around: Around) -> _Entry:
    entry = _Entry()
    running = [each for each in pods if each.phase != "Succeeded"]
    entry.add("pods", len(running))
    entry.add("pods ready", sum(each.is_ready for each in running))
    entry.add("restarts", sum(each.restarts for each in pods))
    ill = sorted((p for p in pods if _is_ill(p, around)), key=lambda p: (p.is_ready, p.name))
    for number, each in enumerate(ill[:MOST_SHOWN], 1):
        waits = [f"{container} waits: {reason}" for container, reason, _ in each.waits[:3]]
        state = [each.phase, each.reason, "ready" if each.is_ready else "not ready", *waits]
        entry.facts[f"pod {number}"] = f"{each.name}: {', '.join(filter(None, state))}"
        if text := next((message for _, _, message in each.waits if message), ""):
            entry.facts[f"pod {number} excerpt"] = text
        entry.add("restarts of a pod", each.restarts, pod=each.name)
        for _, reason, _ in each.waits[:3]:
            since = each.ready_changed_at
            entry.add("waiting since", since, "timestamp", pod=each.name, reason=reason)
    _terminations(pods, around, entry)
    return entry


def _terminations(pods: Sequence[Pod], around: Around, entry: _Entry) -> None:
    found = [each for own in pods for each in own.terminations if around.holds(each.at)]
    found.sort(key=lambda each: (-each.at, each.pod, each.container))
    for number, each in enumerate(found[:MOST_SHOWN], 1):
        place = f"container {each.container} of {each.pod}"
        entry.facts[f"termination {number}"] = f"{each.reason}, exit code {each.exit_code}, {place}"
        if each.message:
            entry.facts[f"termination {number} excerpt"] = each.message
        labels = {"pod": each.pod, "container": each.container, "reason": each.reason}
        entry.add("terminated at", each.at, "timestamp", **labels, exit_code=str(each.exit_code))


def _rollouts(by_kind: Mapping[str, Sequence[Listed]], around: Around) -> list[Evidence]:
    lists = [*by_kind["deployments"], *by_kind["replicasets"]]
    if not any(each.status is Status.OK for each in by_kind["replicasets"]):
        return []
    deployments = _items(by_kind["deployments"])
    found = rollouts(deployments, _items(by_kind["replicasets"]), around.labels)
    recent = [each for each in found if around.holds(each.at)]
    groups: dict[str, list[Rollout]] = defaultdict(list)
    for each in recent:
        groups[each.component].append(each)
    made = [
        _made(
            ROLLOUTS,
            f"rollouts of {name or 'deployments without a component'}",
            lists,
            around,
            _of_rollouts(groups[name], found),
            name,
        )
        for name in around.first(groups)
    ]
    return made or [_made(ROLLOUTS, "rollouts of deployments", lists, around, _Entry())]


def _of_rollouts(recent: Sequence[Rollout], known: Sequence[Rollout]) -> _Entry:
    entry = _Entry()
    for number, each in enumerate(recent[:MOST_SHOWN], 1):
        earlier = [
            other
            for other in known
            if other.deployment == each.deployment and other.revision < each.revision
        ]
        before = max(earlier, key=lambda other: other.revision, default=None)
        text = f"{each.deployment} revision {each.revision}: {', '.join(each.images)}"
        if before is not None and before.images != each.images:
            text += f", was {', '.join(before.images)}"
        entry.facts[f"rollout {number}"] = text + (" (taken up again)" if each.is_return else "")
        if each.cause:
            entry.facts[f"rollout {number} excerpt"] = each.cause
        labels = {"deployment": each.deployment, "revision": str(each.revision)}
        entry.add("changed at", each.at, "timestamp", **labels)
    return entry


def _events(
    by_kind: Mapping[str, Sequence[Listed]], pods: Sequence[Pod], around: Around
) -> list[Evidence]:
    lists = by_kind["events"]
    if not any(each.status is Status.OK for each in lists):
        return []
    owners = {each.name: each.component for each in pods}
    for item in (*_items(by_kind["deployments"]), *_items(by_kind["replicasets"])):
        owners.setdefault(name_of(item), component_of(item, around.labels))
    groups: dict[str, list[Event]] = defaultdict(list)
    for each in map(event, _items(lists)):
        if around.holds(each.at):
            # A pod that is gone is named after its replica set.
            owner = owners.get(each.name) or owners.get(each.name.rpartition("-")[0], "")
            groups[owner].append(each)
    made = [
        _made(
            EVENTS,
            f"warnings about {name or 'other objects'}",
            lists,
            around,
            _of_events(groups[name]),
            name,
        )
        for name in around.first(groups)
    ]
    return made or [_made(EVENTS, "warnings of the cluster", lists, around, _Entry())]


def _of_events(events: Sequence[Event]) -> _Entry:
    entry = _Entry()
    latest = sorted(events, key=lambda each: (-each.at, each.name, each.reason, each.message))
    for number, each in enumerate(latest[:MOST_SHOWN], 1):
        entry.facts[f"event {number}"] = f"{each.reason}, {each.kind} {each.name}"
        if each.message:
            entry.facts[f"event {number} excerpt"] = each.message
        labels = {"reason": each.reason, "object": each.name}
        entry.add("times", each.count, **labels)
        entry.add("first at", each.first_at, "timestamp", **labels)
        entry.add("last at", each.at, "timestamp", **labels)
    return entry


def _nodes(lists: Sequence[Listed], pods: Sequence[Pod], around: Around) -> list[Evidence]:
    if not any(each.status is Status.OK for each in lists):
        return []
    items = _items(lists)
    entry = _Entry()
    found = [each for item in items for each in troubles(item)]
    found.sort(key=lambda each: (each.node, each.condition))
    if items:
        entry.add("nodes", len(items))
        entry.add("nodes with trouble", len({each.node for each in found}))
    for number, each in enumerate(found[:MOST_SHOWN], 1):
        _of_node(number, each, pods, entry)
    return [_made(NODES, "nodes", lists, around, entry)]


def _of_node(number: int, trouble: Trouble, pods: Sequence[Pod], entry: _Entry) -> None:
    entry.facts[f"node {number}"] = f"{trouble.node}: {trouble.condition}, {trouble.reason}"
    if trouble.message:
        entry.facts[f"node {number} excerpt"] = trouble.message
    carried = sorted({each.component for each in pods if each.node == trouble.node} - {""})
    if carried:
        entry.facts[f"node {number} carries"] = listed(carried[:MOST_SHOWN])
    labels = {"node": trouble.node, "condition": trouble.condition}
    entry.add("changed condition at", trouble.at, "timestamp", **labels)


def _unread(lists: Sequence[Listed], around: Around) -> list[Evidence]:
    """Tell what could not be listed, once for each reason."""
    groups: dict[tuple[Status, str], list[Listed]] = defaultdict(list)
    for each in lists:
        if each.status is not Status.OK:
            groups[each.status, each.problem].append(each)
    made = []
    for (status, problem), members in sorted(groups.items()):
        what = listed(sorted({each.resource for each in members}))
        made.append(
            Evidence(
                id="",
                source="kubernetes",
                title=f"{what} of the cluster",
                query="\n".join(each.path for each in members)[:2000],
                window=around.window,
                status=status,
                facts={"origin": ORIGIN},
                detail=problem,
                seconds=round(max(each.seconds for each in members), 4),
            )
        )
    return made
