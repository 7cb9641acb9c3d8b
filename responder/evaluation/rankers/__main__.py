"""Runs BARO and N-Sigma where their packages are installed, on cases from standard input.

Started by path with that environment's Python: it imports nothing of this project. A line in is
`{"id", "path", "owners": [[component, metric], ...], "alert_index"}`, a line out
`{"id", "BARO": [component, ...], "N-Sigma": [...]}`, the likeliest first.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any


def main() -> int:
    """Answer every line with one line."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line))), flush=True)
    return 0


def answered(case: Mapping[str, Any]) -> dict[str, Any]:
    """Rank one case with both; their own errors end the run, since a fallback is no ranking."""
    from baro.root_cause_analysis import nsigma, robust_scorer  # noqa: PLC0415 - there alone

    table, owners, alert_at = read(case)
    return {
        "id": case["id"],
        "BARO": _components(robust_scorer(table, inject_time=alert_at)["ranks"], owners),
        "N-Sigma": _components(nsigma(table, inject_time=alert_at)["ranks"], owners),
    }


def read(case: Mapping[str, Any]) -> tuple[Any, dict[str, str], float]:
    """Give the table that both take: a column a series, named component_metric, and `time`.

    Neither bears a gap: the last value is carried on, the first one back; empty series go.
    """
    import numpy as np  # noqa: PLC0415 - that environment's
    import pandas as pd  # noqa: PLC0415 - there alone

    with np.load(case["path"], allow_pickle=False) as arrays:
        values, times = arrays["X"].astype(float), arrays["t"].astype(float)
    names: dict[str, str] = {}
    columns: dict[str, Any] = {}
    for index, (component, metric) in enumerate(case["owners"]):
        name = f"{component}_{metric}"
        name = name if name not in columns else f"{component}_{index}_{metric}"
        names[name], columns[name] = component, values[:, index]
    table = pd.DataFrame(columns).replace([np.inf, -np.inf], np.nan)
    table = table.dropna(axis=1, how="all").ffill().bfill()
    # Their way of dropping the time drops every column whose name holds the word.
    table.insert(0, "time", times)
    return table, names, float(times[case["alert_index"]])


def _components(ranks: Sequence[str], owners: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(owners[name] for name in ranks))


if __name__ == "__main__":
    sys.exit(main())
