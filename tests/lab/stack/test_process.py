"""A program in the background, with real programs that answer, hang, exit early or will not go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.stack.errors import StackError
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

SERVER = """
import http.server, signal, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if "unready" in sys.argv else 200)
        self.end_headers()
print("listening on", sys.argv[1], flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def _process(folder: Path, *words: str, script: str = SERVER) -> Process:
    address = free_addresses(["x:1"])["x:1"]
    return Process(
        Launch(
            name="server",
            argv=(sys.executable, "-c", script, address.partition(":")[2], *words),
            log=folder / "server.log",
            ready_url=f"http://{address}/-/ready",
        )
    )


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_starts_is_ready_and_stops(tmp_path: Path) -> None:
    """Between start and stop it has an id and a log; stopping it is no failure."""
    process = _process(tmp_path)
    await process.start()
    pid = process.pid
    assert pid is not None
    process.check()
    await process.stop()
    process.check()
    assert process.pid is None
    assert not _is_running(pid)
    assert "listening" in (tmp_path / "server.log").read_text()


async def test_it_can_be_started_again_after_a_crash(tmp_path: Path) -> None:
    """A kill from here is meant; the next start appends to the same log."""
    process = _process(tmp_path)
    await process.start()
    await process.kill()
    process.check()
    await process.start()
    await process.stop()
    assert (tmp_path / "server.log").read_text().count("listening") == 2


async def test_an_early_exit_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    """A program that cannot start is not waited for until the deadline."""
    process = _process(tmp_path, script="import sys; print('no such flag'); sys.exit(3)")
    with pytest.raises(StackError) as error:
        await process.start(within_seconds=60)
    text = str(error.value)
    assert text.startswith("server: ended by itself with status 3; see ")
    assert text.endswith("  | no such flag")


async def test_a_program_that_is_never_ready_is_stopped_at_the_deadline(tmp_path: Path) -> None:
    """It answers, but not with 200; nothing of it is left."""
    process = _process(tmp_path, "unready")
    with pytest.raises(StackError, match="server: not ready within 1 s;"):
        await process.start(within_seconds=1)
    assert process.pid is None


async def test_what_ignores_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    """The stop takes its time, and ends all the same."""
    process = _process(tmp_path, "stubborn")
    await process.start()
    pid = process.pid
    assert pid is not None
    await process.stop(within_seconds=0.3)
    assert not _is_running(pid)


async def test_an_end_from_outside_is_noticed(tmp_path: Path) -> None:
    """Who watches hears at once; a check afterwards says the same."""
    process = _process(tmp_path)
    await process.start()
    assert process.pid is not None
    watch = asyncio.create_task(process.watch())
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(StackError, match="server: ended by itself with SIGKILL;"):
        await asyncio.wait_for(watch, timeout=60)
    with pytest.raises(StackError, match="SIGKILL"):
        process.check()


async def test_an_interrupted_start_leaves_nothing_running(tmp_path: Path) -> None:
    """A start that is cancelled stops what it has started."""
    process = _process(tmp_path, "unready")
    start = asyncio.create_task(process.start())
    log = tmp_path / "server.log"
    while not log.exists() or not log.read_text():  # noqa: ASYNC110 - another process's file
        await asyncio.sleep(0.02)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert process.pid is None


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Whether this process cannot start it, or setpriv in between, the error says why."""
    launch = Launch(
        name="ghost",
        argv=(str(tmp_path / "ghost"),),
        log=tmp_path / "log",
        ready_url="http://127.0.0.1:1/",
    )
    with pytest.raises(StackError, match="No such file"):
        await Process(launch).start()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux's setpriv")
def test_it_does_not_outlive_whoever_started_it(tmp_path: Path) -> None:
    """A killed test run or demo leaves no servers behind."""
    parent = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tests.lab.stack.test_process import _process\n"
        "async def main():\n"
        "    process = _process(Path(sys.argv[1]))\n"
        "    await process.start()\n"
        "    print(process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    argv = [sys.executable, "-c", parent, str(tmp_path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.kill()
    deadline = time.monotonic() + 60
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_running(child)
