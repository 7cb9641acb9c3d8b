"""From departures to blame: alike to the alert, in its line, costly, not explained by others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from responder.ranking.burden import Symptom, burdens, reachable, unexplained, weights
from responder.ranking.departures import Departures, departures, quantiles
from responder.ranking.panel import SYMPTOMS, Family, Floats, Panel
from responder.ranking.tuning import DEFAULT, Tuning

_MOST_COLUMNS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Blamed:
    """One component, its score, and its columns that speak loudest, loudest first."""

    component: str
    score: float
    columns: tuple[int, ...]


def blame(panel: Panel, tuning: Tuning = DEFAULT) -> tuple[Blamed, ...]:
    """Rank the components of a panel, the likeliest culprit first; deterministic."""
    return blamed(panel, departures(panel, tuning), tuning)


def blamed(panel: Panel, found: Departures, tuning: Tuning = DEFAULT) -> tuple[Blamed, ...]:
    """Rank the components of a panel whose departures are known."""
    loud = loudness(panel, found, tuning)
    loud = loud * _likeness(panel, tuning) * _in_line(panel, found, tuning)
    burden = burdens(panel, found, loud, tuning)
    weight = weights(panel, burden, tuning)
    loud = loud * _by_symptom(panel, weight)
    burden = burdens(panel, found, loud, tuning)
    loud = loud * _by_symptom(panel, unexplained(panel, burden, tuning))
    return _in_order(panel, loud, tuning)


def loudness(panel: Panel, found: Departures, tuning: Tuning) -> Floats:
    """Score each series by itself: in noises, by relative size, by earliness and by family."""
    rows = max(panel.values.shape[0] - panel.base_end, 1)
    weight = np.ones(len(panel.columns))
    for index, column in enumerate(panel.columns):
        if column.family is Family.NETWORK:
            weight[index] = tuning.network_weight
        elif column.way == 0:
            weight[index] = tuning.either_way_weight
    lead = np.clip(1 - found.first / rows, 0.0, 1.0)
    loud: Floats = found.sized * found.gate * weight * (1 + tuning.early_bonus * lead)
    return loud


def _likeness(panel: Panel, tuning: Tuning) -> Floats:
    """Weigh each series by its correlation with the alerting one, around the cut."""
    if panel.target is None:
        return np.ones(len(panel.columns))
    block = panel.values[max(0, panel.late - tuning.likeness_samples) :]
    centred = np.nan_to_num(block - quantiles(block, (0.5,))[0])
    own = centred[:, panel.target]
    norms = np.sqrt((centred**2).sum(axis=0)) * np.sqrt((own**2).sum())
    alike = np.divide(np.abs(own @ centred), norms, out=np.zeros_like(norms), where=norms > 0)
    weight: Floats = 1 - tuning.likeness_share + tuning.likeness_share * alike
    return weight


def _in_line(panel: Panel, found: Departures, tuning: Tuning) -> Floats:
    """Weigh symptoms of another family than the alert's by how much its own service has of them."""
    factor = np.ones(len(panel.columns))
    if panel.target is None or found.reach[panel.target] <= 0:
        return factor
    alert = panel.columns[panel.target]
    if alert.family not in SYMPTOMS:
        return factor
    for family in SYMPTOMS - {alert.family}:
        members = [i for i, each in enumerate(panel.columns) if each.family is family]
        own = [found.sized[i] for i in members if panel.columns[i].component == alert.component]
        if own:
            share = min(1.0, float(max(own)) / (2 * tuning.symptom_noises))
            factor[members] = tuning.off_line_weight + (1 - tuning.off_line_weight) * share
    return factor


def _by_symptom(panel: Panel, weight: Mapping[Symptom, float]) -> Floats:
    return np.array([weight.get((each.component, each.family), 1.0) for each in panel.columns])


def _in_order(panel: Panel, loud: Floats, tuning: Tuning) -> tuple[Blamed, ...]:
    """Put the components in order: the best family of each, and some of its second."""
    families: dict[str, dict[Family, float]] = defaultdict(dict)
    members: dict[str, list[int]] = defaultdict(list)
    for index, column in enumerate(panel.columns):
        if not column.is_suspect:
            continue
        own = families[column.component]
        own[column.family] = max(own.get(column.family, 0.0), float(loud[index]))
        members[column.component].append(index)
    near = reachable(panel.front, panel.calls) if panel.front is not None else frozenset()
    found = []
    for component in sorted(families):
        first, second = sorted([*families[component].values(), 0.0], reverse=True)[:2]
        weight = tuning.unreachable_weight if len(near) > 1 and component not in near else 1.0
        score = round(weight * (first + tuning.second_weight * second), 6)
        order = sorted(members[component], key=lambda index: (-loud[index], index))
        columns = tuple(order[:_MOST_COLUMNS])
        found.append(Blamed(component=component, score=score, columns=columns))
    return tuple(sorted(found, key=lambda each: (-each.score, each.component)))
