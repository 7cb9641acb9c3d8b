"""The reference of all kinds, printed from the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import exporter.checks
import exporter.discoveries
import exporter.probes  # noqa: F401 - registers the kinds
from exporter.check import checks
from exporter.discovery import discoveries
from exporter.probe import probes
from toolkit.plugins import Registry


def reference() -> str:
    """Return the settings of every kind of probe, check and discovery, a line each."""
    registries: list[tuple[Registry[Any], str]] = [
        (probes, "kind: "),
        (checks, ""),
        (discoveries, "kind: "),
    ]
    return "\n".join(line for each in registries for line in _registry(*each))


def _registry(registry: Registry[Any], before: str) -> Iterator[str]:
    yield f"# {registry.noun} kinds"
    for kind, model in registry.items():
        yield ""
        yield f"{before}{kind}"
        yield f"    {(model.__doc__ or '').strip().splitlines()[0]}"
        yield from _fields(model)
    yield ""


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        need = "required" if field.is_required() else _default(field.default)
        yield f"    {name}: {field.description or ''} ({need})"


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is None or value == ():
        return "optional"
    return "optional" if isinstance(value, tuple) else f"default {value}"
