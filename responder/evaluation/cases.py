"""Recorded incidents with known causes, read from a folder of arrays and labels.

`labels_<part>.json` maps an id to `dataset` (the system), `root_cause_service` and
`metric_observable`; `<part>/<id>.npz` holds `t` (seconds), `X` (samples x series), `names`
(`service|metric`), `alert_index`, `target` (a name or empty) and `edges` (caller, callee).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from responder.evaluation.problem import EvaluationError
from responder.ranking.panel import SYMPTOMS, Column, Family, Floats, Panel
from responder.ranking.words import family_of, is_good, is_mean, way_of

LOOK_BACK_SAMPLES = 2
LEAST_BASE_SAMPLES = 4
ONE_IN_A_HUNDRED = 0.01
MOST_VALUES = 50_000_000
_UNNAMED = "?"
_ARRAYS = ("t", "X", "names", "alert_index", "target", "edges")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One incident: its series by component and metric, when it alerted, and who is to blame."""

    id: str
    path: Path
    system: str
    truth: str
    is_observable: bool
    times: Floats
    values: Floats
    names: tuple[tuple[str, str], ...]
    alert_index: int
    target: int | None
    calls: tuple[tuple[str, str], ...]

    @property
    def components(self) -> tuple[str, ...]:
        """All that may be named, sorted."""
        return tuple(sorted({name for name, _ in self.names} - {self.felt_at}))

    @property
    def front(self) -> str | None:
        """The alerting component, where one is named."""
        return None if self.target is None else self.names[self.target][0]

    @property
    def felt_at(self) -> str | None:
        """The alerting component if nothing but symptoms is known of it: a view, and no suspect."""
        families = {family_of(metric) for name, metric in self.names if name == self.front}
        return self.front if families <= SYMPTOMS else None

    def panel(self) -> Panel:
        """Put it as the ranking takes it; a share of good becomes its share of bad."""
        values, felt_at = self.values.copy(), self.felt_at
        columns = []
        for index, (component, metric) in enumerate(self.names):
            family, way = family_of(metric), way_of(metric)
            size = 0.0
            if family is Family.ERRORS and is_good(metric):
                whole = _whole(values[:, index])
                values[:, index], way, size = whole - values[:, index], 1, ONE_IN_A_HUNDRED * whole
            columns.append(
                Column(
                    component=component,
                    metric=metric,
                    family=family,
                    way=way,
                    size=size,
                    is_typical=is_mean(metric),
                    is_suspect=component != felt_at,
                )
            )
        late = max(self.alert_index - LOOK_BACK_SAMPLES, LEAST_BASE_SAMPLES)
        late = min(late, values.shape[0] - 1)
        return Panel(
            values=values,
            columns=tuple(columns),
            base_end=late,
            late=late,
            calls=self.calls,
            target=self.target,
            front=self.front,
        )


def _whole(good: Floats) -> float:
    """Give what an availability is a share of: 1, or 100."""
    most = float(np.max(good, initial=0.0, where=np.isfinite(good)))
    return 100.0 if most > 1.5 else 1.0


def read_cases(folder: Path) -> tuple[Case, ...]:
    """Read every case that a labels file of *folder* names, sorted; raises EvaluationError."""
    if not folder.is_dir():
        raise EvaluationError(folder, "is no folder", "name one that holds labels_*.json and cases")
    files = sorted(folder.glob("labels*.json"))
    if not files:
        problem = "holds no labels_*.json"
        raise EvaluationError(folder, problem, "put the causes there: id -> root_cause_service")
    found = [case for file in files for case in _labelled(file)]
    if not found:
        raise EvaluationError(folder, "its labels name no case", "put at least one there")
    return tuple(sorted(found, key=lambda each: (each.system, each.id)))


def _labelled(file: Path) -> Iterable[Case]:
    part = file.stem.removeprefix("labels").strip("_")
    for name, label in sorted(_labels(file).items()):
        places = [file.parent / part / f"{name}.npz", file.parent / f"{name}.npz"]
        inside = [each for each in places if each.resolve().is_relative_to(file.parent.resolve())]
        path = next((each for each in inside if each.is_file()), None)
        if path is None:
            problem = f"{name!r} has no recording at {places[0]}"
            raise EvaluationError(file, problem, "put it there, or take the label out")
        yield _case(name, label, path, file)


