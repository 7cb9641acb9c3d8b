"""Trains the small model that MLServer serves in the peers' test; run inside its environment."""

from __future__ import annotations

from pathlib import Path

import joblib  # type: ignore[import-not-found,unused-ignore]
import numpy as np
from sklearn.linear_model import (  # type: ignore[import-not-found,unused-ignore]
    LogisticRegression,
)

rows = np.random.default_rng(7).normal(size=(400, 4))
labels = (rows @ [1.0, -2.0, 0.5, 0.0] > 0).astype(int)
joblib.dump(LogisticRegression().fit(rows, labels), Path("model.joblib"))
