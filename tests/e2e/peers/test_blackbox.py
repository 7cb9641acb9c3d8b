"""The same endpoints asked by blackbox_exporter and by our /probe: they agree."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.progress import Progress
from lab.stack.provide import provide
from tests.exporter.servers import request_of
from tests.toolkit.authority import Authority

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

MODULES = ("plain", "pattern", "absent", "redirected", "trusting", "created")

BLACKBOX: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "pattern": {"fail_if_body_not_matches_regexp": ["ready"]},
    "absent": {"fail_if_body_not_matches_regexp": ["nowhere"]},
    "redirected": {"follow_redirects": True},
    "trusting": {"tls_config": {"ca_file": "CA"}},
    "created": {"valid_status_codes": [201]},
}
OURS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "pattern": {"checks": [{"regex": "ready"}]},
    "absent": {"checks": [{"regex": "nowhere"}]},
    "redirected": {"follow_redirects": True},
    "trusting": {"tls": {"ca_file": "CA"}},
    "created": {"valid_status": [201]},
}
SAME = (
    "probe_success",
    "probe_http_status_code",
    "probe_http_content_length",
    "probe_http_uncompressed_body_length",
    "probe_http_version",
    "probe_http_ssl",
    "probe_http_redirects",
    "probe_ip_protocol",
    "probe_ip_addr_hash",
    "probe_ssl_earliest_cert_expiry",
    "probe_http_last_modified_timestamp_seconds",
    "probe_tls_version_info",
    "probe_failed_due_to_regex",
)
WITHOUT_AN_ANSWER = ("probe_success", "probe_http_status_code", "probe_http_ssl")
BODY = b"all is ready\n"
PAGES = {
    b"/ok": b"HTTP/1.1 200 OK\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
    b"Content-Length: 13\r\nConnection: close\r\n\r\n" + BODY,
    b"/open": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY,
    b"/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"d\r\nall is ready\n\r\n0\r\n\r\n",
    b"/old": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    b"/created": b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"/gone": b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"/broken": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"/away": b"HTTP/1.1 302 Go\r\nLocation: /ok\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"/short": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n" + BODY,
    b"/noise": b"no http at all\r\n\r\n",
}
CASES = [
    *[("plain", path.decode()) for path in PAGES if path != b"/away"],
    ("pattern", "/ok"),
    ("absent", "/ok"),
    ("redirected", "/away"),
    ("created", "/created"),
    ("created", "/ok"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """Where the two programs are, and the two servers that they are asked about."""

    blackbox: str
    ours: str
    plain: str
    tls: str
    nobody: str


async def _page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await request_of(reader)
    writer.write(PAGES[request.split(b" ")[1]])
    await writer.drain()
    writer.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _serve(stack: AsyncExitStack, context: ssl.SSLContext | None) -> str:
    server = await asyncio.start_server(_page, "127.0.0.1", 0, ssl=context)
    await stack.enter_async_context(server)
    return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """Start both programs with the same modules."""
    folder = tmp_path_factory.mktemp("blackbox")
    authority = Authority(folder)
    pair = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    built = provide(
        ("blackbox_exporter",),
        flavour="current",
        root=cache,
        environ=os.environ,
        progress=Progress(sys.stderr),
    )
    _configure(folder, str(authority.ca))
    theirs, own, nobody = free_addresses(("blackbox", "exporter", "nobody")).values()
    programs = [
        Process(_launch("blackbox", folder, theirs, [str(built["blackbox_exporter"].path)])),
        Process(_launch("exporter", folder, own, [sys.executable, "-m", "exporter"])),
    ]
    async with AsyncExitStack() as stack:
        plain, tls = await _serve(stack, None), await _serve(stack, context)
        for program in programs:
            await program.start()
            stack.push_async_callback(program.stop)
        yield Both(blackbox=theirs, ours=own, plain=plain, tls=tls, nobody=nobody)


def _configure(folder: Path, ca: str) -> None:
    theirs = {
        name: {"prober": "http", "timeout": "3s", "http": {"follow_redirects": False, **module}}
        for name, module in BLACKBOX.items()
    }
    ours = {
        name: {"kind": "http", "timeout": "3s", "allow_targets": ["127.0.0.1"], **module}
        for name, module in OURS.items()
    }
    for name, modules in (
        ("blackbox.yml", {"modules": theirs}),
        ("exporter.yml", {"probe_modules": ours}),
    ):
        (folder / name).write_text(yaml.safe_dump(modules).replace("ca_file: CA", f"ca_file: {ca}"))


def _launch(name: str, folder: Path, address: str, command: list[str]) -> Launch:
    return Launch(
        name=name,
        argv=(*command, f"--config.file={folder / name}.yml", f"--web.listen-address={address}"),
        folder=folder,
        log=folder / f"{name}.log",
        ready_url=f"http://{address}/-/healthy",
        environ={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


async def _probed(address: str, module: str, target: str) -> Mapping[str, object]:
    """Ask one of the two; give value and labels of each of SAME."""
    query = {"module": module, "target": target}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/probe", params=query) as answer,
    ):
        text = await answer.text()
        assert answer.status == 200, text
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in parse(text)
        if family.name in SAME
    }


async def _compared(both: Both, module: str, target: str, names: tuple[str, ...] = SAME) -> None:
    theirs = await _probed(both.blackbox, module, target)
    ours = await _probed(both.ours, module, target)
    assert {n: ours.get(n) for n in names} == {n: theirs.get(n) for n in names}


@pytest.mark.parametrize(("module", "path"), CASES)
async def test_both_say_the_same(both: Both, module: str, path: str) -> None:
    """Verdict, status, length, version, redirects, address and date are equal."""
    names = WITHOUT_AN_ANSWER if path in {"/noise", "/short"} else SAME
    await _compared(both, module, f"http://{both.plain}{path}", names)


async def test_both_say_the_same_of_tls(both: Both) -> None:
    """A certificate that is trusted has its date in both; one that is not is no answer in both."""
    await _compared(both, "trusting", f"https://{both.tls}/ok")
    await _compared(both, "plain", f"https://{both.tls}/ok", WITHOUT_AN_ANSWER)


async def test_both_say_the_same_of_nobody(both: Both) -> None:
    """A refused connection fails in both."""
    await _compared(both, "plain", f"http://{both.nobody}/", WITHOUT_AN_ANSWER)


async def test_phases_have_the_same_names(both: Both) -> None:
    """Rules on a phase go on working."""
    found = []
    for address in (both.blackbox, both.ours):
        url = f"http://{address}/probe?module=plain&target=http://{both.plain}/ok"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            families = {family.name: family for family in parse(await answer.text())}
        samples = families["probe_http_duration_seconds"].samples
        found.append({sample.labels["phase"] for sample in samples})
    assert found[0] == found[1]
