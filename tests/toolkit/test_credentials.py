"""Credentials: bcrypt users and bearer tokens."""

from __future__ import annotations

import asyncio
import base64
import gc
import threading
import time
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from toolkit import credentials
from toolkit.credentials import BasicUsers
from toolkit.secrets import Secret
from toolkit.settings import ConfigError
from toolkit.web import application, bearer_guard, load_web_config

PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
USERS = {"alice": HASH}


def basic(user: str, password: str) -> str:
    """Write the Authorization header of *user*."""
    return aiohttp.encode_basic_auth(user, password)


def token(value: str) -> Secret:
    """Make a secret that holds *value*."""
    return Secret.from_environ("TOKEN", {"TOKEN": value})


def guarded(
    tmp_path: Path, *, users: bool = True, tokens: tuple[Secret, ...] = ()
) -> web.Application:
    """Make an application with a page for users and a hook for tokens."""
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{alice: '{HASH}'}}" if users else "basic_auth_users: {}")
    app = application(ready=lambda: True, reload=None, web=load_web_config(path, {}))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="in")

    app.router.add_get("/page", answer)
    app.router.add_post("/hook", bearer_guard(tokens)(answer))
    return app


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic("alice", PASSWORD), 200),
        (basic("alice", PASSWORD).replace("Basic", "bAsIc"), 200),
        (basic("alice", "wrong"), 401),
        (basic("alice", ""), 401),
        (basic("alice", "x" * 500), 401),
        (basic("alice", "a\0b"), 401),
        (basic("bob", PASSWORD), 401),
        (basic("", ""), 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(b"no colon").decode(), 401),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), 401),
        ("Bearer x", 401),
        (None, 401),
    ],
)
async def test_users(
    aiohttp_client: AiohttpClient, tmp_path: Path, header: str | None, status: int
) -> None:
    """Only a user with the right password is let in; a 401 names the scheme."""
    client = await aiohttp_client(guarded(tmp_path))
    answer = await client.get("/page", headers={"Authorization": header} if header else {})
    assert answer.status == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="vigie"'


async def test_health_asks_nobody(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """Health and readiness need no user; everything else does, what is not there too."""
    client = await aiohttp_client(guarded(tmp_path))
    assert (await client.get("/-/healthy")).status == 200
    assert (await client.get("/-/ready")).status == 200
    assert (await client.post("/-/reload")).status == 401
    assert (await client.get("/none")).status == 401
    assert (await client.get("/-/healthy/../../page")).status == 401


async def test_users_follow_the_file(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """A user taken out of the file is out, although remembered."""
    client = await aiohttp_client(guarded(tmp_path))
    header = {"Authorization": basic("alice", PASSWORD)}
    assert (await client.get("/page", headers=header)).status == 200
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{bobby: '{HASH}'}}")
    assert (await client.get("/page", headers=header)).status == 401


async def test_right_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bcrypt runs once for a right password, off the loop's thread, and each time for a wrong."""
    threads: list[int] = []
    check = credentials._matches

    def counted(password: bytes, hashed: str) -> bool:
        threads.append(threading.get_ident())
        return check(password, hashed)

    monkeypatch.setattr(credentials, "_matches", counted)
    users = BasicUsers()
    right = [users.are_right(basic("alice", PASSWORD), USERS) for _ in range(5)]
    assert await asyncio.gather(*right) == [True] * 5
    assert len(threads) <= 2
    assert threading.get_ident() not in threads
    threads.clear()
    for _ in range(3):
        assert not await users.are_right(basic("alice", "wrong"), USERS)
        assert not await users.are_right(basic("bob", PASSWORD), USERS)
    assert len(threads) == 6


async def test_new_hash_is_checked_anew() -> None:
    """A remembered password does not open a user whose hash has changed."""
    users = BasicUsers()
    assert await users.are_right(basic("alice", PASSWORD), USERS)
    other = {"alice": bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()}
    assert not await users.are_right(basic("alice", PASSWORD), other)


async def test_password_is_not_kept() -> None:
    """The memory holds no password, and has an end."""
    users = BasicUsers()
    hashes = {f"user{n}": HASH for n in range(300)}
    for user in hashes:
        assert await users.are_right(basic(user, PASSWORD), hashes)
    assert len(users._right) == 256
    held = [each for each in gc.get_referents(users._right) if isinstance(each, bytes)]
    assert held
    assert not [each for each in held if PASSWORD.encode() in each]


async def test_nobody_costs_as_much() -> None:
    """A name that is no user costs a bcrypt run of the dearest user's cost."""
    dear = {"alice": HASH, "carol": bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode()}
    users = BasicUsers()
    began = time.process_time()
    assert not await users.are_right(basic("nobody", "x"), dear)
    spent = time.process_time() - began
    began = time.process_time()
    assert not await users.are_right(basic("alice", "x"), dear)
    assert spent > 5 * (time.process_time() - began)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer one", 200),
        ("bearer two", 200),
        ("Bearer  two ", 200),
        ("Bearer three", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Bearer one two", 401),
        ("Bearer \u00e9", 401),
        (basic("alice", PASSWORD), 401),
        (None, 401),
    ],
)
async def test_bearer(
    aiohttp_client: AiohttpClient, tmp_path: Path, header: str | None, status: int
) -> None:
    """Any of the tokens opens a guarded route, and nothing else does, not even a user."""
    client = await aiohttp_client(guarded(tmp_path, tokens=(token("one"), token("two"))))
    answer = await client.post("/hook", headers={"Authorization": header} if header else {})
    assert answer.status == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="vigie"'


async def test_token_opens_nothing_else(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """A token of one route does not open the pages of users."""
    client = await aiohttp_client(guarded(tmp_path, tokens=(token("one"),)))
    assert (await client.get("/page", headers={"Authorization": "Bearer one"})).status == 401


async def test_no_tokens(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """A guard without tokens leaves the route to the users, or open where there are none."""
    client = await aiohttp_client(guarded(tmp_path))
    assert (await client.post("/hook")).status == 401
    header = {"Authorization": basic("alice", PASSWORD)}
    assert (await client.post("/hook", headers=header)).status == 200
    client = await aiohttp_client(guarded(tmp_path, users=False))
    assert (await client.post("/hook")).status == 200


async def test_token_file(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """A token's file is read again; while it cannot be, the sender is told to come back."""
    path = tmp_path / "token"
    path.write_text("one\n")
    client = await aiohttp_client(guarded(tmp_path, tokens=(Secret.from_file(path), token("two"))))

    async def status(value: str) -> int:
        return (await client.post("/hook", headers={"Authorization": f"Bearer {value}"})).status

    assert await status("one") == 200
    path.write_text("another\n")
    assert (await status("one"), await status("another")) == (401, 200)
    path.unlink()
    assert (await status("another"), await status("two")) == (503, 200)


@pytest.mark.parametrize("hashed", ["secret", "$2y$10$short", "$2y$99$" + "a" * 53, ""])
def test_no_hash(tmp_path: Path, hashed: str) -> None:
    """A password that is not hashed is refused, and not repeated."""
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  alice: '{hashed}'")
    with pytest.raises(ConfigError) as caught:
        load_web_config(path, {})
    words = "not a bcrypt hash; make one with `htpasswd -nBC 10 USER`"
    assert str(caught.value) == f"{path}:2: basic_auth_users.alice: {words}"
