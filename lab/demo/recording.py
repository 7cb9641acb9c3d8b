"""Keeps what a responder knew of an incident, and the truth, for `eval reports`."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.demo.run import Scene
from lab.demo.verdict import Truth
from lab.demo.watch import fetch
from lab.installation import RESPONDER

_KEPT = ("id", "opened_at", "state", "reason", "episodes", "evidence", "suspects", "disproofs")


async def record(scene: Scene, folder: Path, truth: Truth, incident: Mapping[str, Any]) -> Path:
    """Write an incident of the responder's API, its charts left out, and the changes it knew."""
    told = await fetch(scene.session, f"{scene.place.url(RESPONDER)}/api/v1/changes")
    kept = {name: incident[name] for name in _KEPT}
    kept["evidence"] = [{**each, "chart_svg": ""} for each in incident["evidence"]]
    case = {
        "name": truth.fault,
        "truth": {
            "component": truth.component,
            "kind": truth.cause_kind,
            "is_undecided": truth.undecided,
        },
        "incident": kept,
        "changes": told["changes"] if told else [],
    }
    return await asyncio.to_thread(_write, folder, case)


def _write(folder: Path, case: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = _free(folder, str(case["name"]))
    # Without a time in it, so that the same case is the same file.
    path.write_bytes(gzip.compress(json.dumps(case, ensure_ascii=False).encode(), mtime=0))
    return path


def _free(folder: Path, name: str) -> Path:
    """Give a name that no case of this folder has: a compound has several incidents."""
    path, number = folder / f"{name}.json.gz", 2
    while path.exists():
        path, number = folder / f"{name}-{number}.json.gz", number + 1
    return path
