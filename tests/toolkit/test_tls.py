"""TLS: from 1.2 up, client certificates, and files that change under a running server."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from tests.toolkit.authority import Authority
from toolkit.settings import ConfigError
from toolkit.web import application, load_web_config, serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority that has signed `server` and `client`."""
    made = Authority(tmp_path)
    made.sign("server")
    made.sign("client", san="prometheus.example")
    return made


def web_file(folder: Path, *lines: str) -> Path:
    """Write a web file with the server's certificate and *lines*."""
    path = folder / "web.yml"
    settings = ("cert_file: server.crt", "key_file: server.key", *lines)
    path.write_text("tls_server_config:\n" + "".join(f"  {line}\n" for line in settings))
    return path


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[str]:
    """Serve with the web file at *path*."""
    config = load_web_config(path, {})
    app = application(ready=lambda: True, reload=None, web=config)
    async with serve(app, ["127.0.0.1:0"], config) as (address,):
        yield address


async def ask(address: str, context: ssl.SSLContext) -> tuple[int, str, bytes]:
    """Ask for health over a new connection; give status, TLS version and server certificate."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=context, server_hostname="localhost"
        )
        try:
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            head = (await reader.read()).split()
            shown = writer.get_extra_info("ssl_object")
            cert = shown.getpeercert(binary_form=True)
            return (int(head[1]) if head else 0, shown.version(), cert)
        finally:
            writer.close()


async def refused(address: str, context: ssl.SSLContext) -> bool:
    """Tell whether the server ends the connection without an answer."""
    try:
        return (await ask(address, context))[0] == 0
    except (ssl.SSLError, ConnectionError):
        return True


async def test_tls(authority: Authority) -> None:
    """The page comes over TLS 1.3, and over 1.2 where the client knows no better."""
    async with serving(web_file(authority.folder)) as address:
        context = authority.client()
        assert (await ask(address, context))[:2] == (200, "TLSv1.3")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await ask(address, context))[:2] == (200, "TLSv1.2")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_old_tls(authority: Authority) -> None:
    """Anything under TLS 1.2 is refused, and 1.2 as well where the file wants 1.3."""
    old = authority.client()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(web_file(authority.folder)) as address:
        assert await refused(address, old)
    middle = authority.client()
    middle.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(web_file(authority.folder, "min_version: TLS13")) as address:
        assert await refused(address, middle)


async def test_cipher(authority: Authority) -> None:
    """The suites are named as Go names them."""
    suite = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    async with serving(web_file(authority.folder, suite)) as address:
        context = authority.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        assert await refused(address, context)
        context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        assert (await ask(address, context))[0] == 200


CLIENTS = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")


async def test_client_certificate(authority: Authority, tmp_path: Path) -> None:
    """Only a client with a certificate of the CA gets an answer, health included."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other").sign("stranger")
    shown = authority.sign("client", san="prometheus.example")
    async with serving(web_file(authority.folder, *CLIENTS)) as address:
        assert (await ask(address, authority.client(shown)))[0] == 200
        assert await refused(address, authority.client())
        assert await refused(address, authority.client(stranger))


async def test_client_certificate_if_given(authority: Authority, tmp_path: Path) -> None:
    """A certificate that may be left out must still be right when shown."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other").sign("stranger")
    lines = ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.pem")
    async with serving(web_file(authority.folder, *lines)) as address:
        assert (await ask(address, authority.client()))[0] == 200
        assert await refused(address, authority.client(stranger))


async def test_client_names(authority: Authority) -> None:
    """Of the CA's clients only the named ones are let in."""
    lines = (*CLIENTS, "client_allowed_sans: [prometheus.example]")
    async with serving(web_file(authority.folder, *lines)) as address:
        right = authority.sign("client", san="prometheus.example")
        assert (await ask(address, authority.client(right)))[0] == 200
        wrong = authority.sign("client", san="grafana.example")
        assert (await ask(address, authority.client(wrong)))[0] == 403


async def test_new_certificate(authority: Authority) -> None:
    """A renewed certificate is shown from the next handshake on, without a reload."""
    async with serving(web_file(authority.folder)) as address:
        context = authority.client()
        first = (await ask(address, context))[2]
        assert (await ask(address, context))[2] == first
        authority.sign("server")
        second = (await ask(address, context))[2]
        assert second != first


async def test_broken_certificate(authority: Authority) -> None:
    """A certificate broken under way leaves the last good one in force, and is told once."""
    async with serving(web_file(authority.folder)) as address:
        context = authority.client()
        first = (await ask(address, context))[2]
        (authority.folder / "server.crt").write_text("broken")
        with structlog.testing.capture_logs() as logs:
            assert (await ask(address, context))[2] == first
            assert (await ask(address, context))[2] == first
        assert [each["event"] for each in logs] == ["TLS files kept, the new ones are broken"]
        authority.sign("server")
        assert (await ask(address, context))[2] != first


async def test_new_client_authority(authority: Authority, tmp_path: Path) -> None:
    """A replaced client CA shuts out the old clients and lets in the new ones."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    old, new = authority.sign("client"), other.sign("client")
    own_ca = tmp_path / "clients.pem"
    shutil.copy(authority.ca, own_ca)
    lines = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: clients.pem")
    async with serving(web_file(authority.folder, *lines)) as address:
        assert (await ask(address, authority.client(old)))[0] == 200
        own_ca.unlink()
        shutil.copy(other.ca, own_ca)
        assert await refused(address, authority.client(old))
        assert (await ask(address, authority.client(new)))[0] == 200


async def test_no_plain_http(authority: Authority) -> None:
    """A server with TLS does not answer plain HTTP."""
    async with serving(web_file(authority.folder)) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(60):
            assert b"200" not in await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("min_version: TLS11",), "is not one of TLS12, TLS13"),
        (("min_version: TLS13", "max_version: TLS12"), "min_version is above max_version"),
        (CLIENTS[:1], "RequireAndVerifyClientCert without client_ca_file; add client_ca_file"),
        (CLIENTS[1:], "clients are described, but not asked for a certificate"),
        (("client_auth_type: RequireAnyClientCert",), "is not one of NoClientCert"),
        (("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]",), "not an allowed cipher suite"),
        (("cert: x",), "unknown setting; did you mean 'cert_file'?"),
    ],
)
def test_refused(authority: Authority, lines: tuple[str, ...], words: str) -> None:
    """What cannot be served is refused when the file is loaded."""
    with pytest.raises(ConfigError) as caught:
        load_web_config(web_file(authority.folder, *lines), {})
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
@pytest.mark.parametrize("content", [None, "", "broken"])
def test_unusable_files(authority: Authority, name: str, content: str | None) -> None:
    """A certificate or key that is missing or broken is a problem at load."""
    path = web_file(authority.folder)
    (authority.folder / name).unlink()
    if content is not None:
        (authority.folder / name).write_text(content)
    with pytest.raises(ConfigError, match="tls_server_config: certificate, key or client CA"):
        load_web_config(path, {})


def test_foreign_key(authority: Authority) -> None:
    """A key that does not fit the certificate is a problem at load."""
    shutil.copy(authority.folder / "client.key", authority.folder / "server.key")
    with pytest.raises(ConfigError, match="tls_server_config: certificate, key or client CA"):
        load_web_config(web_file(authority.folder), {})
