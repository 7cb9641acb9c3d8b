"""Each service's exact command line, started outside a container on the files that it mounts."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from lab.addresses import SHIPPED
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from tests.deploy.shipped import ROOT, Layout, instructions, services
from tests.rules.files import groups

_READY = {
    "lab": ("lab:8090", "/healthz"),
    "exporter": ("exporter:10917", "/-/ready"),
    "responder": ("responder:10918", "/-/ready"),
    "alertmanager": ("alertmanager:9093", "/-/ready"),
    "prometheus": ("prometheus:9090", "/-/ready"),
}
_NOT_HERE = {"grafana"}  # no package registry has its server


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Lay out the files of every service that can run here, each address at a free port."""
    addresses = free_addresses((*SHIPPED, *(address for address, _ in _READY.values())))
    made = Layout(folder=tmp_path, addresses=addresses)
    for name in _READY:
        made.lay(name)
    return made


def _program(name: str, programs: Mapping[str, Path]) -> list[str]:
    """Find what the image starts: its entry point, or the binary that it is named for."""
    if name in programs:
        return [str(programs[name])]
    entry = instructions(services()[name]["build"]["target"])["ENTRYPOINT"]
    if entry[0] == "python":
        return [sys.executable, *entry[1:]]
    script = Path(sys.executable).parent / entry[0]
    # In a bare checkout the package has no scripts: its modules are what they would start.
    return [str(script)] if script.exists() else [sys.executable, "-m", name]


def _process(name: str, layout: Layout, programs: Mapping[str, Path]) -> Process:
    address, path = _READY[name]
    argv: Sequence[str] = (*_program(name, programs), *layout.arguments(name))
    if name == "lab":
        # All else of its command line is as shipped; the ports alone must be free ones.
        argv = (*argv, *(f"--address={each}={layout.addresses[each]}" for each in SHIPPED))
    launch = Launch(
        name=name,
        argv=argv,
        log=layout.folder / f"{name}.log",
        ready_url=f"http://{layout.addresses[address]}{path}",
        folder=layout.folder / name,
        environ={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return Process(launch)


def test_every_service_is_started_here_or_said_not_to_be() -> None:
    """No service of the compose file is forgotten."""
    assert set(_READY) | _NOT_HERE == set(services())


def test_services_come_after_those_they_depend_on() -> None:
    """The order in which this test starts them is the one that compose holds to."""
    order = list(_READY)
    for name in order:
        for before in services()[name].get("depends_on", ()):
            assert order.index(before) < order.index(name)


async def test_command_lines_start(layout: Layout, programs: Mapping[str, Path]) -> None:
    """Every program starts with its command line, is ready, and the rules are loaded."""
    async with contextlib.AsyncExitStack() as running:
        for name in _READY:
            process = _process(name, layout, programs)
            running.push_async_callback(process.stop)
            await process.start()
        session = await running.enter_async_context(aiohttp.ClientSession())
        url = f"http://{layout.addresses['prometheus:9090']}/api/v1/rules"
        async with session.get(url) as answer:
            loaded = (await answer.json())["data"]["groups"]

    assert {group["name"] for group in loaded} == {group["name"] for group in groups()}
