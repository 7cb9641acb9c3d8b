"""The real blackbox_exporter and our /probe, asked about the same targets, say the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from exporter.blackbox.migrate import migrate
from lab.certificates import issue, open_authority
from lab.installation import ROOT
from lab.stack.catalogue import Flavour
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.progress import Progress
from lab.stack.provide import provide
from tests.e2e.site import site
from tests.exporter.servers import Behaviour, says, serving, silent

MODULES = """
modules:
  http_2xx: {prober: http, timeout: 1s}
  http_404: {prober: http, http: {valid_status_codes: [404]}}
  stays: {prober: http, http: {follow_redirects: false}}
  stays_302: {prober: http, http: {follow_redirects: false, valid_status_codes: [302]}}
  posts: {prober: http, http: {method: POST, body: '{"a": 1}', headers: {Content-Type: a/b}}}
  heads: {prober: http, http: {method: HEAD}}
  knows: {prober: http, http: {fail_if_body_not_matches_regexp: ['^well', 'said$']}}
  dreads: {prober: http, http: {fail_if_body_matches_regexp: ['said']}}
  cookieless:
    prober: http
    http: {fail_if_header_matches: [{header: set-cookie, regexp: '.*', allow_missing: true}]}
  colourful: {prober: http, http: {fail_if_header_not_matches: [{header: X-Colour, regexp: '^b'}]}}
  newer: {prober: http, http: {valid_http_versions: [HTTP/1.1, HTTP/2.0]}}
  open: {prober: http, http: {fail_if_ssl: true, tls_config: {ca_file: CA}}}
  secret: {prober: http, http: {fail_if_not_ssl: true, tls_config: {ca_file: CA}}}
  named: {prober: http, http: {tls_config: {ca_file: CA, server_name: localhost}}}
  virtual: {prober: http, http: {headers: {Host: b.example}}}
  squeezed: {prober: http, http: {compression: gzip, headers: {Accept-Encoding: gzip}}}
  known: {prober: http, http: {basic_auth: {username: u, password_file: SECRET}}}
  six: {prober: http, http: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}}
  tcp: {prober: tcp, timeout: 1s}
  tls: {prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}
  unknown_authority: {prober: tcp, tcp: {tls: true}}
  banner:
    prober: tcp
    timeout: 1s
    tcp: {query_response: [{expect: '^220 ready$'}, {send: "HELO\\r"}, {expect: '^250'}]}
  upgrade:
    prober: tcp
    tcp:
      query_response: [{expect: '^220'}, {send: STARTTLS}, {expect: go}, {starttls: true}]
      tls_config: {ca_file: CA, server_name: localhost}
"""
# What takes its own time in each, and the cipher, which is the libraries' choice.
OWN = ("duration_seconds", "lookup_time_seconds", "cipher_info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One request to /probe of both; they agree on `success` and on all metrics but `apart`."""

    module: str
    target: str
    success: bool
    hostname: str = ""
    apart: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """Both programs' addresses."""

    theirs: str
    ours: str

    async def differences(self, case: Case) -> list[str]:
        """Ask both; return what they do not say alike."""
        query = {"module": case.module, "target": case.target}
        if case.hostname:
            query["hostname"] = case.hostname
        theirs, ours = [await _asked(address, query) for address in (self.theirs, self.ours)]
        found = [f"{case}: {each}" for each in _compared(theirs, ours, case.apart)]
        if ours["probe_success"] != [({}, float(case.success))]:
            found.append(f"{case}: {ours['probe_success']}")
        return found


Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


async def _asked(address: str, query: Mapping[str, str]) -> Samples:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/probe", params=query) as answer,
    ):
        text = await answer.text()
        assert answer.status == 200, f"{query}: {text}"
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in parse(text)
    }


def _compared(theirs: Samples, ours: Samples, apart: str) -> Iterable[str]:
    """Tell of each of their samples that ours do not hold; labels of ours may be more."""
    for name, samples in theirs.items():
        if name == apart:
            continue
        if name not in ours:
            yield f"{name} is missing, theirs {samples}"
            continue
        if name.endswith(OWN):
            labels = [{frozenset(each) for each, _ in side[name]} for side in (theirs, ours)]
            if labels[0] != labels[1]:
                yield f"{name}: {labels}"
            continue
        for wanted, value in samples:
            kept = [given for given, number in ours[name] if number == value]
            if not any(wanted.items() <= given.items() for given in kept):
                yield f"{name}: theirs {wanted} {value}, ours {ours[name]}"


