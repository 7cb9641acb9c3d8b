"""What topology makes of symptoms: how much each costs, and who else explains it.

Time lost a second (extra latency x requests) and errors a second are conserved along a chain of
calls, latency and error ratios are not: a rarely called service may be very slow and matter little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from responder.ranking.departures import Departures, quantiles
from responder.ranking.panel import SYMPTOMS, Family, Floats, Panel
from responder.ranking.tuning import Tuning

Symptom = tuple[str, Family]


@dataclass(frozen=True, kw_only=True, slots=True)
class Burden:
    """Each component's symptoms: how far they reach, how loud they are, and what they cost.

    `reach` is the extra latency or error ratio, `loud` the loudest series' score, `cost` reach x
    requests, only where requests are known.
    """

    reach: Mapping[Symptom, float]
    loud: Mapping[Symptom, float]
    cost: Mapping[Symptom, float]


def burdens(panel: Panel, found: Departures, loud: Floats, tuning: Tuning) -> Burden:
    """Put the symptoms of each component together: typical ones, else all."""
    members: dict[Symptom, list[int]] = defaultdict(list)
    for index, column in enumerate(panel.columns):
        if column.family in SYMPTOMS and column.is_suspect:
            members[column.component, column.family].append(index)
    reach: dict[Symptom, float] = {}
    for symptom, own in members.items():
        typical = [index for index in own if panel.columns[index].is_typical]
        reach[symptom] = float(found.reach[typical or own].mean())
    requests = _requests(panel, tuning)
    return Burden(
        reach=reach,
        loud={symptom: float(loud[own].max()) for symptom, own in members.items()},
        cost={
            each: size * requests[each[0]] for each, size in reach.items() if each[0] in requests
        },
    )


def _requests(panel: Panel, tuning: Tuning) -> Mapping[str, float]:
    """Give each component's requests, late or just before: one that hangs serves none."""
    columns = [
        index
        for index, each in enumerate(panel.columns)
        if each.family is Family.TRAFFIC and each.is_suspect
    ]
    near = panel.values[max(0, panel.base_end - tuning.near_samples) : panel.base_end, columns]
    late = panel.values[panel.late :, columns]
    medians = [np.nan_to_num(quantiles(block, (0.5,))[0]) for block in (near, late) if len(block)]
    found: dict[str, float] = {}
    for index, most in zip(columns, np.max(medians, axis=0), strict=True):
        name = panel.columns[index].component
        found[name] = max(found.get(name, 0.0), float(most))
    return found


def weights(panel: Panel, burden: Burden, tuning: Tuning) -> dict[Symptom, float]:
    """Weigh each symptom by its cost beside the highest of those that the alert can come from."""
    near = reachable(panel.front, panel.calls) if panel.front is not None else frozenset()
    found: dict[Symptom, float] = {}
    for family in SYMPTOMS:
        costs = {each: cost for each, cost in burden.cost.items() if each[1] is family}
        most = max((c for (name, _), c in costs.items() if name in near), default=0.0)
        if len(near) <= 1 or most <= 0:
            most = max(costs.values(), default=0.0)
        for symptom, cost in costs.items():
            share = min(1.0, cost / most) if most > 0 else 1.0
            found[symptom] = share / (share + tuning.burden_ratio) * (1 + tuning.burden_ratio)
    return found


def unexplained(panel: Panel, burden: Burden, tuning: Tuning) -> dict[Symptom, float]:
    """Give the share of each symptom that stays with its component.

    The callee that shows most of a caller's symptom takes its share of it; a caller's errors are
    explained by a slow callee as well, since that is what timeouts are.
    """
    found: dict[Symptom, float] = {}
    for caller, callees in callees_of(panel.calls).items():
        for family in SYMPTOMS:
            if burden.loud.get((caller, family), 0.0) <= 0:
                continue
            shares = [_share(burden, caller, each, family, tuning) for each in callees]
            if family is Family.ERRORS and _speaks(burden, (caller, Family.LATENCY), tuning) >= 1:
                shares += [_share(burden, caller, e, Family.LATENCY, tuning) for e in callees]
            most = max(shares, default=0.0)
            found[caller, family] = 1 - tuning.explained_share * min(1.0, most)
    return found


def _share(burden: Burden, caller: str, callee: str, family: Family, tuning: Tuning) -> float:
    """Give how much of a caller's symptom a callee shows, by its size or by its cost."""
    own, other = (caller, family), (callee, family)
    if burden.reach.get(own, 0.0) <= 0 or other not in burden.reach:
        return 0.0
    share = burden.reach[other] / burden.reach[own]
    if burden.cost.get(own, 0.0) > 0 and other in burden.cost:
        share = max(share, burden.cost[other] / burden.cost[own])
    return min(1.0, tuning.call_gain * share) * _speaks(burden, other, tuning)


def _speaks(burden: Burden, symptom: Symptom, tuning: Tuning) -> float:
    return min(1.0, burden.loud.get(symptom, 0.0) / tuning.symptom_noises)


def callees_of(calls: Iterable[tuple[str, str]]) -> dict[str, Sequence[str]]:
    """Give whom each caller calls, sorted; calls of oneself are none."""
    found: dict[str, set[str]] = defaultdict(set)
    for caller, callee in calls:
        if caller != callee:
            found[caller].add(callee)
    return {caller: sorted(found[caller]) for caller in sorted(found)}


def reachable(start: str, calls: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return *start* and all that it calls, directly or not; cycles are no trouble."""
    callees = callees_of(calls)
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        component = waiting.pop()
        if component not in seen:
            seen.add(component)
            waiting += callees.get(component, ())
    return frozenset(seen)
