"""Reads the truth table: what each fault is, and what tells it from the faults that look alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

CAUSE_KINDS = frozenset(
    [
        "traffic_surge",
        "capacity",
        "hung_engine",
        "slow_engine",
        "internal_error",
        "crash",
        "out_of_memory",
        "bad_rollout",
        "model_regression",
        "input_data",
        "dependency",
        "provider_outage",
        "rate_limit",
        "network",
        "certificate",
        "configuration",
        "gpu_hardware",
        "monitoring",
        "unknown",
    ]
)
TABLE = Path(__file__).with_name("truth.yml")


class Truth(BaseModel):
    """One fault's truth: where it is, what kind of cause, and how it shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str
    component: str
    cause_kind: str
    summary: str
    signals: tuple[str, ...]
    neighbours: Mapping[str, str]
    alone: bool = True
    """Whether it is a story by itself, or only a part of compounds."""


class Table(BaseModel):
    """The whole truth table as it stands in its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faults: tuple[Truth, ...]


def load(path: Path = TABLE) -> dict[str, Truth]:
    """Return the truth of each fault by its name, in the file's order.

    Raises ValueError when a fault stands twice or its kind is outside the closed set.
    """
    table: dict[str, Truth] = {}
    for truth in Table.model_validate(yaml.safe_load(path.read_text("utf-8"))).faults:
        if truth.fault in table:
            raise ValueError(f"{path.name}: {truth.fault} stands twice; keep one")
        if truth.cause_kind not in CAUSE_KINDS:
            raise ValueError(
                f"{path.name}: {truth.fault}: cause kind {truth.cause_kind} is not of the closed"
                f" set; use one of {', '.join(sorted(CAUSE_KINDS))}"
            )
        table[truth.fault] = truth
    return table
