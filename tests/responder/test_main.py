"""The program itself, as a process: its commands, its stop, and its deaths."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from lab.stack.ports import free_addresses
from tests.responder.conftest import eventually
from tests.responder.fakes import alert, post
from tests.responder.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
incidents: {{quiet: {quiet}}}
topology: {{calls: [[gateway, chat]]}}
limits: {{source: 2s}}
sources:
  - {{kind: prometheus, url: "http://127.0.0.1:9"}}
  - {{kind: alertmanager, url: "http://127.0.0.1:9"}}
  - {{kind: exporter, url: "http://127.0.0.1:9"}}
channels:
  - {{kind: webhook, name: sink, url: "{sink}"}}
"""


def command(*arguments: str) -> list[str]:
    """Give the command line of the responder."""
    return [sys.executable, "-m", "responder", *arguments]


def run_to_end(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the responder until it ends by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    """Give a port that nobody else is given."""
    return int(free_addresses(["responder"])["responder"].rpartition(":")[2])


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A responder process and where it listens."""

    process: asyncio.subprocess.Process
    url: str

    async def send(self, body: Any) -> int:
        """Post a body of Alertmanager; give the status."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/webhook/alertmanager", json=body) as response,
        ):
            return response.status

    async def incidents(self) -> list[dict[str, Any]]:
        """Give the incidents."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/incidents") as response,
        ):
            return list((await response.json())["incidents"])

    async def incident(self, incident_id: str) -> dict[str, Any]:
        """Give all of one incident."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/incidents/{incident_id}") as response,
        ):
            return dict(await response.json())

    async def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def program(
    folder: Path, *, prepare: Callable[[], None] | None = None
) -> AsyncIterator[Program]:
    """Run `python -m responder` on the configuration in *folder* until the context ends."""
    port = free_port()
    with (folder / "responder.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command(f"--web.listen-address=127.0.0.1:{port}"),
            cwd=folder,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            preexec_fn=prepare,
        )
    made = Program(process=process, url=f"http://127.0.0.1:{port}")
    try:
        await eventually(lambda: _is_ready(made, folder))
        yield made
    finally:
        if process.returncode is None:
            await made.kill()


async def _is_ready(made: Program, folder: Path) -> bool:
    assert made.process.returncode is None, (folder / "responder.log").read_text()
    with contextlib.suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{made.url}/-/ready") as response,
        ):
            return response.status == 200
    return False


def configure(folder: Path, sink: Receiver, *, quiet: str = "0s") -> None:
    """Write the configuration, with sources that nobody answers for."""
    (folder / "responder.yml").write_text(SETTINGS.format(sink=sink.url, quiet=quiet))


def test_check_says_ok_or_what_is_wrong(tmp_path: Path) -> None:
    """The check ends with 0 or 1, and names file, line and remedy."""
    (tmp_path / "good.yml").write_text("concurrency: 2\n")
    good = run_to_end(tmp_path, "check", "--config.file=good.yml")
    assert (good.returncode, good.stdout) == (0, "good.yml: ok\n")
    (tmp_path / "bad.yml").write_text("concurrency: 2\nchanels: []\n")
    bad = run_to_end(tmp_path, "check", "--config.file=bad.yml")
    assert bad.returncode == 1
    expected = "bad.yml:2: chanels: unknown setting; did you mean 'channels'?\n"
    assert (bad.stdout, bad.stderr) == ("", expected)


def test_it_does_not_start_on_what_it_cannot_use(tmp_path: Path) -> None:
    """No configuration, and a database that is none, end it with 1 and one line."""
    missing = run_to_end(tmp_path)
    assert (missing.returncode, missing.stderr) == (
        1,
        "responder.yml: no such file; check the path\n",
    )
    (tmp_path / "responder.yml").write_text("database: responder.yml\n")
    broken = run_to_end(tmp_path, "--web.listen-address=127.0.0.1:0")
    assert broken.returncode == 1
    assert "file is not a database" in broken.stderr


async def test_killed_between_ack_and_report_it_reports_after_the_restart(
    tmp_path: Path, sink: Receiver
) -> None:
    """SIGKILL right after the 200: the next process finishes, from code alone, and delivers."""
    configure(tmp_path, sink)
    async with program(tmp_path) as first:
        assert await first.send(post(alert(starts_at=time.time()))) == 200
        await first.kill()
    assert sink.received == []
    async with program(tmp_path) as second:
        (received,) = await sink.until(1)
        (incident,) = await second.incidents()
        whole = await second.incident(incident["id"])
    assert received.body["status"] == "reported"
    report = received.body["report"]
    assert report == whole["report"]
    told = {line["source"]: line["status"] for line in report["coverage"]}
    for source in ("prometheus", "alertmanager", "exporter"):
        assert told[source] == "unavailable"
    assert report["decision"]["kind"] in {"page", "ticket"}


