"""The test that holds the house: what it says of the tree is computed by walking the tree."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys

import pytest

from tests.tree import (
    PRODUCT,
    PROGRAMS,
    ROOT,
    Module,
    called,
    files,
    folders,
    imported,
    modules,
    own,
    programs,
)

# From the top down; a module may import what stands in its own row or under it. A module that no
# pattern names belongs as high as the highest thing it imports.
LAYERS = (
    ("entrance", ("*/__main__",)),
    (
        "web, fleet, workflows",
        (
            "exporter/web", "exporter/fleet", "exporter/finding",
            "responder/web/*", "responder/workflows", "responder/patrol", "responder/mcp",
        ),
    ),
    (
        "agent, investigation",
        (
            "exporter/agent",
            "responder/investigation/gather", "responder/investigation/suspects",
            "responder/investigation/disproof", "responder/investigation/embedded",
            "responder/investigation/mistral", "responder/investigation/grounding",
            "responder/investigation/decide",
        ),
    ),
    (
        "plug-ins",
        (
            "exporter/probes/*", "exporter/checks/*", "exporter/discoveries/*",
            "responder/sources/*", "responder/channels/*",
        ),
    ),
    (
        "contracts",
        (
            "exporter/probe", "exporter/check", "exporter/discovery", "exporter/transport",
            "responder/source", "responder/channel", "responder/investigation/analyst",
            "responder/store/*",
        ),
    ),
    (
        "records",
        (
            "exporter/target", "exporter/metrics",
            "responder/alert", "responder/incident", "responder/guard",
            "responder/investigation/evidence", "responder/investigation/report",
        ),
    ),
    ("ground", ("toolkit/*",)),
)  # fmt: skip

PLUG_INS = dict(LAYERS)["plug-ins"]

# Who alone may import what, by the pattern of the importer.
DOORS = (
    (("mistralai",), ("responder/investigation/mistral",)),
    (("sqlalchemy", "alembic", "sqlite3", "psycopg", "aiosqlite"), ("responder/store/*",)),
    (("dbos",), ("responder/workflows", "responder/durable")),
    (("resvg_py",), ("responder/raster/*",)),
    (("re2",), ("exporter/pattern",)),
    (("aiosmtplib",), ("responder/channels/email",)),
)

FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "base", "common"})
MOST_LINES = 400

# Alembic runs this file itself, in a context that exists only then.
NOT_ALONE = ("responder/store/migrations/env",)


def row(module: Module) -> int | None:
    """Give the row of the layer table that names *module*, counted from the top."""
    rows = (index for index, (_, patterns) in enumerate(LAYERS) if module.matches(patterns))
    return next(rows, None)


@functools.cache
def reached(module: Module) -> tuple[tuple[Module, ...], ...]:
    """Give the ways from *module* to the nearest modules of the table, through those not in it."""
    ways: list[tuple[Module, ...]] = []
    seen = {module}
    ahead: list[tuple[Module, ...]] = [(module, each) for each in own(module)]
    while ahead:
        way = ahead.pop()
        last = way[-1]
        if last in seen:
            continue
        seen.add(last)
        if row(last) is not None:
            ways.append(way)
        else:
            ahead += [(*way, each) for each in own(last)]
    return tuple(ways)


def test_layers() -> None:
    """Arrows point down: no module reaches one that stands above it."""
    wrong = []
    for module in programs():
        here = row(module)
        for way in reached(module):
            there = row(way[-1])
            if here is not None and there is not None and there < here:
                steps = " -> ".join(each.path for each in way)
                wrong.append(f"{steps}: {LAYERS[here][0]} must not reach {LAYERS[there][0]}")
    assert not wrong, "\n".join(wrong)


def test_layer_table() -> None:
    """The table itself names what is there: every plug-in folder, and each room's entrance."""
    for _, patterns in LAYERS:
        assert any(module.matches(patterns) for module in programs()), patterns
    entrances = {module.package for module in programs() if module.path.endswith("/__main__")}
    assert entrances >= {"exporter", "responder"}


