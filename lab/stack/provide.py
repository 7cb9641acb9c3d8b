"""Finds each program wanted, or has it unpacked or built, and says so line by line."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.cache import Cache, Program
from lab.stack.catalogue import OLDEST, PAIRS, RECIPES, STACK, check_names, recipe_for
from lab.stack.command import read
from lab.stack.debian import DebianUnpacker
from lab.stack.errors import StackError
from lab.stack.golang import GoBuilder, lock_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.stack.catalogue import Flavour, Recipe
    from lab.stack.progress import Progress

_SOURCES: Mapping[str, tuple[str, ...]] = {
    "any": ("path", "debian", "go"),
    "debian": ("debian",),
    "current": ("go",),
}
_DEBIAN_NAMES = {
    "alertmanager": "prometheus-alertmanager",
    "blackbox_exporter": "prometheus-blackbox-exporter",
}


def provide(  # noqa: PLR0913 - the environment and the catalogue are given, not looked up
    wanted: Sequence[str] = STACK,
    *,
    flavour: Flavour = "any",
    root: Path,
    environ: Mapping[str, str],
    progress: Progress,
    recipes: Sequence[Recipe] = RECIPES,
) -> dict[str, Program]:
    """Return every program wanted, by name, each ready to start.

    `any` takes PATH's, else Debian's, else builds with Go; `debian` and `current` (Go) take one
    source only. `root` is the cache's folder (see `cache_root`), `environ` the environment for
    PATH and for apt, pip and Go. Raises StackError when one cannot be had.
    """
    check_names(wanted, recipes)
    with Cache(root).workspace() as work:
        run = _Run(
            cache=Cache(root), work=work, environ=environ, progress=progress, recipes=recipes
        )
        return {name: run.provide(name, wanted, _SOURCES[flavour]) for name in wanted}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    cache: Cache
    work: Path
    environ: Mapping[str, str]
    progress: Progress
    recipes: Sequence[Recipe]
    failed: dict[tuple[str, str], StackError] = field(default_factory=dict)

    def provide(self, name: str, wanted: Sequence[str], sources: Sequence[str]) -> Program:
        failed: list[StackError] = []
        for source in sources:
            try:
                program = self._from(source, name, wanted)
            except StackError as error:
                failed.append(error)
                if source != sources[-1]:
                    self.progress.step(f"{name}: {error}")
                continue
            if program is not None:
                self.progress.step(f"{name} {program.version} is at {program.path}")
                return program
        if failed:
            raise failed[-1]
        problem = f"not to be had from {' or '.join(sources)}"
        raise StackError(name, problem, "use --flavour any or --flavour current")

    def _from(self, source: str, name: str, wanted: Sequence[str]) -> Program | None:
        if source == "path":
            return self._on_path(name, wanted)
        recipe = recipe_for(name, source, self.recipes)
        if recipe is None:
            return None
        return self.cache.find(name, recipe.key) or self._make(recipe, name)

    def _make(self, recipe: Recipe, name: str) -> Program:
        with self.cache.lock(lock_name(tuple(recipe.programs), recipe.key), self.progress):
            # Another run may have made it while this one waited for the lock.
            kept = self.cache.find(name, recipe.key)
            if kept is not None:
                return kept
            made = self._made(recipe)
            return next(program for program in made if program.name == name)

    def _made(self, recipe: Recipe) -> tuple[Program, ...]:
        # What could not be made for one program is not tried again for its pair.
        attempt = (recipe.origin, recipe.key)
        if attempt in self.failed:
            raise self.failed[attempt]
        try:
            return self._builder(recipe)
        except StackError as error:
            self.failed[attempt] = error
            raise

    def _builder(self, recipe: Recipe) -> tuple[Program, ...]:
        if recipe.source == "debian":
            unpacker = DebianUnpacker(
                cache=self.cache, environ=self.environ, progress=self.progress
            )
            return unpacker.unpack(recipe, self.work)
        builder = GoBuilder(
            cache=self.cache,
            environ=self.environ,
            python=sys.executable,
            progress=self.progress,
        )
        return builder.build(recipe, self.work)

    def _on_path(self, name: str, wanted: Sequence[str]) -> Program | None:
        """Take PATH's program when all that it is paired with, and wanted, is there as well."""
        pair = next((pair for pair in PAIRS if name in pair), (name,))
        found = {each: self._found(each) for each in pair if each in wanted}
        return None if None in found.values() else found[name]

    def _found(self, name: str) -> Program | None:
        path = self.environ.get("PATH", "")
        file = shutil.which(name, path=path)
        if file is None and name in _DEBIAN_NAMES:
            file = shutil.which(_DEBIAN_NAMES[name], path=path)
        if file is None:
            return None
        version = _version_of(file, self.environ)
        if _numbers(version) < OLDEST.get(name, ()):
            self.progress.step(f"{file} is version {version or 'unknown'}: too old, not taken")
            return None
        return Program(name=name, version=version, path=Path(file).absolute(), source="path")


def _version_of(file: str, environ: Mapping[str, str]) -> str:
    printed = read([file, "--version"], environ=environ) or ""
    match = re.search(r"\bversion[ :]+v?(\d+(?:\.\d+)+)", printed)
    return match[1] if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
