"""Folders of made-up cases, in the form that `eval ranking` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROWS, ALERT = 60, 40
SERVICES = ("door", "mill", "well")


def recording(culprit: str, seed: int, **changes: Any) -> dict[str, Any]:
    """Make the arrays of a case in which one service turns slow and busy at the alert."""
    random = np.random.default_rng(seed)
    names = [f"{service}|{metric}" for service in SERVICES for metric in ("latency", "cpu")]
    values = 10 + 0.2 * random.standard_normal((ROWS, len(names)))
    for index, name in enumerate(names):
        if name.startswith(culprit):
            values[ALERT:, index] += 50
    arrays: dict[str, Any] = {
        "t": 5.0 * np.arange(ROWS),
        "X": values.astype(np.float32),
        "names": np.array(names),
        "alert_index": np.int64(ALERT),
        "onset_index": np.int64(ALERT),
        "target": np.array("door|latency"),
        "edges": np.array([["door", "mill"], ["mill", "well"]]),
    }
    return arrays | changes


def label(culprit: str, system: str = "farm", *, is_observable: bool = True) -> dict[str, Any]:
    """Make the label of a case."""
    return {
        "dataset": system,
        "root_cause_service": culprit,
        "root_cause_kind": "cpu",
        "metric_observable": is_observable,
    }


def write(
    folder: Path, cases: Mapping[str, tuple[Mapping[str, Any], Any]], part: str = "dev"
) -> Path:
    """Write recordings and labels; returns the folder."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    for name, (arrays, _) in cases.items():
        np.savez_compressed(folder / part / f"{name}.npz", **arrays)
    labels = {name: each for name, (_, each) in cases.items()}
    (folder / f"labels_{part}.json").write_text(json.dumps(labels), encoding="utf-8")
    return folder


def three(folder: Path) -> Path:
    """Write three cases of two systems, one of which shows nothing of its cause."""
    return write(
        folder,
        {
            "one": (recording("mill", 1), label("mill")),
            "two": (recording("well", 2), label("well", "mine")),
            "three": (recording("mill", 3), label("door", "mine", is_observable=False)),
        },
    )