def test_plug_ins_stand_alone() -> None:
    """No plug-in imports another: adding or removing one is one file."""
    wrong = [
        f"{module.path} -> {other.path}"
        for module in programs()
        if module.matches(PLUG_INS) and not module.path.endswith("__init__")
        for other in own(module)
        if other.matches(PLUG_INS) and other is not module
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circles() -> None:
    """No module reaches itself."""
    done: set[str] = set()
    circles: list[str] = []

    def visit(module: Module, way: tuple[str, ...]) -> None:
        if module.path in way:
            circles.append(" -> ".join((*way[way.index(module.path) :], module.path)))
        elif module.path not in done:
            for each in own(module):
                visit(each, (*way, module.path))
            done.add(module.path)

    for module in programs():
        visit(module, ())
    assert not circles, "\n".join(circles)


STRANGERS = {
    "exporter": {"exporter", "toolkit"},
    "responder": {"responder", "toolkit"},
    "toolkit": {"toolkit"},
    "lab": {"lab", "toolkit"},
}
"""What of our own each folder may import."""


def test_rooms() -> None:
    """The programs never meet, the ground knows neither, and the lab starts them from outside."""
    ours = {folder.name for folder in folders()}
    wrong = [
        f"{module.path} -> {name}"
        for module in programs()
        for name in imported(module)
        if name.partition(".")[0] in ours - STRANGERS[module.package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("libraries", "doors"), DOORS, ids=[names[0] for names, _ in DOORS])
def test_doors(libraries: tuple[str, ...], doors: tuple[str, ...]) -> None:
    """A library with a door of its own is imported there alone."""
    wrong = [
        f"{module.path} -> {name}"
        for module in programs()
        if module.package in PRODUCT and not module.matches(doors)
        for name in imported(module)
        if name.partition(".")[0] in libraries
    ]
    assert not wrong, "\n".join(wrong)


def test_no_inner_modules() -> None:
    """Nobody imports a private module of a library, which may be gone with its next version."""
    wrong = [
        f"{module.path} -> {name}"
        for module in programs()
        for name in imported(module)
        if any(part.startswith("_") and part != "__future__" for part in name.split("."))
        and not name.endswith("__main__")
    ]
    assert not wrong, "\n".join(wrong)


OUTSIDE = {
    "os": {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"},
    "os.path": {"expandvars"},
    "sys": {"argv", "orig_argv"},
}
"""How a process is told things from outside, by module and name."""


def from_outside(node: ast.AST) -> str | None:
    """Name what *node* reads of the command line or the environment, None when nothing."""
    if isinstance(node, ast.Attribute):
        owner = ast.unparse(node.value)
        return f"{owner}.{node.attr}" if node.attr in OUTSIDE.get(owner, ()) else None
    if isinstance(node, ast.ImportFrom):
        taken = {alias.name for alias in node.names} & OUTSIDE.get(node.module or "", set())
        return f"{node.module}.{min(taken)}" if taken else None
    if isinstance(node, ast.Call) and called(node) in {"parse_args", "parse_known_args"}:
        given = [*node.args, *(each for each in node.keywords if each.arg == "args")]
        return None if given else f"{called(node)}()"
    return None


def test_only_entrances_look_outside() -> None:
    """Only `__main__` modules read the command line and the environment."""
    wrong = [
        f"{module.path}:{getattr(node, 'lineno', 0)}: {seen}"
        for module in programs()
        if not module.path.endswith("/__main__")
        for node in ast.walk(module.tree)
        if (seen := from_outside(node))
    ]
    assert not wrong, "\n".join(wrong)


def test_printing() -> None:
    """Only `__main__` modules print; others write to a stream that they were given."""
    wrong = [
        f"{module.path}:{node.lineno}"
        for module in programs()
        if not module.path.endswith("/__main__")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id == "print" and not _has_own_stream(node)
    ]
    assert not wrong, "\n".join(wrong)


def _has_own_stream(node: ast.Call) -> bool:
    streams = [ast.unparse(each.value) for each in node.keywords if each.arg == "file"]
    return bool(streams) and not streams[0].startswith("sys.")


def test_names() -> None:
    """No file or folder has a name that says nothing."""
    wrong = [
        module.path
        for module in modules()
        if any(set(part.split("_")) & FORBIDDEN_NAMES for part in module.path.split("/"))
    ]
    assert not wrong, "\n".join(wrong)


def test_lengths() -> None:
    """Every file is short."""
    wrong = [f"{each.path}: {each.lines}" for each in modules() if each.lines >= MOST_LINES]
    assert not wrong, "\n".join(wrong)


def test_packages() -> None:
    """Every folder that holds modules or tests is a package, and so is every folder above it."""
    wrong = {
        str(above.relative_to(ROOT))
        for folder in folders()
        for path in files(folder)
        if folder.name in PROGRAMS or path.name.startswith("test_")
        for above in (path.parent, *path.parent.parents)
        if above.is_relative_to(folder) and not (above / "__init__.py").exists()
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_annotations_stay_text() -> None:
    """Every module with code leaves its annotations unevaluated."""
    wrong = [
        module.path
        for module in modules()
        if module.tree.body[1:]
        and not any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__"
            for node in module.tree.body
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_importable_alone() -> None:
    """Every module can be imported first, without a warning, and nothing happens then.

    One interpreter loads the libraries and none of our modules; each module gets a fork of it.
    """
    ours = {folder.name for folder in folders()}
    names = {name for module in programs() for name in imported(module)}
    libraries = sorted(name for name in names if name.partition(".")[0] not in ours)
    alone = [module.name for module in programs() if not module.matches(NOT_ALONE)]
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.alone"],
        input=f"{' '.join(libraries)}\n{' '.join(alone)}",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert ended.stdout == "all tried\n", ended.stdout + ended.stderr
