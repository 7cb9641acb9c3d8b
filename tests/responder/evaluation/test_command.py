"""`eval ranking`, as a process: the table, JSON, the same bytes twice, and clear refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from responder.evaluation import peers
from responder.evaluation.cases import read_cases
from responder.evaluation.problem import EvaluationError
from tests.responder.evaluation.folders import label, recording, three, write

ROOT = Path(__file__).resolve().parents[3]


def run(folder: Path, *arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with a cache of its own."""
    return subprocess.run(
        [sys.executable, "-m", "responder", "eval", "ranking", str(folder), *arguments],
        cwd=ROOT,
        env=dict(os.environ) | {"XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fake_peers(cache: Path, script: str) -> Path:
    """Put a script where the published rankers' Python would be."""
    folder = peers.environment({"XDG_CACHE_HOME": str(cache)})
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    python.chmod(0o755)
    (folder / "complete").touch()
    return folder


ALPHABET = """
import json, sys
for line in sys.stdin:
    case = json.loads(line)
    order = sorted({name for name, _ in case["owners"]})
    print(json.dumps({"id": case["id"], "BARO": order, "N-Sigma": order[::-1]}))
"""


def test_the_table_has_a_row_a_system_and_says_how_to_get_the_peers(tmp_path: Path) -> None:
    """Systems, then what is observable, then all; seconds go elsewhere."""
    ended = run(three(tmp_path / "cases"), cache=tmp_path / "cache")
    assert ended.returncode == 0
    rows = [line.split()[:3] for line in ended.stdout.splitlines()]
    assert ["farm", "1", "1.000"] in rows
    assert ["mine", "1", "1.000"] in rows
    assert ["observable", "2", "1.000"] in rows
    assert ["all", "3", "0.667"] in rows
    assert "--get-peers" in ended.stdout
    assert "s a case" in ended.stderr
    assert "s a case" not in ended.stdout


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_second_run_gives_the_same_bytes(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What differs from run to run is not on standard output."""
    folder = three(tmp_path / "cases")
    fake_peers(tmp_path / "cache", ALPHABET)
    one, other = (run(folder, *arguments, cache=tmp_path / "cache") for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == other.stdout


def test_json_holds_every_method_of_every_row(tmp_path: Path) -> None:
    """The peers' orders are scored as they come, chance as expected."""
    folder = three(tmp_path / "cases")
    fake_peers(tmp_path / "cache", ALPHABET)
    made = json.loads(run(folder, "--json", cache=tmp_path / "cache").stdout)
    assert set(made["systems"]) == {"farm", "mine"}
    mine = made["systems"]["mine"]["scores"]
    assert mine["Vigie"] == {"AC@1": 1.0, "AC@3": 1.0, "Avg@5": 1.0}
    assert mine["BARO"] == {"AC@1": 0.0, "AC@3": 1.0, "Avg@5": 0.6}
    assert mine["N-Sigma"]["AC@1"] == 1.0
    assert mine["chance"] == {"AC@1": 0.333333, "AC@3": 1.0, "Avg@5": 0.8}
    assert made["all"]["cases"] == 3


def test_cases_of_which_none_is_observable_are_scored_all_the_same(tmp_path: Path) -> None:
    """There is no observable row then."""
    hidden = label("mill", is_observable=False)
    folder = write(tmp_path / "cases", {"one": (recording("mill", 1), hidden)})
    made = json.loads(run(folder, "--json", cache=tmp_path / "cache").stdout)
    assert made["observable"] is None
    assert made["systems"] == {}
    assert made["all"]["scores"]["Vigie"]["AC@1"] == 1.0


def test_bad_cases_end_in_one_line(tmp_path: Path) -> None:
    """Where, what, and what to do; exit code 1, nothing on standard output."""
    ended = run(tmp_path / "nowhere", cache=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"{tmp_path}/nowhere: is no folder; name one that holds labels_*.json and cases\n"
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; print('no such luck', file=sys.stderr); sys.exit(1)", "no such luck"),
        ("print('{')", "Expecting"),
        ("", "no reason given"),
    ],
)
def test_peers_that_fail_are_no_ranking(tmp_path: Path, script: str, reason: str) -> None:
    """An error, garbage, or too few answers end the evaluation, with the reason."""
    folder = fake_peers(tmp_path, script)
    cases = read_cases(three(tmp_path / "cases"))
    with pytest.raises(EvaluationError, match=reason):
        peers.orders(folder, cases)


def test_peers_that_cannot_be_started_are_said_so(tmp_path: Path) -> None:
    """A folder that says it is whole and has no Python."""
    folder = fake_peers(tmp_path, "")
    (folder / "bin" / "python").unlink()
    with pytest.raises(EvaluationError, match="remove that folder"):
        peers.orders(folder, read_cases(three(tmp_path / "cases")))


def test_an_environment_is_there_once_it_is_whole(tmp_path: Path) -> None:
    """What is there is not made again."""
    folder = fake_peers(tmp_path, "")
    said: list[object] = []
    peers.install(folder, said.append)
    assert said == []