async def test_killed_at_any_moment_it_reports_once(tmp_path: Path, sink: Receiver) -> None:
    """Killed again and again on its way, it still makes one report with one key."""
    configure(tmp_path, sink)
    async with program(tmp_path) as first:
        assert await first.send(post(alert(starts_at=time.time()))) == 200
        await first.kill()
    for seconds in (0.05, 0.4, 0.8):
        async with program(tmp_path) as again:
            await asyncio.sleep(seconds)
            await again.kill()
    async with program(tmp_path) as last:
        await sink.until(1)

        async def delivered() -> bool:
            return all(each["delivered"] for each in await last.incidents())

        await eventually(delivered)
        (incident,) = await last.incidents()
    assert incident["state"] == "reported"
    assert len({each.key for each in sink.received}) == 1


async def test_killed_while_it_delivers_it_repeats_under_the_same_key(
    tmp_path: Path, sink: Receiver
) -> None:
    """A delivery that was cut is made again, with the key of the first time."""
    configure(tmp_path, sink)
    sink.hold.clear()
    async with program(tmp_path) as first:
        await first.send(post(alert(starts_at=time.time())))
        await sink.until(1)
        await first.kill()
    sink.hold.set()
    async with program(tmp_path):
        one, other = await sink.until(2)
    assert one.key == other.key
    assert one.body == other.body


async def test_asked_to_stop_it_stops_within_ten_seconds(tmp_path: Path, sink: Receiver) -> None:
    """SIGTERM during an investigation and a delivery ends it cleanly, and the rest comes later."""
    configure(tmp_path, sink)
    sink.hold.clear()
    async with program(tmp_path) as first:
        await first.send(post(alert(starts_at=time.time())))
        await sink.until(1)
        await first.send(post(alert(starts_at=time.time(), target="scorer")))
        asked = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.process.wait(), 60) == 0
        # Ten seconds are its own; the rest is for a machine that does much else.
        assert time.monotonic() - asked < 20
    sink.hold.set()
    assert "Traceback" not in (tmp_path / "responder.log").read_text()
    async with program(tmp_path):
        received = await sink.until(3)
    assert len({each.key for each in received}) == 2


async def test_a_full_disk_gets_503_and_then_200(tmp_path: Path, sink: Receiver) -> None:
    """When files cannot grow nothing is acknowledged; when they can again, all is well."""
    configure(tmp_path, sink, quiet="1h")
    soft, hard = 1_500_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    async with program(tmp_path, prepare=limit) as running:
        statuses = []
        for number in range(200):
            big = alert(starts_at=time.time(), severity="warning", note="x" * 8000)
            big["labels"]["target"] = big["fingerprint"] = f"t{number}"
            statuses.append(await running.send(post(big)))
            if statuses[-1] != 200:
                break
        assert statuses[-1] == 503
        assert set(statuses[:-1]) == {200}
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert await running.send(post(big)) == 200
        assert len(await running.incidents()) == min(len(statuses), 100)


async def test_a_bad_reload_keeps_the_old_configuration(tmp_path: Path, sink: Receiver) -> None:
    """A reload says what is wrong and sets the metric; a good one is followed."""
    configure(tmp_path, sink)
    good = (tmp_path / "responder.yml").read_text()
    async with program(tmp_path) as running, aiohttp.ClientSession() as session:

        async def reload() -> tuple[int, str]:
            async with session.post(f"{running.url}/-/reload") as response:
                return response.status, await response.text()

        async def successful() -> str:
            async with session.get(f"{running.url}/metrics") as response:
                lines = (await response.text()).splitlines()
            name = "vigie_responder_config_last_reload_successful "
            return next(line.removeprefix(name) for line in lines if line.startswith(name))

        (tmp_path / "responder.yml").write_text(good + "concurency: 3\n")
        status, text = await reload()
        assert status == 500
        assert "did you mean 'concurrency'?" in text
        assert await successful() == "0.0"
        (tmp_path / "responder.yml").write_text(good + "concurrency: 3\n")
        status, text = await reload()
        assert (status, "concurrency: cannot change while the program runs" in text) == (500, True)
        (tmp_path / "responder.yml").write_text(good.replace("name: sink", "name: moved"))
        assert (await reload())[0] == 200
        assert await successful() == "1.0"
        await running.send(post(alert(starts_at=time.time())))
        await sink.until(1)
        async with session.get(f"{running.url}/metrics") as response:
            assert 'channel="moved"' in await response.text()
