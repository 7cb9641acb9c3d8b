"""The answer is JSON of a given schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, Field, model_validator

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation, Reason
from toolkit.settings import Settings

MOST_NODES = 20_000
"""Values in an answer beyond which it is not validated: some 10 us each, on the agents' loop."""


def _is_schema(value: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        Draft202012Validator.check_schema(dict(value))
    except SchemaError as error:
        path = "/".join(str(part) for part in error.absolute_path) or "the schema"
        raise ValueError(
            f"not a JSON Schema (at {path}); see the 2020-12 draft for the keywords"
        ) from error
    if b'"$ref":"http' in orjson.dumps(value):
        raise ValueError("refers to another document; write the definition under $defs instead")
    return value


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema))


@checks.register("json_schema")
class JsonSchema(Settings):
    """The answer parses as JSON and holds this JSON Schema (2020-12)."""

    json_schema: Annotated[Mapping[str, Any], AfterValidator(_is_schema)] = Field(
        description="the schema, in YAML; may stand in the check's own place"
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """Take the schema itself where the check's settings stand."""
        is_schema = isinstance(value, Mapping) and set(value) != {"json_schema"}
        return {"json_schema": value} if is_schema else value

    def examine(self, observation: Observation) -> CheckResult:
        """Parse the answer and validate it."""
        document = observation.document
        if document is None:
            try:
                document = orjson.loads(observation.answer[:EXAMINED_CHARACTERS])
            except orjson.JSONDecodeError:
                return failed("json_schema", "the answer is not JSON", Reason.SCHEMA)
        if _is_large(document):
            text = f"the answer has more than {MOST_NODES} values, too many to validate"
            return failed("json_schema", text, Reason.SCHEMA)
        validator = _validator(orjson.dumps(self.json_schema))
        try:
            # The first fault is enough, and all of them can be as many as the answer has bytes.
            error = next(validator.iter_errors(document), None)
        except RecursionError:
            return failed("json_schema", "the answer is nested too deep", Reason.SCHEMA)
        if error is None:
            return passed("json_schema")
        return failed("json_schema", f"{error.json_path} breaks {error.validator}", Reason.SCHEMA)


def _is_large(document: Any) -> bool:
    """Count values until there are too many; iterative, since depth is the answer's to choose."""
    left, seen = [document], 0
    while left:
        value = left.pop()
        seen += 1
        inner: Sequence[Any] = ()
        if isinstance(value, dict):
            inner = tuple(value.values())
        elif isinstance(value, list):
            inner = value
        if seen + len(left) + len(inner) > MOST_NODES:
            return True
        left.extend(inner)
    return False
