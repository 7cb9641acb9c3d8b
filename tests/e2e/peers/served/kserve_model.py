"""KServe's Python server over a model that adds up rows; run inside its environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from kserve import (  # type: ignore[import-not-found,unused-ignore]
    InferOutput,
    InferResponse,
    Model,
    ModelServer,
)
from kserve.errors import InvalidInput  # type: ignore[import-not-found,unused-ignore]

COLUMN = {"datatype": "FP32", "shape": [-1, 1]}


class Sums(Model):  # type: ignore[misc,unused-ignore]
    """Says the sum of each row, in the form of the protocol that asked."""

    def __init__(self, name: str) -> None:
        """Have nothing to load."""
        super().__init__(name)
        self.ready = True

    def predict(self, payload: Any, *_headers: Any, **_more: Any) -> Any:
        """Add up; V1 gives a map, V2 a request."""
        if isinstance(payload, dict):
            return {"predictions": [self._sum(row) for row in payload["instances"]]}
        found = payload.inputs[0].as_numpy().sum(axis=1, keepdims=True).astype(np.float32)
        output = InferOutput("sum", list(found.shape), "FP32")
        output.set_data_from_numpy(found, binary_data=False)
        return InferResponse(payload.id, self.name, [output], "7")

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return what the metadata says of the inputs."""
        return [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return what the metadata says of the outputs."""
        return [{"name": "sum", **COLUMN}]

    @staticmethod
    def _sum(row: Any) -> float:
        try:
            return float(sum(row))
        except TypeError as error:
            raise InvalidInput(f"not a row: {error}") from error


if __name__ == "__main__":
    ModelServer().start([Sums("sums")])
