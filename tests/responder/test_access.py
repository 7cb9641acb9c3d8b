"""Reaching a source's server: certificates on both sides, credentials, and kubeconfigs."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pydantic
import pytest
import yaml
from aiohttp import web

from responder import kubeconfig
from responder.access import Access, AccessError, Tls
from responder.investigation.evidence import Status
from responder.remote import Answer, Remote
from tests.toolkit.authority import Authority, Pair
from toolkit.secrets import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """A server that wants a certificate of its own authority, and what its clients may show."""

    authority: Authority
    shown: Pair
    url: str


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Serve over TLS, to clients with a certificate alone."""
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    context.load_cert_chain(pair.cert, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with serving(context) as url:
        yield Stand(authority=authority, shown=authority.sign("vigie"), url=url)


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[str]:
    """Answer everything with the credentials that came."""

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"authorization": request.headers.get("Authorization", "")})

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def asked(access: Access, url: str) -> Answer:
    """Ask once, with these settings."""
    async with aiohttp.ClientSession() as session:
        until = asyncio.get_running_loop().time() + 5
        remote = await access.remote(url, session, until=until, limit_bytes=1 << 16)
        return await remote.get("/")


async def test_both_sides_show_certificates(stand: Stand) -> None:
    """With the authority and a certificate of its own the source is let in."""
    shown = {"client_cert_file": stand.shown.cert, "client_key_file": stand.shown.key}
    tls = Tls(ca_file=stand.authority.ca, **shown)
    answer = await asked(Access(tls=tls, bearer=Secret(place="t", value="abc")), stand.url)
    assert answer.body == {"authorization": "Bearer abc"}


async def test_a_stranger_is_not_trusted(stand: Stand) -> None:
    """Without the authority the server's certificate is refused, and the reason told."""
    answer = await asked(Access(), stand.url)
    assert answer.status is Status.UNAVAILABLE
    assert answer.problem.startswith("its certificate is not trusted: ")


async def test_without_a_certificate_it_is_unavailable(stand: Stand) -> None:
    """The server hangs up on who shows none."""
    answer = await asked(Access(tls=Tls(ca_file=stand.authority.ca)), stand.url)
    assert answer.status is Status.UNAVAILABLE


async def test_certificates_that_are_gone_are_told(tmp_path: Path) -> None:
    """Files that are missing or hold something else are named, with a remedy."""
    for path in (tmp_path / "gone.pem", tmp_path / "odd.pem"):
        (tmp_path / "odd.pem").write_text("nothing")
        with pytest.raises(AccessError, match=f"{path.name}: .*; give readable PEM files"):
            await asked(Access(tls=Tls(ca_file=path)), "https://127.0.0.1:1")


async def test_a_secret_that_is_gone_is_told(tmp_path: Path) -> None:
    """A token's file that was removed is named."""
    path = tmp_path / "token"
    path.write_text("abc")
    access = Access(bearer=Secret.from_file(path))
    path.unlink()
    with pytest.raises(AccessError, match="token: cannot be read"):
        await asked(access, "http://127.0.0.1:1")


def test_a_key_needs_its_certificate(tmp_path: Path) -> None:
    """A key alone is refused."""
    with pytest.raises(pydantic.ValidationError, match="client_cert_file"):
        Tls(client_key_file=tmp_path)


def config(stand: Stand, *, inline: bool, **user: Any) -> dict[str, Any]:
    """Make a kubeconfig of one context, its certificates in it or beside it."""
    cluster: dict[str, Any] = {"server": stand.url}
    files = {
        "certificate-authority": (cluster, stand.authority.ca),
        "client-certificate": (user, stand.shown.cert),
        "client-key": (user, stand.shown.key),
    }
    for name, (part, path) in files.items():
        if inline:
            part[f"{name}-data"] = base64.b64encode(path.read_bytes()).decode()
        else:
            part[name] = path.name
    context = {"cluster": "c", "user": "u"}
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": context}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


@pytest.mark.parametrize("inline", [True, False])
async def test_a_kubeconfig_opens_the_door(stand: Stand, *, inline: bool, tmp_path: Path) -> None:
    """Its certificates, inline or as files beside it, and its token are used."""
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config(stand, inline=inline, token="t0ken")))
    found = kubeconfig.read(path, None)
    async with aiohttp.ClientSession() as session:
        until = asyncio.get_running_loop().time() + 5
        remote = Remote(
            url=found.url, session=session, until=until, limit_bytes=1 << 16, tls=found.tls
        )
        assert (await remote.get("/")).status is Status.OK
    assert found.token == "t0ken"


def test_a_kubeconfigs_token_may_be_a_file(stand: Stand, tmp_path: Path) -> None:
    """`tokenFile` counts from the kubeconfig's folder."""
    (tmp_path / "token").write_text("from a file\n")
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config(stand, inline=True, tokenFile="token")))
    assert kubeconfig.read(path, "here").token == "from a file"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not readable"),
        ("[", "not readable"),
        ("- 1", "not readable"),
        ("{current-context: a, contexts: []}", "no 'a' among its contexts"),
        ("{current-context: a, contexts: [{name: a, context: 5}]}", "not readable"),
        ("{contexts: []}", "no current-context"),
    ],
)
def test_a_broken_kubeconfig_is_told(text: str, problem: str, tmp_path: Path) -> None:
    """What is wrong is said without a word of its content."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(AccessError, match=rf"kubeconfig .*: {problem}.*; correct the file"):
        kubeconfig.read(path, None)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"exec": {"command": "rm"}}, "exec, which is not run here"),
        ({"client-certificate-data": "!"}, "client-certificate-data is not base64"),
    ],
)
def test_what_is_refused_in_a_kubeconfig(
    stand: Stand, changed: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    """Programs are not run, and what cannot be read is named."""
    data = config(stand, inline=True)
    data["users"][0]["user"] |= changed
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(AccessError, match=problem):
        kubeconfig.read(path, None)


def test_a_server_that_is_not_verified_is_refused(stand: Stand, tmp_path: Path) -> None:
    """Credentials are not sent to whoever answers."""
    data = config(stand, inline=True)
    data["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(AccessError, match="give certificate-authority"):
        kubeconfig.read(path, None)
