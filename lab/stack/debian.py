"""Unpacks Debian's packages into the cache; nothing is installed, no service starts."""

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

_TIMEOUT_SECONDS = 5 * 60.0
_ELSEWHERE = "use --flavour current, which builds with Go"

# What Debian compiled to be read below /usr/share is laid over it, for this one process alone.
_WRAPPER = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
user=--map-root-user
[ "$(id -u)" = 0 ] && user=
exec unshare $user --mount sh -c '
  mount -t overlay overlay -o "lowerdir=$0/share:/usr/share" /usr/share && exec "$@"
' "$here" "$here/{real}" "$@"
"""


class DebianUnpacker:
    """Downloads packages with apt-get and unpacks them with dpkg, as any user.

    Where the machine has no package lists, they are fetched once into the run's workspace: the
    machine's own state is left as it is.
    """

    def __init__(self, *, cache: Cache, environ: Mapping[str, str], progress: Progress) -> None:
        """Unpack into `cache`, with the tools on `environ`'s PATH."""
        self._cache = cache
        self._environ = {**environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        self._progress = progress

    def unpack(self, recipe: Recipe, work: Path) -> tuple[Program, ...]:
        """Unpack all programs of a recipe and keep them; raises StackError, leaving nothing kept.

        It is an error where apt is not there or offers another upstream version.
        """
        package = recipe.origin
        self._require_tools(package)
        folder = work / f"debian-{package}"
        folder.mkdir()
        options = self._with_lists(recipe, work)
        version = self._candidate(package, options)
        _check_version(recipe, version)
        self._progress.step(f"unpack Debian's {package} {version}")
        try:
            self._download(package, options, folder)
        except StackError:
            # Old lists name files that the mirror has dropped since: once more with new ones.
            if options:
                raise
            options = self._update(work)
            version = self._candidate(package, options)
            _check_version(recipe, version)
            self._download(package, options, folder)
        tree = self._extract(package, folder)
        return tuple(self._keep(recipe, name, tree, version) for name in recipe.programs)

    def _require_tools(self, package: str) -> None:
        for tool in ("apt-get", "apt-cache", "dpkg"):
            if shutil.which(tool, path=self._environ.get("PATH", "")) is None:
                raise StackError(f"Debian's {package}", f"no {tool} on this machine", _ELSEWHERE)

    def _with_lists(self, recipe: Recipe, work: Path) -> Sequence[str]:
        return () if self._candidate(recipe.origin, ()) else self._update(work)

    def _candidate(self, package: str, options: Sequence[str]) -> str:
        printed = read(["apt-cache", *options, "policy", package], environ=self._environ) or ""
        match = re.search(r"^ *Candidate: (\S+)$", printed, re.MULTILINE)
        return match[1] if match and match[1] != "(none)" else ""

    def _update(self, work: Path) -> Sequence[str]:
        lists = work / "apt"
        options = ("-o", f"Dir::State::Lists={lists}/lists", "-o", f"Dir::Cache={lists}/cache")
        if lists.exists():
            return options
        for name in ("lists/partial", "cache/archives/partial"):
            (lists / name).mkdir(parents=True)
        self._progress.step("apt has no (fresh) package lists: fetching them for this run")
        self._run(["apt-get", *options, "update"], "apt-get update", work)
        return options

    def _download(self, package: str, options: Sequence[str], folder: Path) -> None:
        self._run(["apt-get", *options, "download", package], f"download {package}", folder)

    def _extract(self, package: str, folder: Path) -> Path:
        files = sorted(folder.glob("*.deb"))
        if len(files) != 1:
            problem = f"apt-get download left {len(files)} packages"
            raise StackError(f"Debian's {package}", problem, _ELSEWHERE)
        tree = folder / "tree"
        self._run(["dpkg", "-x", str(files[0]), str(tree)], f"unpack {package}", folder)
        return tree

    def _keep(self, recipe: Recipe, name: str, tree: Path, version: str) -> Program:
        file = tree / recipe.programs[name]
        if not file.is_file():
            problem = f"package {recipe.origin} {version} has no {recipe.programs[name]}"
            raise StackError(f"Debian's {name}", problem, _ELSEWHERE)
        entry = Entry(
            name=name,
            key=recipe.key,
            version=upstream(version),
            source=recipe.source,
            origin=f"{recipe.origin} {version}",
        )
        if not recipe.share:
            return self._cache.put(file, entry)
        staged = self._stage(recipe, name, tree)
        beside = {each: staged / each for each in (f"{name}.real", "share")}
        return self._cache.put(staged / name, entry, beside)

    def _stage(self, recipe: Recipe, name: str, tree: Path) -> Path:
        """Lay a program out with its wrapper and data, and see that it starts so."""
        staged = tree.parent / f"staged-{name}"
        data = Path(recipe.share).relative_to("usr/share")
        shutil.copytree(tree / recipe.share, staged / "share" / data)
        real = staged / f"{name}.real"
        shutil.move(tree / recipe.programs[name], real)
        real.chmod(0o755)
        wrapper = staged / name
        wrapper.write_text(_WRAPPER.format(real=real.name), encoding="utf-8")
        wrapper.chmod(0o755)
        if read([str(wrapper), "--version"], environ=self._environ) is None:
            problem = "cannot be given its templates: this machine refuses a mount namespace"
            raise StackError(f"Debian's {name}", problem, _ELSEWHERE)
        return staged

    def _run(self, argv: Sequence[str], doing: str, folder: Path) -> None:
        run(
            argv,
            doing=doing,
            folder=folder,
            log=folder / "log",
            environ=self._environ,
            timeout_seconds=_TIMEOUT_SECONDS,
            remedy=f"see the output below; or {_ELSEWHERE}",
            progress=self._progress,
        )


def upstream(version: str) -> str:
    """Cut Debian's own parts off a version: `1:2.42.0+ds-5+deb12u1` is upstream's `2.42.0`."""
    return re.split(r"[+~-]", version.partition(":")[2] or version, maxsplit=1)[0]


def _check_version(recipe: Recipe, version: str) -> None:
    if not version:
        problem = "apt knows no such package"
        raise StackError(f"Debian's {recipe.origin}", problem, _ELSEWHERE)
    if upstream(version) != recipe.version and not upstream(version).startswith(
        f"{recipe.version}."
    ):
        problem = f"this machine's apt offers {version}, the tests are held to {recipe.version}"
        raise StackError(f"Debian's {recipe.origin}", problem, _ELSEWHERE)
