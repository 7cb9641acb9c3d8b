"""Which source a program is taken from, and what the command prints."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.stack.cache import Program
from lab.stack.catalogue import RECIPES, STACK, Flavour, names
from lab.stack.errors import StackError
from lab.stack.progress import Progress
from lab.stack.provide import provide
from tests.lab.stack.machine import GO, Machine, versioned


def test_any_takes_path_first(machine: Machine) -> None:
    """What the user has installed is used, in its own version."""
    machine.put("prometheus", versioned("prometheus", "3.5.0"))
    machine.put("promtool", versioned("promtool", "3.5.0"))
    machine.with_apt()
    found = machine.provide()
    assert [(each.version, each.source) for each in found.values()] == [("3.5.0", "path")] * 2
    assert machine.kept() == []


def test_debians_name_of_alertmanager_is_known_on_path(tmp_path: Path, machine: Machine) -> None:
    """Debian calls it prometheus-alertmanager; it is alertmanager all the same."""
    file = machine.put("prometheus-alertmanager", versioned("alertmanager", "0.25.0"))
    environ = {"PATH": str(machine.bin)}
    found = provide(
        ["alertmanager"], root=tmp_path / "c", environ=environ, progress=Progress(io.StringIO())
    )
    assert found["alertmanager"] == Program(
        name="alertmanager", version="0.25.0", path=file, source="path"
    )


@pytest.mark.parametrize("version", ["2.41.9", "", "words"])
def test_a_program_too_old_or_unreadable_is_passed_over_with_its_pair(
    machine: Machine, version: str
) -> None:
    """A checker of another age than its server would refuse good files: both come from Debian."""
    machine.put("prometheus", versioned("prometheus", "3.5.0"))
    machine.put("promtool", versioned("promtool", version))
    machine.with_apt()
    assert {each.source for each in machine.provide().values()} == {"debian"}
    assert "too old, not taken" in machine.out.getvalue()


def test_any_goes_on_to_go_where_debian_cannot(machine: Machine) -> None:
    """Why Debian's was not taken is said once, and both programs come from one build."""
    machine.put("go", GO)
    found = machine.provide()
    assert {each.source for each in found.values()} == {"go"}
    assert machine.out.getvalue().count("no apt-get on this machine") <= 2
    assert machine.kept() == ["programs/prometheus/3.14.0-go", "programs/promtool/3.14.0-go"]


@pytest.mark.parametrize(
    ("wanted", "flavour", "problem"),
    [
        ("promethues", "any", "did you mean prometheus?"),
        ("zzz", "any", "one of prometheus"),
        ("pint", "debian", "not to be had from debian"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(
    tmp_path: Path, wanted: str, flavour: Flavour, problem: str
) -> None:
    """The nearest name, or the sources that have none, is told."""
    with pytest.raises(StackError) as error:
        provide(
            [wanted],
            flavour=flavour,
            root=tmp_path,
            environ={"PATH": ""},
            progress=Progress(io.StringIO()),
        )
    assert problem in str(error.value)


def test_every_go_recipe_has_its_committed_module() -> None:
    """go.mod asks for the recipe's version of its module and go.sum has it; no index is named."""
    for recipe in RECIPES:
        if recipe.source != "go":
            continue
        module = (recipe.module_folder / "go.mod").read_text()
        sums = (recipe.module_folder / "go.sum").read_text()
        assert f"{recipe.origin} {recipe.tag} " in module + " "
        assert f"{recipe.origin} {recipe.tag} h1:" in sums
        assert "https:" not in module + sums
        assert recipe.version.split(".")[-1] == recipe.tag.split(".")[-1]


def test_the_stack_is_to_be_had_from_debian_and_from_go() -> None:
    """Both flavours of the end-to-end tests have all four programs."""
    for source in ("debian", "go"):
        assert set(STACK) <= set(names([each for each in RECIPES if each.source == source]))


def test_the_command_prints_name_version_path(machine: Machine) -> None:
    """One line per program on standard output, progress on standard error."""
    machine.put("pint", versioned("pint", "0.87.0"))
    argv = [sys.executable, "-m", "lab.stack", "--cache", str(machine.root), "pint"]
    done = subprocess.run(
        argv,
        env={**os.environ, "PATH": str(machine.bin)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"pint 0.87.0 {machine.bin}/pint\n"
    assert "pint 0.87.0 is at" in done.stderr


def test_the_command_fails_with_one_line(machine: Machine) -> None:
    """An error is printed, not raised."""
    argv = [sys.executable, "-m", "lab.stack", "--cache", str(machine.root), "nope"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("nope: no such program in the stack's catalogue; one of ")