@pytest.fixture(scope="session")
def blackbox_exporter(request: pytest.FixtureRequest, cache: Path) -> Path:
    """Return the real program's path, of the flavour that the run asks for."""
    flavour = cast("Flavour", request.config.getoption("--stack"))
    name = "blackbox_exporter"
    progress = Progress(sys.stderr)
    found = provide((name,), flavour=flavour, root=cache, environ=os.environ, progress=progress)
    return found[name].path


@asynccontextmanager
async def both(program: Path, folder: Path) -> AsyncIterator[Both]:
    """Run both programs on the same modules, ours as the migration writes them."""
    authority = open_authority(folder / "authority", dt.datetime.now(dt.UTC))
    (folder / "secret").write_text("hidden\n")
    text = MODULES.replace("CA", str(authority.folder / "ca.pem"))
    text = text.replace("SECRET", str(folder / "secret"))
    (folder / "blackbox.yml").write_text(text)
    made = migrate(text, "blackbox.yml", allowed=["127.0.0.1", "localhost"])
    assert made.left_out == 0, "\n".join(made.notes)
    (folder / "exporter.yml").write_text(made.text)
    addresses = free_addresses(("theirs", "ours"))
    sides = {
        "theirs": (str(program), f"--config.file={folder / 'blackbox.yml'}"),
        "ours": (sys.executable, "-m", "exporter", f"--config.file={folder / 'exporter.yml'}"),
    }
    async with AsyncExitStack() as stack:
        for name, argv in sides.items():
            process = Process(
                Launch(
                    name=name,
                    argv=(*argv, f"--web.listen-address={addresses[name]}"),
                    log=folder / f"{name}.log",
                    folder=ROOT,
                    ready_url=f"http://{addresses[name]}/-/healthy",
                )
            )
            await process.start()
            stack.push_async_callback(process.stop)
        yield Both(theirs=addresses["theirs"], ours=addresses["ours"])


async def differing(sides: Both, cases: Iterable[Case]) -> list[str]:
    """Return all differences over the cases, asked one after the other."""
    return [each for case in cases for each in await sides.differences(case)]


async def test_plain_http(blackbox_exporter: Path, tmp_path: Path) -> None:
    """Needs blackbox_exporter: statuses, redirects, bodies, headers, hosts, the slow, the gone."""
    refused = free_addresses(("nobody",))["nobody"]
    ends = says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwell said")
    old = says(b"HTTP/1.0 200 OK\r\n\r\nwell said")
    broken = says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    async with (
        both(blackbox_exporter, tmp_path) as sides,
        site() as at,
        serving(silent) as slow,
        serving(old) as ancient,
        serving(ends) as endless,
        serving(broken) as short,
        serving(says(b"nonsense\r\n\r\n")) as odd,
    ):
        cases = (
            Case(module="http_2xx", target=at, success=True),
            Case(module="http_2xx", target=f"http://{at}/status/404", success=False),
            Case(module="http_404", target=f"http://{at}/status/404", success=True),
            Case(module="http_2xx", target=f"http://{at}/status/500", success=False),
            Case(module="http_2xx", target=f"{at}/status/204", success=True),
            Case(module="http_2xx", target=f"http://{at}/pieces", success=True),
            Case(module="http_2xx", target=f"http://{at}/moved?to=/", success=True),
            Case(module="http_2xx", target=f"http://{at}/moved?to=/moved?to=/", success=True),
            Case(module="http_2xx", target=f"http://{at}/moved?to=/status/404", success=False),
            Case(module="stays", target=f"http://{at}/moved?to=/", success=False),
            Case(module="stays_302", target=f"http://{at}/moved?to=/", success=True),
            Case(module="posts", target=f"http://{at}/posted", success=True),
            Case(module="http_2xx", target=f"http://{at}/posted", success=False),
            Case(module="heads", target=f"http://{at}/", success=True),
            Case(module="knows", target=f"http://{at}/", success=True),
            Case(module="knows", target=f"http://{at}/status/200", success=False),
            Case(module="dreads", target=f"http://{at}/", success=False),
            Case(module="dreads", target=f"http://{at}/status/200", success=True),
            Case(module="cookieless", target=f"http://{at}/", success=True),
            Case(module="cookieless", target=f"http://{at}/?cookies=1", success=False),
            Case(module="colourful", target=f"http://{at}/", success=True),
            Case(module="colourful", target=f"http://{at}/status/200", success=False),
            Case(module="newer", target=f"http://{at}/", success=True),
            Case(module="newer", target=ancient, success=False),
            Case(module="http_2xx", target=ancient, success=True),
            Case(module="http_2xx", target=endless, success=True),
            Case(module="open", target=f"http://{at}/", success=True),
            Case(module="secret", target=f"http://{at}/", success=False),
            Case(module="virtual", target=f"http://{at}/virtual", success=True),
            Case(module="http_2xx", target=f"http://{at}/virtual", success=False),
            Case(
                module="http_2xx",
                target=f"http://{at}/virtual",
                hostname="b.example",
                success=True,
            ),
            Case(module="known", target=f"http://{at}/private", success=True),
            Case(module="http_2xx", target=f"http://{at}/private", success=False),
            Case(module="squeezed", target=f"http://{at}/squeezed", success=True),
            # What is no gzip is read to its end here.
            Case(
                module="squeezed",
                target=f"http://{at}/",
                success=False,
                apart="probe_http_uncompressed_body_length",
            ),
            Case(module="six", target=f"http://{at}/", success=False),
            Case(module="http_2xx", target=f"http://{refused}/", success=False),
            Case(module="http_2xx", target=slow, success=False),
            Case(module="http_2xx", target=short, success=False),
            Case(module="http_2xx", target=odd, success=False),
        )
        found = await differing(sides, cases)
    assert not found, "\n".join(found)


