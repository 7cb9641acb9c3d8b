"""Writes the dashboards: `python -m grafana.build`; with `--check`, tells which are not current."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.exporter import exporter
from grafana.overview import overview
from grafana.responder import responder

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: Mapping[str, Callable[[], dashboard.Dashboard]] = {
    "vigie-exporter": exporter,
    "vigie-overview": overview,
    "vigie-responder": responder,
}


def render(board: dashboard.Dashboard) -> str:
    """Write a dashboard as classic JSON, keys sorted, without what Grafana numbers itself."""
    text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board.build())
    plain = {key: value for key, value in json.loads(text).items() if key not in {"id", "version"}}
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every dashboard, or with `--check` tell which ones differ; returns the exit code."""
    check = sys.argv[1:] == ["--check"]
    stale = 0
    for name, build in DASHBOARDS.items():
        path, text = FOLDER / f"{name}.json", render(build())
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale += 1
            print(f"{path}: not what grafana/build.py makes; run python -m grafana.build")  # noqa: T201 - a command prints
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
