"""What a run is called: in exemplars, on its target's page, and in the API."""

from __future__ import annotations


def run_id(finished_timestamp_seconds: float) -> str:
    """Return the microsecond in which a run finished, in hex: one target's runs do not overlap."""
    return f"{round(finished_timestamp_seconds * 1e6):x}"
