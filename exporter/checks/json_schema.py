"""The answer is JSON of a given schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from pydantic import AfterValidator, Field, model_validator

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation, Reason
from toolkit.settings import Settings


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
        validator = _validator(orjson.dumps(self.json_schema))
        try:
            error = best_match(validator.iter_errors(document))
        except RecursionError:
            return failed("json_schema", "the answer is nested too deep", Reason.SCHEMA)
        if error is None:
            return passed("json_schema")
        return failed("json_schema", f"{error.json_path} breaks {error.validator}", Reason.SCHEMA)
