"""The JSON Schema of the configuration, for editors: what stands in it many times stands once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from exporter import config

_LEAST_CHARACTERS = 1_000


def schema() -> dict[str, Any]:
    """Return the schema, each list of kinds moved to `$defs`; it means what `config.schema` means.

    In place, each list of checks would stand in each canary of each probe of each place for one.
    """
    found = config.schema()
    while (repeated := _repeated(found)) is not None:
        name = f"Kinds{sum(each.startswith('Kinds') for each in found['$defs']) + 1}"
        options = json.loads(repeated)
        for each in list(_maps(found)):
            if "oneOf" in each and _written(each["oneOf"]) == repeated:
                del each["oneOf"]
                each["$ref"] = f"#/$defs/{name}"
        found["$defs"][name] = {"oneOf": options}
    return found


def _repeated(schema: dict[str, Any]) -> str | None:
    """Return the shortest list of options that stands in several places, as it is written."""
    lists = Counter(_written(each["oneOf"]) for each in _maps(schema) if "oneOf" in each)
    several = [text for text, n in lists.items() if n > 1 and len(text) > _LEAST_CHARACTERS]
    return min(several, key=len, default=None)


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    """Walk every map of a schema."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _maps(each)
