"""The proposed silence, copied into a real shell with the real amtool and Alertmanager."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from responder.investigation.decide import silence
from tests.responder.sources.far_end import incident

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = (
    "chat",
    "a'; touch pwned; echo '",
    'say "hello"',
    "$(touch pwned) `touch pwned` ${HOME}",
    'back\\slash \\n \\"',
    "a,b={c}=~d|.*",
    "über 模型 🚀",
    "--help",
    " spaces  at ends ",
    "#comment & < > | ; *",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alertmanager(
    programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Run Alertmanager; yield its address."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = free_addresses(("http",))["http"]
    argv = (
        str(programs["alertmanager"]),
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    launch = Launch(
        name="alertmanager",
        argv=argv,
        folder=folder,
        log=folder / "alertmanager.log",
        ready_url=f"http://{address}/-/ready",
    )
    server = Process(launch)
    await server.start()
    try:
        yield f"http://{address}"
    finally:
        await server.stop()


async def copied(line: str, url: str, folder: Path, amtool: Path) -> str:
    """Run a line in a shell, as who copies it would; gives what it printed."""
    places = {"PATH": f"{amtool.parent}:{os.environ['PATH']}", "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"{line} --author=test --alertmanager.url={url}"),
        cwd=folder,
        env=dict(os.environ) | places,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode().strip()


def left_in(folder: Path) -> list[Path]:
    """List what a line has made beside the silence."""
    return list(folder.iterdir())


async def silenced(url: str, silence_id: str) -> list[dict[str, Any]]:
    """Give the matchers of a silence."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v2/silence/{silence_id}") as answer,
    ):
        assert answer.status == 200
        matchers: list[dict[str, Any]] = (await answer.json())["matchers"]
        return matchers


@pytest.mark.parametrize("target", HOSTILE)
async def test_a_copied_line_silences_that_alert_and_no_other(
    alertmanager: str, programs: Mapping[str, Path], tmp_path: Path, target: str
) -> None:
    """Whatever the labels hold, just this name and target are silent, and nothing else was run."""
    labels = {"alertname": "VigieTargetDown", "target": target, "severity": "critical"}
    line = silence(incident(labels))
    silence_id = await copied(line, alertmanager, tmp_path, programs["amtool"])
    found = {each["name"]: each for each in await silenced(alertmanager, silence_id)}
    assert {name: each["value"] for name, each in found.items()} == {
        "alertname": "VigieTargetDown",
        "target": target,
    }
    assert not any(each["isRegex"] for each in found.values())
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("target", ["two\nlines", "\x1b[31m", "key sk-" + "a1B2" * 8])
async def test_what_cannot_be_written_is_not_left_out(target: str) -> None:
    """Without the target the line would silence every other one: then none is proposed."""
    assert silence(incident({"alertname": "VigieTargetDown", "target": target})) == ""
