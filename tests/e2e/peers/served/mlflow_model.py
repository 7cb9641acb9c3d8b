"""Writes the model that MLflow serves in the peers' test; run inside its environment."""

from __future__ import annotations

from typing import Any

import mlflow  # type: ignore[import-not-found,unused-ignore]
import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
from mlflow.models import infer_signature  # type: ignore[import-not-found,unused-ignore]


class Sums(mlflow.pyfunc.PythonModel):  # type: ignore[misc,unused-ignore]
    """Says the sum of each row."""

    def predict(self, context: Any, model_input: Any) -> list[float]:
        """Add up; MLflow goes by the names of the arguments."""
        del context
        return [float(each) for each in model_input.sum(axis=1)]


rows = pd.DataFrame({"a": [1.0], "b": [2.0]})
mlflow.pyfunc.save_model(
    "model", python_model=Sums(), signature=infer_signature(rows, [3.0]), pip_requirements=[]
)