def _served(folder: Path, days: float, name: str = "authority") -> ssl.SSLContext:
    """Make a server's context: a certificate for loopback, signed in *folder*/*name*."""
    now = dt.datetime.now(dt.UTC)
    authority = open_authority(folder / name, now)
    pem, _ = issue(authority, ["localhost", "127.0.0.1"], now, days)
    file = folder / f"{name}{days}.pem"
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_certificates(blackbox_exporter: Path, tmp_path: Path) -> None:
    """Needs blackbox_exporter: dates, names, versions of TLS, what is expired or nobody's."""
    older = _served(tmp_path, 20)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    async with (
        both(blackbox_exporter, tmp_path) as sides,
        site(_served(tmp_path, 10)) as good,
        site(older) as old,
        site(_served(tmp_path, -0.02)) as expired,
        site(_served(tmp_path, 10, "stranger")) as stranger,
        site() as plain,
    ):
        cases = (
            Case(module="secret", target=f"https://{good}/", success=True),
            Case(module="open", target=f"https://{good}/", success=False),
            Case(module="named", target=f"https://{good}/", success=True),
            Case(module="secret", target=f"https://{old}/", success=True),
            Case(module="secret", target=f"https://{good}/status/500", success=False),
            Case(module="secret", target=f"https://{good}/moved?to=/", success=True),
            Case(module="secret", target=f"http://{plain}/moved?to=https://{old}/", success=True),
            Case(module="secret", target=f"https://{expired}/", success=False),
            Case(module="secret", target=f"https://{stranger}/", success=False),
            Case(module="http_2xx", target=f"https://{good}/", success=False),
            Case(module="secret", target=f"https://{plain}/", success=False),
            Case(module="http_2xx", target=f"http://{good}/", success=False),
            Case(module="secret", target=f"https://{good}/", hostname="localhost", success=True),
            Case(module="secret", target=f"https://{good}/", hostname="b.example", success=False),
            Case(module="tls", target=good, success=True),
            Case(module="tls", target=old, success=True),
            Case(module="tls", target=expired, success=False),
            Case(module="tls", target=plain, success=False),
            Case(module="unknown_authority", target=good, success=False),
        )
        found = await differing(sides, cases)
    assert not found, "\n".join(found)


def _greets(*, upgrade: ssl.SSLContext | None = None) -> Behaviour:
    """Greet as a mail server does; answer one line, then TLS where there is a context for it."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"211 wait\r\n220 ready\r\n")
        line = await reader.readline()
        writer.write(b"go\r\n" if upgrade else b"250 " + line)
        await writer.drain()
        if upgrade is not None:
            await writer.start_tls(upgrade)
        await reader.read()

    return behave


async def test_tcp(blackbox_exporter: Path, tmp_path: Path) -> None:
    """Needs blackbox_exporter: ports, dialogues, a change to TLS in the middle of one."""
    refused = free_addresses(("nobody",))["nobody"]
    context = _served(tmp_path, 10)
    async with (
        both(blackbox_exporter, tmp_path) as sides,
        serving(_greets()) as polite,
        serving(_greets(upgrade=context)) as careful,
        serving(silent) as mute,
        serving(_ends) as short,
    ):
        names = [url.removeprefix("http://") for url in (polite, careful, mute, short)]
        cases = (
            Case(module="tcp", target=names[0], success=True),
            Case(module="tcp", target=refused, success=False),
            Case(module="banner", target=names[0], success=True),
            Case(module="banner", target=names[2], success=False),
            Case(module="banner", target=names[3], success=False),
            Case(module="upgrade", target=names[1], success=True),
            Case(module="upgrade", target=names[3], success=False),
        )
        found = await differing(sides, cases)
    assert not found, "\n".join(found)


async def _ends(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say another line than the one that is expected, and close."""
    writer.write(b"554 go away\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
