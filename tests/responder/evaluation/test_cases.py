"""Reading recorded cases: what is right is read, what is not ends with where and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from responder.evaluation.cases import read_cases
from responder.evaluation.problem import EvaluationError
from responder.ranking.panel import Family
from tests.responder.evaluation.folders import label, recording, three, write


def test_cases_are_read_in_the_order_of_systems(tmp_path: Path) -> None:
    """Every label's recording, with its alert, target and calls."""
    cases = read_cases(three(tmp_path))
    assert [(each.system, each.id) for each in cases] == [
        ("farm", "one"),
        ("mine", "three"),
        ("mine", "two"),
    ]
    assert cases[0].calls == (("door", "mill"), ("mill", "well"))
    assert cases[0].front == "door"
    assert [each.is_observable for each in cases] == [True, False, True]


def test_several_labels_files_are_one_set(tmp_path: Path) -> None:
    """Each file names the cases of its own part."""
    write(tmp_path, {"one": (recording("mill", 1), label("mill"))})
    write(tmp_path, {"two": (recording("well", 2), label("well"))}, part="more")
    assert [each.id for each in read_cases(tmp_path)] == ["one", "two"]


def test_the_onset_of_the_fault_is_not_read(tmp_path: Path) -> None:
    """A ranker knows when it alerted, not when it began: the same panel whatever the onset."""
    write(tmp_path, {"one": (recording("mill", 1), label("mill"))})
    before = read_cases(tmp_path)[0].panel()
    late = recording("mill", 1, onset_index=np.int64(3))
    write(tmp_path, {"one": (late, label("mill"))})
    after = read_cases(tmp_path)[0].panel()
    assert (before.base_end, before.late) == (after.base_end, after.late)


@pytest.mark.parametrize("whole", [1.0, 100.0])
def test_a_share_of_good_is_turned_into_its_share_of_bad(tmp_path: Path, whole: float) -> None:
    """An availability, of one or of a hundred, counts as errors."""
    values = recording("mill", 1)["X"]
    values[:, 1] = 0.98 * whole
    values[0, 1] = whole
    names = np.array(["door|latency", "door|availability", "a|cpu", "b|cpu", "c|cpu", "d|cpu"])
    arrays = recording("mill", 1, names=names, X=values)
    write(tmp_path, {"one": (arrays, label("a"))})
    panel = read_cases(tmp_path)[0].panel()
    assert panel.columns[1].family is Family.ERRORS
    assert panel.columns[1].size == pytest.approx(0.01 * whole)
    assert panel.values[5, 1] == pytest.approx(0.02 * whole, rel=1e-4)


def test_a_metric_left_in_the_name_is_found_there(tmp_path: Path) -> None:
    """`node-1-retrans|?` belongs to `node-1` where there is one, to itself where there is none."""
    names = ["door|latency", "node-1|cpu", "node-1-retrans|?", "node-2-retrans|?", "a|cpu", "b|cpu"]
    write(tmp_path, {"one": (recording("mill", 1, names=np.array(names)), label("node-1"))})
    case = read_cases(tmp_path)[0]
    assert case.names[2:4] == (("node-1", "retrans"), ("node-2-retrans", "?"))


def test_who_has_symptoms_alone_and_alerts_is_no_suspect(tmp_path: Path) -> None:
    """The view from outside is where it is felt; a service with resources of its own is one."""
    names = ["gate|latency", "gate|success", "mill|cpu", "mill|latency", "well|cpu", "well|mem"]
    arrays = recording("mill", 1, names=np.array(names), target=np.array("gate|latency"))
    write(tmp_path, {"one": (arrays, label("mill"))})
    assert read_cases(tmp_path)[0].components == ("mill", "well")
    write(tmp_path, {"one": (recording("mill", 1), label("mill"))})
    assert read_cases(tmp_path)[0].components == ("door", "mill", "well")


def nothing_there(folder: Path) -> None:
    """Leave the folder empty."""


def no_object(folder: Path) -> None:
    """Write labels that are a list."""
    (folder / "labels_dev.json").write_text("[]", encoding="utf-8")


