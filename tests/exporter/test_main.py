"""The command, as a process: check, describe, probe, and a run that reloads and stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.exporter.servers import OK, says, serving, silent
from tests.exporter.survey import llm
from tests.exporter.survey.standins import running

ROOT = Path(__file__).parents[2]
PAGE = says(OK + b"Content-Length: 2\r\n\r\nok")


async def started(
    *arguments: str, stdout: int = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    """Start the exporter."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "exporter", *arguments),
        cwd=ROOT,
        env={**os.environ, "TOKEN": "t0ken"},
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(*arguments: str) -> tuple[int | None, str, str]:
    """Run the exporter to its end; return the exit code and what it printed."""
    process = await started(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


def written(tmp_path: Path, url: str, more: str = "") -> Path:
    """Write a configuration of one target."""
    path = tmp_path / "exporter.yml"
    path.write_text(
        f"targets:\n  - {{name: page, kind: http, url: '{url}', interval: 200ms, timeout: 100ms}}\n"
        + more
    )
    return path


@asynccontextmanager
async def serving_metrics(
    path: Path, *more: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the exporter on a free port; yield the process and its address."""
    process = await started(
        "--config.file", str(path), "--web.listen-address", "127.0.0.1:0", *more
    )
    assert process.stderr is not None
    try:
        while line := (await asyncio.wait_for(process.stderr.readline(), 60)).decode():
            if found := re.search(r"addresses=(\S+)", line):
                break
        assert found, "it did not listen"
        yield process, f"http://{found[1]}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def text_of(session: aiohttp.ClientSession, url: str, sought: str) -> str:
    """Ask until the text is in the answer."""
    for _ in range(600):
        async with session.get(url) as answer:
            text = await answer.text()
        if sought in text:
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 30 s: {sought}")


async def test_check_says_all_right_or_every_problem(tmp_path: Path) -> None:
    """`check` ends with 0, or with 1 and each problem on a line."""
    code, out, _ = await finished("check", "--config.file", str(written(tmp_path, "http://h")))
    assert (code, out.rpartition(": ")[2]) == (0, "all right\n")
    broken = str(written(tmp_path, "nowhere", "surplus: 1\n"))
    code, _, err = await finished("check", "--config.file", broken)
    assert code == 1
    assert [line.split(": ")[1] for line in err.splitlines()] == ["targets[0].url", "surplus"]


async def test_missing_file_is_said(tmp_path: Path) -> None:
    """A file that is not there is a line, not a traceback, for run as for check."""
    for command in ("check", "run"):
        code, _, err = await finished(command, "--config.file", str(tmp_path / "none.yml"))
        assert code == 1
        assert err.endswith("none.yml: no such file; check the path\n")


async def test_describe_prints_reference_and_schema() -> None:
    """`describe` needs no configuration; `--schema` prints JSON."""
    code, out, _ = await finished("describe")
    assert (code, "kind: openai_chat" in out) == (0, True)
    code, out, _ = await finished("describe", "--schema")
    assert (code, "targets" in json.loads(out)["properties"]) == (0, True)


@pytest.mark.parametrize("more", [(), ("--schema",)])
async def test_describe_to_a_reader_that_left_is_no_error(more: tuple[str, ...]) -> None:
    """`describe | head` ends quietly when head has read enough."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        process = await started("describe", *more, stdout=writes)
    finally:
        os.close(writes)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")


async def test_probe_runs_one_target(tmp_path: Path) -> None:
    """`probe NAME` prints the outcome as text or JSON; its exit code is the state's."""
    async with serving(PAGE) as url:
        path = str(written(tmp_path, url))
        code, out, err = await finished("probe", "page", "--config.file", path)
        assert (code, err) == (0, "")
        assert {"verdict     ok", "answer      ok"} <= {line.rstrip() for line in out.splitlines()}
        assert "\x1b" not in out  # a pipe is no terminal
        code, out, _ = await finished("probe", "page", "--json", "--config.file", path)
        assert (code, json.loads(out)["state"]) == (0, "ok")
        code, _, err = await finished("probe", "nope", "--config.file", path)
        assert (code, err) == (2, "nope: no such target; known: page\n")
    code, out, _ = await finished("probe", "page", "--config.file", path, "--json")
    assert (code, json.loads(out)["state"]) == (1, "down")


async def test_init_writes_what_check_takes(tmp_path: Path) -> None:
    """`init URL` on standard output is a file for `check`; what it cannot do is a line, and 1."""
    async with running(llm.MISTRAL) as found:
        key = ("--key-env", "TOKEN")
        code, out, err = await finished("init", f"{found.url}/v1", *key)
        assert (code, out) == (1, "")
        assert "the Mistral API refuses the key" in err
    async with running(llm.VLLM) as found:
        code, out, err = await finished("init", found.url)
    assert (code, err) == (0, "")
    path = tmp_path / "exporter.yml"
    path.write_text(out)
    code, out, err = await finished("check", "--config.file", str(path))
    assert (code, err, out.rpartition(": ")[2]) == (0, "", "all right\n")
    code, _, err = await finished("init")
    assert (code, err.endswith("init: no address; give the endpoint's url\n")) == (2, True)


async def test_describe_prints_one_kind() -> None:
    """`describe NAME` is that kind alone; an unknown one is said with the nearest, and 2."""
    code, out, _ = await finished("describe", "max_ttft")
    assert (code, out.splitlines()[0]) == (0, "max_ttft")
    assert "openai_chat" not in out
    code, out, err = await finished("describe", "max_tftt")
    assert (code, out) == (2, "")
    assert "did you mean 'max_ttft'" in err


async def test_it_serves_reloads_and_stops(tmp_path: Path) -> None:
    """SIGHUP takes a new file, keeps the old when the new is broken; SIGTERM ends it with 0."""
    async with serving(PAGE) as url, aiohttp.ClientSession() as session:
        path = written(tmp_path, url)
        async with serving_metrics(path) as (process, address):
            metrics = f"{address}/metrics"
            await text_of(session, metrics, 'vigie_probe_success{target="page"} 1.0')
            written(tmp_path, url, f"  - {{name: two, kind: http, url: '{url}'}}\n")
            process.send_signal(signal.SIGHUP)
            await text_of(session, metrics, "vigie_exporter_targets 2.0")
            written(tmp_path, "nowhere")
            process.send_signal(signal.SIGHUP)
            await text_of(session, metrics, "vigie_exporter_config_last_reload_successful 0.0")
            assert "vigie_exporter_targets 2.0" in await text_of(session, metrics, "targets")
            written(tmp_path, url)
            async with session.post(f"{address}/-/reload") as answer:
                assert answer.status == 200
            await text_of(session, metrics, "vigie_exporter_config_last_reload_successful 1.0")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_in_time_while_a_run_hangs(tmp_path: Path, stop: signal.Signals) -> None:
    """A run in flight, on a server that never answers, does not hold up the end."""
    async with serving(silent) as url:
        path = tmp_path / "exporter.yml"
        path.write_text(
            f"targets:\n  - {{name: p, kind: http, url: '{url}', interval: 60s, timeout: 60s}}\n"
            f"  - {{name: q, kind: http, url: '{url}', interval: 100ms, timeout: 100ms}}\n"
        )
        async with serving_metrics(path) as (process, address):
            async with aiohttp.ClientSession() as session:
                await text_of(session, f"{address}/metrics", 'reason="timeout_total"')
            begin = time.monotonic()
            process.send_signal(stop)
            assert await asyncio.wait_for(process.wait(), 60) == 0
            # Ten seconds are its own; the rest is for a machine that does much else.
            assert time.monotonic() - begin < 20


async def test_what_is_spent_outlasts_a_restart_and_a_broken_file(tmp_path: Path) -> None:
    """With a storage path the day goes on after SIGTERM; a file that is none is told and left."""
    answer = b'{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,'
    answer += b'"completion_tokens":2}}'
    head = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
    kept = tmp_path / "kept" / "budget.json"
    spent = "vigie_exporter_budget_tokens_spent"
    async with serving(says(OK + head + answer)) as url, aiohttp.ClientSession() as session:
        path = tmp_path / "exporter.yml"
        path.write_text(
            "budget: {tokens_per_day: 1000000}\n"
            f"targets:\n  - {{name: c, kind: openai_chat, model: m, url: '{url}', interval: 1h}}\n"
            "probe_modules:\n  c: {kind: openai_chat, model: m, allow_targets: ['127.0.0.1:*']}\n"
        )
        more = ("--storage.path", str(kept.parent))
        for broken, figure in ((False, 11), (False, 22), (True, 11)):
            if broken:
                kept.write_text("no JSON")
                kept.with_name("budget.json.before").unlink()
            async with serving_metrics(path, *more) as (process, address):
                query = {"module": "c", "target": url}
                async with session.get(f"{address}/probe", params=query) as probed:
                    assert probed.status == 200
                text = await text_of(session, f"{address}/metrics", f"{spent} {figure}.0")
                told = f'storage_failures_total{{operation="read"}} {float(broken)}'
                assert told in text
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 60) == 0
    assert json.loads(kept.read_text())["total"]["tokens"] == 11
    assert kept.with_name("budget.json.unreadable").read_text() == "no JSON"
