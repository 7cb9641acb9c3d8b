"""The tree of the project's Python, read once: its modules and what each of them imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("exporter", "responder", "toolkit")
PROGRAMS = (*PRODUCT, "lab")


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """One Python file; `path` is `exporter/probes/http`, a package's the folder and `__init__`."""

    path: str
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        """The top folder."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """The dotted name that imports it."""
        return self.path.removesuffix("/__init__").replace("/", ".")

    def matches(self, patterns: tuple[str, ...]) -> bool:
        """Tell whether one of *patterns* names this module."""
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)


def folders() -> Iterator[Path]:
    """Give every folder of ours at the top that holds Python."""
    for folder in sorted(ROOT.iterdir()):
        is_ours = folder.is_dir() and folder.name[0].isalpha()
        if is_ours and folder.name not in {"build", "state"} and any(files(folder)):
            yield folder


def files(folder: Path) -> Iterator[Path]:
    """Give every Python file under *folder*."""
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


@functools.cache
def modules() -> tuple[Module, ...]:
    """Read every Python file of the tree."""
    read = []
    for path in (each for folder in folders() for each in files(folder)):
        text = path.read_text("utf-8")
        name = path.relative_to(ROOT).with_suffix("").as_posix()
        read.append(Module(path=name, tree=ast.parse(text, name), lines=text.count("\n")))
    return tuple(read)


@functools.cache
def by_name() -> dict[str, Module]:
    """Give every module by its dotted name."""
    return {module.name: module for module in modules()}


def programs() -> Iterator[Module]:
    """Give the modules of the programs, without tests and tools."""
    return (module for module in modules() if module.package in PROGRAMS)


@functools.cache
def imported(module: Module) -> tuple[str, ...]:
    """Give the dotted names that *module* imports anywhere in it, lazily and by text too."""
    return tuple(sorted({name for node in ast.walk(module.tree) for name in _names(node)}))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in by_name() else node.module
    elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def called(node: ast.Call) -> str:
    """Give the last name of what *node* calls, empty when it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def own(module: Module) -> Iterator[Module]:
    """Give the modules of this tree that *module* imports."""
    return (by_name()[name] for name in imported(module) if name in by_name())
