"""How the kind oip_grpc reaches a server: who is there, what is lost, and TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from exporter.access import Tls
from exporter.probes.oip_grpc import OipGrpc
from exporter.protobuf import Message
from exporter.run import Run, perform
from exporter.target import Reason
from exporter.transport import open_transport
from tests.exporter.probes.calling import OWN, answering, ran
from tests.exporter.servers import Behaviour, resets, serving, silent, speaks_first
from tests.toolkit.authority import Authority


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what comes first and hang up."""
    await reader.read(10)
    writer.close()


OTHERS: dict[str, tuple[Behaviour, Reason]] = {
    "HTTP/1.1": (speaks_first, Reason.PROTOCOL),
    "closes": (closes, Reason.PROTOCOL),
    "resets": (resets, Reason.PROTOCOL),
    "silent": (silent, Reason.TIMEOUT_CONNECT),
}


@pytest.mark.parametrize("other", OTHERS)
async def test_server_of_another_kind_has_its_reason(other: str) -> None:
    """What is no gRPC server is told apart from one that is not there."""
    behaviour, reason = OTHERS[other]
    async with serving(behaviour) as url:
        run = await ran("", url=url, timeout=0.5, **OWN)
    assert run.reason is reason, run.detail


async def test_nobody_there_and_no_name() -> None:
    """A closed port, a name that is none, and a metadata service each have their reason."""
    assert (await ran("127.0.0.1:1", **OWN)).reason is Reason.CONNECT
    assert (await ran("nobody.invalid:1", **OWN)).reason is Reason.DNS
    target = OipGrpc(name="t", url="http://localhost:1", model="m", **OWN)
    elsewhere = target.model_copy(update={"url": "http://[::ffff:169.254.169.254]:80"})
    elsewhere = elsewhere.model_copy(update={"allow_targets": ("x",)})
    async with open_transport() as transport:
        run = await perform(elsewhere, elsewhere.questions()[0], transport)
    assert run.reason is Reason.FORBIDDEN


async def test_connection_lost_within_a_call() -> None:
    """A server that goes while it is asked was there, so that it is no failure to connect."""
    asked_for = asyncio.Event()

    async def hangs(_request: Message, _context: Any) -> bytes:
        asked_for.set()
        await asyncio.Event().wait()
        return b""

    async with answering(ModelInfer=hangs) as place:
        host, _, port = place.partition(":")
        async with serving(_relay(host, int(port), until=asked_for)) as url:
            run = await ran("", url=url, **OWN)
    assert run.reason is Reason.PROTOCOL, run.detail


def _relay(host: str, port: int, until: asyncio.Event) -> Behaviour:
    """Carry bytes both ways until something happens, then cut."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)

        async def carry(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
            while data := await one.read(1 << 16):
                other.write(data)

        tasks = [
            asyncio.create_task(carry(reader, far_writer)),
            asyncio.create_task(carry(far_reader, writer)),
        ]
        await until.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        far_writer.transport.abort()
        writer.close()

    return behave


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of our own."""
    return Authority(tmp_path)


async def test_tls_is_verified(authority: Authority, tmp_path: Path) -> None:
    """Our authority and the right name are taken; another authority or name is a TLS failure."""
    pair = authority.sign("server")
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.cert.read_bytes())])
    other = Authority(tmp_path, "other")
    async with answering(credentials) as place:
        url = f"https://{place}"

        async def with_tls(**fields: Any) -> Run:
            return await ran("", url=url, tls=Tls(**fields), **OWN)

        run = await with_tls(ca_file=authority.ca)
        assert run.reason is None, run.detail
        run = await with_tls(ca_file=other.ca)
        assert (run.reason, run.detail) == (Reason.TLS, "certificate: not valid")
        run = await with_tls(ca_file=authority.ca, server_name="elsewhere.test")
        assert (run.reason, run.detail) == (Reason.TLS, "certificate: not for this name")
        assert (await with_tls(ca_file=tmp_path / "none")).reason is Reason.INTERNAL
        assert (await ran("", url=url, **OWN)).reason is Reason.TLS  # the system's authorities
        assert (await ran(place, **OWN)).reason is Reason.PROTOCOL  # plain text to TLS
    async with answering() as place:
        url = f"https://{place}"
        assert (await with_tls(ca_file=authority.ca)).reason is Reason.TLS


async def test_client_certificate_and_server_name(authority: Authority) -> None:
    """A server may ask for our certificate, and may have another name than its address."""
    pair, client = authority.sign("server", "model.test"), authority.sign("client")
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.cert.read_bytes())],
        root_certificates=authority.ca.read_bytes(),
        require_client_auth=True,
    )
    tls = Tls(
        ca_file=authority.ca,
        server_name="model.test",
        client_cert_file=client.cert,
        client_key_file=client.key,
    )
    async with answering(credentials) as place:
        run = await ran("", url=f"https://{place}", tls=tls, **OWN)
    assert run.reason is None, run.detail
