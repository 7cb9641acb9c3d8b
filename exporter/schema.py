"""JSON Schema (2020-12) with a bound on the work: what an answer can make it do is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from exporter.pattern import SEARCHED_CHARACTERS, compiled

MOST_SCHEMA_BYTES = 1 << 16
MOST_NODES = 20_000
"""Values in a document beyond which it is not validated: some 10 us each, on the agents' loop."""

MOST_STEPS = 200_000
"""Keywords applied to values in one validation; references multiply them, by depth even."""

_PLAIN = frozenset({"const", "default", "enum", "examples"})
_REFERENCES = frozenset({"$ref", "$dynamicRef"})
_CHARACTERS_PER_STEP = 64
_WHOLE_BELOW = 1 << 53

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class TooCostlyError(Exception):
    """Validation was given up; the text says what there was too much of."""


@dataclass(kw_only=True, slots=True)
class _Meter:
    """Counts the steps of one validation."""

    left: int = MOST_STEPS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooCostlyError(f"takes more than {MOST_STEPS} steps to validate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """A schema ready to validate; not for two threads at once."""

    validator: Any
    meter: _Meter

    def first_fault(self, document: Any) -> str | None:
        """Return where the document breaks the schema first, None where it holds.

        Raises TooCostlyError instead of taking long over a document made to be slow.
        """
        if _is_large(document):
            raise TooCostlyError(f"has more than {MOST_NODES} values, too many to validate")
        self.meter.left = MOST_STEPS
        try:
            # The first fault is enough, and all can be as many as the answer has bytes.
            error = next(self.validator.iter_errors(document), None)
        except RecursionError:
            raise TooCostlyError("is nested too deep") from None
        return None if error is None else f"{error.json_path} breaks {error.validator}"


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse with ValueError a schema that is none, or that could not be held to its bounds."""
    if len(orjson.dumps(schema)) > MOST_SCHEMA_BYTES:
        raise ValueError(f"more than {MOST_SCHEMA_BYTES} bytes; check less, or in several checks")
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        path = "/".join(str(part) for part in error.absolute_path) or "the schema"
        raise ValueError(
            f"not a JSON Schema (at {path}); see the 2020-12 draft for the keywords"
        ) from error
    known = DRAFT202012.create_resource(dict(schema))
    resolver = Registry[Any]().with_resource("", known).resolver()
    keywords = {keyword for each in _schemas(schema) for keyword in each}
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        raise ValueError(
            "has both patternProperties and unevaluatedProperties; use additionalProperties instead"
        )
    for each in _schemas(schema):
        _check_patterns(each)
        _check_references(each, resolver)


def _schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Walk every map in a schema but those that are values, not schemas."""
    left: list[Any] = [schema]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            yield value
            left.extend(inner for keyword, inner in value.items() if keyword not in _PLAIN)
        elif isinstance(value, list | tuple):
            left.extend(value)


def _check_patterns(schema: Mapping[str, Any]) -> None:
    several = schema.get("patternProperties")
    patterns = [*several] if isinstance(several, Mapping) else []
    for pattern in [*patterns, schema.get("pattern")]:
        if isinstance(pattern, str):
            try:
                compiled(pattern)
            except ValueError as error:
                raise ValueError(f"the pattern {pattern[:40]!r} is {error}") from None


def _check_references(schema: Mapping[str, Any], resolver: Any) -> None:
    for keyword in _REFERENCES & set(schema):
        reference = schema[keyword]
        if not isinstance(reference, str):
            continue
        if not reference.startswith("#"):
            raise ValueError("refers to another document; write the definition under $defs instead")
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(
                f"{keyword} {reference[:80]!r} leads nowhere; write the definition under $defs"
            ) from None


@lru_cache(maxsize=256)
def prepared(schema: bytes) -> Schema:
    """Make the validator of a checked schema, given as JSON."""
    meter = _Meter()
    keywords = {
        **Draft202012Validator.VALIDATORS,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items(meter),
    }
    kind = extend(  # type: ignore[no-untyped-call] # the library's stubs leave it out
        Draft202012Validator,
        {name: _metered(keyword, meter) for name, keyword in keywords.items()},
    )
    # An empty registry: nothing is ever fetched, whatever a reference says.
    return Schema(validator=kind(orjson.loads(schema), registry=Registry()), meter=meter)


def _metered(keyword: Keyword, meter: _Meter) -> Keyword:
    def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        size = len(value) if isinstance(value, Sized) and not isinstance(value, str) else 0
        meter.spend(1 + size)
        yield from keyword(validator, value, instance, schema) or ()

    return apply


def _matches(pattern: str, text: str) -> bool:
    if len(text) > SEARCHED_CHARACTERS:
        raise TooCostlyError(f"has a text over {SEARCHED_CHARACTERS} characters to match")
    return compiled(pattern).found_in(text)


def _pattern(validator: Any, value: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(value, instance):
        yield ValidationError("does not match the pattern")


def _pattern_properties(
    validator: Any, value: Any, instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in value.items():
        for name, each in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(each, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, each in instance.items():
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if value is False:
            yield ValidationError("has a property that the schema does not name", path=[name])
        else:
            yield from validator.descend(each, value, path=name)


def _unique_items(meter: _Meter) -> Keyword:
    def unique(validator: Any, value: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
        if not value or not validator.is_type(instance, "array"):
            return
        meter.spend(len(instance))
        seen = {_canonical(each, meter) for each in instance}
        if len(seen) < len(instance):
            yield ValidationError("has an item twice")

    return unique


def _canonical(value: Any, meter: _Meter) -> bytes:
    """Return the same bytes for equal values: in JSON Schema 1 is 1.0, and true is not 1."""
    try:
        return orjson.dumps(_whole(value, meter), option=orjson.OPT_SORT_KEYS)
    except TypeError:
        raise TooCostlyError("is nested too deep, or has text that is none, to compare") from None


def _whole(value: Any, meter: _Meter) -> Any:
    meter.spend(1 + (len(value) // _CHARACTERS_PER_STEP if isinstance(value, str) else 0))
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE_BELOW:
        return int(value)
    if isinstance(value, list):
        return [_whole(each, meter) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each, meter) for name, each in value.items()}
    return value


def _is_large(document: Any) -> bool:
    """Count values until there are too many; iterative, since depth is the answer's to choose."""
    left, seen = [document], 0
    while left:
        value = left.pop()
        seen += 1
        inner: list[Any] = []
        if isinstance(value, dict):
            inner = [*value.values()]
        elif isinstance(value, list):
            inner = value
        if seen + len(left) + len(inner) > MOST_NODES:
            return True
        left.extend(inner)
    return False
