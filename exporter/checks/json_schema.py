"""The answer is JSON of a given schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, model_validator

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.schema import TooCostlyError, check_schema, prepared
from exporter.target import CheckResult, Observation, Reason
from toolkit.settings import Settings


def _is_schema(value: Mapping[str, Any]) -> Mapping[str, Any]:
    check_schema(value)
    return value


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
        try:
            fault = prepared(orjson.dumps(self.json_schema)).first_fault(document)
        except TooCostlyError as error:
            return failed("json_schema", f"the answer {error}", Reason.SCHEMA)
        return (
            passed("json_schema") if fault is None else failed("json_schema", fault, Reason.SCHEMA)
        )
