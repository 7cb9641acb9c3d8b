"""Replaces the program by a newer one while investigations run."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Mapping
from pathlib import Path

from lab.chaos.alerts import Condition
from lab.chaos.hung import Survived, survived
from lab.chaos.replicas import ROOT
from lab.chaos.scene import ChaosError, Scene, eventually
from lab.mistral.server import Persona
from lab.stack.command import read

_SECOND_SCHEMA = "responder/store/migrations/versions/0002_replicas.py"
_CONDITIONS = 6


async def unpacked(folder: Path, environ: Mapping[str, str]) -> Path:
    """Unpack the last program of the first schema; raises ChaosError without its commit."""
    archive = folder / "old.tar"
    added = await _git(environ, "log", "--format=%H", "--diff-filter=A", "--", _SECOND_SCHEMA)
    commit = (added or "").strip()
    argv = ("archive", f"--output={archive}", f"{commit}^", "responder", "toolkit")
    if not commit or await _git(environ, *argv) is None:
        raise ChaosError("git does not reach back to the first schema; fetch the whole history")
    with tarfile.open(archive) as file:
        file.extractall(folder / "old", filter="data")
    return folder / "old"


async def _git(environ: Mapping[str, str], *arguments: str) -> str | None:
    return await asyncio.to_thread(read, ["git", "-C", str(ROOT), *arguments], environ=environ)


async def upgraded(scene: Scene, root: Path) -> Survived:
    """Hang the model under the old program, start that of *root* in its place, let it answer."""
    done = Condition(target="before-the-upgrade", severity="critical")
    await scene.sender.fire(done)
    await eventually(lambda: _delivered(scene), "the old program's report")
    scene.ends.model.persona = Persona(name="hang")
    for number in range(_CONDITIONS):
        await scene.sender.fire(Condition(target=f"in-flight-{number}", alerts=2))

    async def asked() -> bool:
        return scene.moments.seen["analyse"] > 1 and len(scene.ledger.alerts) > 2 * _CONDITIONS

    await eventually(asked, "investigations under way")
    replica = scene.replicas[0]
    await replica.stop()
    scene.ends.model.persona = Persona()
    replica.root = root
    await replica.start()
    return await survived(scene)


async def _delivered(scene: Scene) -> bool:
    return bool(scene.ends.deliveries)
