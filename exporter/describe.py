"""The reference of all kinds, printed from the models and the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import exporter.checks
import exporter.discoveries
import exporter.probes  # noqa: F401 - registers the kinds
from exporter.check import checks
from exporter.dialect import DIALECTS, Dialect
from exporter.discovery import discoveries
from exporter.native.names import SERVERS, Metric, Names
from exporter.probe import probes
from toolkit.plugins import Registry
from toolkit.settings import nearest

_Blocks = Mapping[str, tuple[str, ...]]


def reference(only: str | None = None) -> str:
    """Return what there is of every kind, a line each setting; or of one, by its name.

    Raises LookupError, with the nearest name, where nothing is called so.
    """
    chapters = _chapters()
    if only is None:
        return "\n".join(_chapter(title, blocks) for title, blocks in chapters.items())
    found = ["\n".join(blocks[only]) for blocks in chapters.values() if only in blocks]
    if not found:
        names = [name for blocks in chapters.values() for name in blocks]
        raise LookupError(f"describe: nothing is called {only[:100]!r}; {nearest(only, names)}")
    return "\n\n".join(found)


def _chapters() -> dict[str, _Blocks]:
    """Give every chapter: its title, and what stands in it by name."""
    registries: list[tuple[Registry[Any], str]] = [
        (probes, "kind: "),
        (checks, ""),
        (discoveries, "kind: "),
    ]
    chapters: dict[str, _Blocks] = {
        f"{registry.noun} kinds": {
            kind: tuple(_kind(f"{before}{kind}", model)) for kind, model in registry.items()
        }
        for registry, before in registries
    }
    chapters["dialects"] = {
        str(name): tuple(_dialect(str(name), each)) for name, each in DIALECTS.items()
    }
    chapters["native servers"] = {
        name: tuple(_server(name, each)) for name, each in SERVERS.items()
    }
    return chapters


def _chapter(title: str, blocks: _Blocks) -> str:
    return f"# {title}\n" + "".join("\n" + "\n".join(lines) + "\n" for lines in blocks.values())


def _kind(heading: str, model: type[BaseModel]) -> Iterator[str]:
    yield heading
    yield f"    {(model.__doc__ or '').strip().splitlines()[0]}"
    for name, field in model.model_fields.items():
        need = "required" if field.is_required() else _default(field.default)
        yield f"    {name}: {field.description or ''} ({need})"


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is None or value == ():
        return "optional"
    return "optional" if isinstance(value, tuple) else f"default {value}"


def _dialect(name: str, dialect: Dialect) -> Iterator[str]:
    yield f"dialect: {name}"
    learns = ", and leaves out what the server refuses" if name == "auto" else ""
    yield f"    asks at /{dialect.root}{learns}"
    yield f"    {dialect.limit}: the longest answer"
    if dialect.temperature:
        yield "    temperature: 0"
    if dialect.seed is not None:
        yield f"    {dialect.seed}: 1"
    if dialect.usage:
        yield "    stream_options: asks for the usage"


def _server(name: str, names: Names) -> Iterator[str]:
    yield f"server: {name}"
    for meaning, metrics in (
        ("running", names.running),
        ("waiting", names.waiting),
        ("progress", names.progress),
    ):
        for metric in metrics:
            yield f"    {meaning}: {_metric(metric)}"
    if names.at_end:
        yield "    counts finished requests alone"
    if names.refresh_seconds:
        yield f"    is up to {names.refresh_seconds:g} s old"
    if names.lacks:
        yield f"    lacks {names.lacks}"


def _metric(metric: Metric) -> str:
    names = " or ".join(metric.names)
    return f"{names} (where it is)" if metric.optional else names