def _labels(file: Path) -> Mapping[str, Any]:
    try:
        labels = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(file, f"cannot be read ({error})", "give a JSON object") from None
    if not isinstance(labels, dict):
        raise EvaluationError(file, "is no JSON object", "map each id to its label")
    return labels


def _case(name: str, label: object, path: Path, file: Path) -> Case:
    truth = label.get("root_cause_service") if isinstance(label, dict) else None
    if not isinstance(label, dict) or not isinstance(truth, str) or not truth:
        raise EvaluationError(file, f"{name!r} has no root_cause_service", "name the true one")
    arrays = _arrays(path)
    values, names = _series(arrays, path)
    alert_index = int(arrays["alert_index"])
    if not 0 < alert_index < len(values):
        problem = f"alert_index is {alert_index}, of {len(values)} samples"
        raise EvaluationError(path, problem, "give the row at which the alert fired")
    return Case(
        id=name,
        path=path,
        system=str(label.get("dataset") or "unnamed"),
        truth=truth,
        is_observable=bool(label.get("metric_observable", True)),
        times=np.asarray(arrays["t"], dtype=np.float64),
        values=values,
        names=_owners(names),
        alert_index=alert_index,
        target=_target(str(arrays["target"]), names, path),
        calls=tuple(sorted({(str(a), str(b)) for a, b in arrays["edges"]})),
    )


def _arrays(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [each for each in _ARRAYS if each not in arrays]
            if missing:
                problem = f"has no {', '.join(missing)}"
                raise EvaluationError(path, problem, f"a case holds {', '.join(_ARRAYS)}")
            return {each: arrays[each] for each in _ARRAYS}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        problem = f"is no recording that can be read ({error})"
        raise EvaluationError(path, problem, "write it with numpy.savez, without pickles") from None


def _series(arrays: Mapping[str, Any], path: Path) -> tuple[Floats, Sequence[str]]:
    values, names = arrays["X"], [str(each) for each in np.ravel(arrays["names"])]
    rows = len(np.ravel(arrays["t"]))
    is_table = values.ndim == 2 and values.dtype.kind in "fiu"
    if not is_table or values.shape != (rows, len(names)):
        problem = f"X is {values.dtype} {values.shape}, with {rows} times and {len(names)} names"
        raise EvaluationError(path, problem, "give numbers, samples x series")
    if not 0 < values.size <= MOST_VALUES:
        problem = f"X holds {values.size} values"
        raise EvaluationError(path, problem, f"give 1 to {MOST_VALUES}")
    for name, scalar in (("alert_index", "iu"), ("target", "U")):
        if arrays[name].ndim != 0 or arrays[name].dtype.kind not in scalar:
            raise EvaluationError(path, f"{name} is no single value", "give one")
    if arrays["edges"].ndim != 2 or arrays["edges"].shape[1] != 2:
        raise EvaluationError(path, "edges are no pairs", "give caller and callee, n x 2")
    values = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan), names


def _owners(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Split names into component and metric; a metric left in a component's name is found there.

    `node-1-tcp_retrans|?` is the series `tcp_retrans` of `node-1` where that is a component too.
    """
    split = [(left, right) for left, _, right in (name.partition("|") for name in names)]
    known = {component for component, metric in split if metric != _UNNAMED}
    owners = []
    for component, metric in split:
        fits = [each for each in known if component.startswith(each) and component != each]
        fits = [each for each in fits if not component[len(each)].isalnum()]
        if metric == _UNNAMED and fits:
            owner = max(fits, key=len)
            owners.append((owner, component[len(owner) + 1 :]))
        else:
            owners.append((component, metric))
    return tuple(owners)


def _target(target: str, names: Sequence[str], path: Path) -> int | None:
    if not target:
        return None
    if target not in names:
        raise EvaluationError(path, f"target {target!r} is no name", "name a series, or none")
    return list(names).index(target)
