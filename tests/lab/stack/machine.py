"""A machine whose PATH holds small stand-ins of apt, dpkg and Go, and nothing else."""

from __future__ import annotations

import io
import shutil
import stat
from pathlib import Path

from lab.stack.cache import Program
from lab.stack.catalogue import Flavour, Recipe
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
        self.recipes = (
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
                module_folder=folder / "tools" / "prometheus",
            ),
        )
        for tool in ("sh", "cat", "mkdir", "rm", "seq", "env", "chmod"):
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
        environ = {"PATH": str(self.bin), "SECRET": "hidden"}
        return provide(
            wanted or ("prometheus", "promtool"),
            flavour=flavour,
            root=self.root,
            environ=environ,
            progress=Progress(self.out),
            recipes=self.recipes,
        )

    def kept(self) -> list[str]:
        """List what is in the cache: programs, and anything left half-made."""
        folders = [*self.root.glob("programs/*/*"), *self.root.glob("tmp/*")]
        return sorted(str(folder.relative_to(self.root)) for folder in folders)


def versioned(name: str, version: str) -> str:
    """Write a program that prints only its version."""
    return f'#!/bin/sh\necho "{name}, version {version} (branch: , revision: )"\n'