def no_json(folder: Path) -> None:
    """Write labels that are no JSON."""
    (folder / "labels_dev.json").write_text("{", encoding="utf-8")


def no_cases(folder: Path) -> None:
    """Write labels of nothing."""
    (folder / "labels_dev.json").write_text("{}", encoding="utf-8")


def no_recording(folder: Path) -> None:
    """Take a recording away."""
    (three(folder) / "dev" / "two.npz").unlink()


def outside(folder: Path) -> None:
    """Name a recording outside of the folder."""
    inner = folder / "inner"
    write(folder, {"one": (recording("mill", 1), label("mill"))}, part=".")
    write(inner, {})
    text = '{"../one": {"root_cause_service": "mill"}}'
    (inner / "labels_dev.json").write_text(text, encoding="utf-8")
    (folder / "labels_..json").rename(inner / "labels_other.json")


def broken(folder: Path) -> None:
    """Cut a recording."""
    path = three(folder) / "dev" / "one.npz"
    path.write_bytes(path.read_bytes()[:200])


def no_archive(folder: Path) -> None:
    """Put one array where an archive is expected."""
    path = three(folder) / "dev" / "one.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def with_pickle(folder: Path) -> None:
    """Put objects into a recording: reading them would run what they say."""
    write(folder, {"one": (recording("mill", 1, edges=np.array([{}, {}])), label("mill"))})


def no_truth(folder: Path) -> None:
    """Leave the cause out of a label."""
    write(folder, {"one": (recording("mill", 1), {"dataset": "farm"})})


def array_missing(folder: Path) -> None:
    """Leave an array out."""
    arrays = recording("mill", 1)
    del arrays["edges"]
    write(folder, {"one": (arrays, label("mill"))})


def changed(**changes: Any) -> Callable[[Path], None]:
    """Change an array of one case."""

    def make(folder: Path) -> None:
        write(folder, {"one": (recording("mill", 1, **changes), label("mill"))})

    return make


@pytest.mark.parametrize(
    ("make", "where", "problem"),
    [
        (nothing_there, "", "holds no labels"),
        (no_object, "labels_dev.json", "no JSON object"),
        (no_json, "labels_dev.json", "cannot be read"),
        (no_cases, "", "name no case"),
        (no_recording, "labels_dev.json", "'two' has no recording"),
        (outside, "labels_dev.json", "'../one' has no recording"),
        (broken, "one.npz", "no recording that can be read"),
        (no_archive, "one.npz", "no recording that can be read"),
        (with_pickle, "one.npz", "no recording that can be read"),
        (no_truth, "labels_dev.json", "'one' has no root_cause_service"),
        (array_missing, "one.npz", "has no edges"),
        (changed(X=np.zeros((3, 2))), "one.npz", "X is float64 (3, 2)"),
        (changed(X=np.full((60, 6), "a")), "one.npz", "X is <U1"),
        (changed(X=np.zeros((60, 0)), names=np.array([], dtype="<U1")), "one.npz", "0 values"),
        (changed(alert_index=np.int64(60)), "one.npz", "alert_index is 60, of 60 samples"),
        (changed(alert_index=np.int64(0)), "one.npz", "alert_index is 0"),
        (changed(alert_index=np.array([1, 2])), "one.npz", "alert_index is no single value"),
        (changed(alert_index=np.float64(3.5)), "one.npz", "alert_index is no single value"),
        (changed(target=np.array("nobody|cpu")), "one.npz", "target 'nobody|cpu' is no name"),
        (changed(edges=np.array(["a", "b"])), "one.npz", "edges are no pairs"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(
    tmp_path: Path, make: Callable[[Path], None], where: str, problem: str
) -> None:
    """Each ends in one line: where, what is wrong, and a remedy."""
    make(tmp_path)
    folder = tmp_path / "inner" if make is outside else tmp_path
    with pytest.raises(EvaluationError) as caught:
        read_cases(folder)
    text = str(caught.value)
    place, _, rest = text.partition(": ")
    assert place.endswith(where)
    assert problem in rest
    assert "; " in rest
    assert "\n" not in text


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """No folder, no cases."""
    with pytest.raises(EvaluationError, match="is no folder; name one"):
        read_cases(tmp_path / "nowhere")
