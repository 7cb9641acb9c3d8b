"""The stack's order of things, with scripts in the four programs' places."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from lab.stack.configuration import Fit, Shipped
from lab.stack.errors import StackError
from lab.stack.runner import ALERTMANAGER, PROMETHEUS, Stack

CHECKER = f"""#!{sys.executable}
import sys
text = open(sys.argv[-1]).read()
print("checked", *sys.argv[1:])
open("order", "a").write(sys.argv[-1] + " checked\\n")
sys.exit("FAILED: " + sys.argv[-1] if "broken" in text else 0)
"""
SERVER = f"""#!{sys.executable}
import http.server, os, sys
flags = dict(flag.lstrip("-").partition("=")[::2] for flag in sys.argv[1:])
open("order", "a").write(flags["config.file"] + " started\\n")
if "crashes" in open(flags["config.file"]).read():
    sys.exit("cannot go on")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr(flags).encode())
host, _, port = flags["web.listen-address"].partition(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, Path]:
    """Give a script for each of the four programs."""
    scripts = {"prometheus": SERVER, "alertmanager": SERVER, "promtool": CHECKER, "amtool": CHECKER}
    paths = {name: tmp_path / name for name in scripts}
    for name, path in paths.items():
        path.write_text(scripts[name])
        path.chmod(0o755)
    return paths


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Give a folder of small configuration."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
    (folder / "alertmanager.yml").write_text("route: {group_wait: 15s}\n")
    return folder


def _stack(programs: dict[str, Path], rules: Path, fit: Fit | None = None) -> Stack:
    return Stack(
        programs=programs,
        folder=rules.parent / "work",
        shipped=Shipped(rules=rules),
        fit=fit or Fit(),
    )


async def test_files_are_checked_before_anything_starts(
    programs: dict[str, Path], rules: Path
) -> None:
    """Both checkers, then Alertmanager, then Prometheus; all gone at the end."""
    async with _stack(programs, rules) as stack:
        assert (stack.folder / "order").read_text().split("\n")[:4] == [
            "prometheus.yml checked",
            "alertmanager.yml checked",
            "alertmanager.yml started",
            "prometheus.yml started",
        ]
        assert stack.prometheus.pid is not None
        assert "1s" in (stack.folder / "prometheus.yml").read_text()
    assert stack.prometheus.pid is None
    assert stack.alertmanager.pid is None


async def test_addresses_of_the_caller_are_kept(programs: dict[str, Path], rules: Path) -> None:
    """The two servers' addresses are chosen where the caller has none, and told."""
    own = _stack(programs, rules)
    assert own.addresses[PROMETHEUS] != own.addresses[ALERTMANAGER]
    given = dict(own.addresses) | {"chat:8000": "127.0.0.1:1"}
    stack = _stack(programs, rules, Fit(addresses=given))
    assert stack.addresses == given
    async with stack, aiohttp.ClientSession() as session:
        async with session.get(stack.alertmanager_url) as answer:
            assert "'cluster.listen-address': ''" in await answer.text()
        async with session.get(stack.prometheus_url) as answer:
            assert "web.enable-lifecycle" in await answer.text()


@pytest.mark.parametrize(
    ("file", "checker"),
    [
        ("prometheus.yml", "promtool check config prometheus.yml"),
        ("alertmanager.yml", "amtool check-config alertmanager.yml"),
    ],
)
async def test_a_configuration_that_its_checker_refuses_starts_nothing(
    programs: dict[str, Path], rules: Path, file: str, checker: str
) -> None:
    """The checker's words stand below the error."""
    (rules / file).write_text("route: broken\n")
    stack = _stack(programs, rules)
    with pytest.raises(StackError, match=f"^{checker}: refuses the configuration") as error:
        await stack.__aenter__()
    assert f"  | FAILED: {file}" in str(error.value)
    assert "started" not in (stack.folder / "order").read_text()


async def test_one_that_cannot_start_takes_the_other_with_it(
    programs: dict[str, Path], rules: Path
) -> None:
    """Nothing is left running when the second fails."""
    (rules / "prometheus.yml").write_text("global: {} # crashes\n")
    stack = _stack(programs, rules)
    with pytest.raises(StackError, match="prometheus: ended by itself with status 1") as error:
        await stack.__aenter__()
    assert "  | cannot go on" in str(error.value)
    assert stack.alertmanager.pid is None


async def test_a_server_that_died_on_the_way_is_told_at_the_end(
    programs: dict[str, Path], rules: Path
) -> None:
    """A run on half a stack does not pass for a good one."""
    stack = _stack(programs, rules)
    await stack.__aenter__()
    assert stack.prometheus.pid is not None
    os.kill(stack.prometheus.pid, signal.SIGKILL)
    with pytest.raises(ExceptionGroup) as group:
        await stack.watch()
    assert group.group_contains(StackError, match="prometheus: ended by itself")
    with pytest.raises(StackError, match="prometheus: ended by itself with SIGKILL"):
        await stack.__aexit__(None, None, None)
    assert stack.alertmanager.pid is None


def test_a_program_without_a_path_is_told(programs: dict[str, Path], rules: Path) -> None:
    """All four are needed, and the command that gets them is named."""
    del programs["amtool"]
    with pytest.raises(StackError, match=r"no path for amtool; python -m lab\.stack"):
        _stack(programs, rules)
