"""Posts in quarantine are read again: by the API, on the database itself, by the command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import orjson
import pytest
import sqlalchemy as sa

from responder import requeue
from responder.config import load_config
from responder.intake import Intake, Rules
from responder.outbox import addresses
from responder.store import deliveries, incidents, reports
from responder.store.deliveries import Raw
from responder.store.engine import Connection, url_of
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.tables import metadata
from tests.responder.channels.messages import report
from tests.responder.conftest import Place, Start
from tests.responder.fakes import alert, post
from tests.responder.receiver import Receiver
from tests.responder.test_main import ROOT, command, configure, free_port, program, run_to_end

PATH = "/api/v1/quarantine/requeue"


def kept(name: str, body: Any, kind: str = "alertmanager") -> Raw:
    """Give a post that an older version could not read."""
    read = body if isinstance(body, bytes) else orjson.dumps(body)
    return Raw(id=name, kind=kind, received_at=time.time() - 60, body=read, problem="too new")


def readable(name: str) -> Raw:
    """Give a post that can be read today."""
    return kept(name, post(alert(f"Alert{name}", starts_at=time.time() - 100, target=name)))


async def store_in(place: Place, *posts: Raw) -> None:
    """Put posts into the quarantine of a running responder."""
    for each in posts:
        await place.responder.store.write(partial(deliveries.keep, raw=each))


def store_on_disk(folder: Path, *posts: Raw) -> None:
    """Put posts into the quarantine of a responder that does not run."""

    async def keep() -> None:
        with Store(url_of("state/vigie.db", folder)) as store:
            for each in posts:
                await store.write(partial(deliveries.keep, raw=each))

    asyncio.run(keep())


async def ask(place: Place, body: Any, **options: Any) -> tuple[int, Any]:
    """Post to the requeue route; give status and JSON, or the text."""
    async with place.session.post(place.url / PATH[1:], json=body, **options) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else await answer.text()


async def test_a_post_that_reads_now_becomes_an_incident(start: Start) -> None:
    """What is read again is taken in as if it came now, and leaves quarantine."""
    place = await start()
    await store_in(place, readable("a"))
    assert "vigie_responder_quarantine_unread 1.0" in await place.text("/metrics")

    status, told = await ask(place, {"id": "a"})

    assert (status, told["outcome"], told["alerts"]) == (200, "read", 1)
    (incident,) = await place.reported()
    assert incident["alertnames"] == ["Alerta"]
    assert "vigie_responder_quarantine_unread 0.0" in await place.text("/metrics")
    assert (await ask(place, {"id": "a"}))[1]["outcome"] == "absent"


async def test_a_post_that_still_does_not_read_stays(start: Start) -> None:
    """What cannot be read today either is named with its reason, and kept."""
    place = await start()
    await store_in(place, kept("odd", b"{"))

    status, told = await ask(place, {"id": "odd"})

    assert (status, told["outcome"]) == (200, "unread")
    assert told["problem"]
    assert [each["id"] for each in (await place.read("/api/v1/quarantine"))["posts"]] == ["odd"]


async def test_a_change_that_reads_now_is_stored(start: Start) -> None:
    """A post of the change webhook is read as one."""
    place = await start()
    change = {"service": "chat", "kind": "deployment", "title": "chat 2"}
    await store_in(place, kept("c", change, kind="change"))

    assert (await ask(place, {"id": "c"}))[1]["outcome"] == "read"
    (stored,) = (await place.read("/api/v1/changes"))["changes"]
    assert stored["title"] == "chat 2"


@pytest.mark.parametrize("body", [{}, [], {"id": 3}, {"id": ""}])
async def test_what_names_no_post_is_refused(start: Start, body: Any) -> None:
    """A body without an id is a mistake of who sends it."""
    assert (await ask(await start(), body))[0] == 400


async def test_a_form_of_another_page_is_refused(start: Start) -> None:
    """Only JSON is taken, which no form on somebody else's page can send."""
    place = await start()
    await store_in(place, readable("a"))
    async with place.session.post(place.url / PATH[1:], data={"id": "a"}) as answer:
        assert answer.status == 415
    assert len((await place.read("/api/v1/quarantine"))["posts"]) == 1


def test_on_a_database_that_nobody_holds(tmp_path: Path, sink: Receiver) -> None:
    """Without a responder the command works on the database, a line for each post, oldest first."""
    configure(tmp_path, sink)
    store_on_disk(tmp_path, readable("a"), kept("odd", b"{"), readable("b"))

    ended = run_to_end(tmp_path, "requeue", "--all")

    lines = ended.stdout.splitlines()
    assert lines[0] == "a: read, 1 alerts"
    assert lines[1].startswith("odd: still not read: ")
    assert lines[2:] == ["b: read, 1 alerts", "2 read, 1 still not read, 0 not in quarantine"]
    assert (ended.returncode, ended.stderr) == (1, "")


async def test_on_a_database_messages_go_where_the_responder_sends_them(tmp_path: Path) -> None:
    """The end of a reported incident, read again, is addressed to each recipient of an email."""
    people = ["ann@example.org", "ben@example.org"]
    (tmp_path / "responder.yml").write_text(
        "database: vigie.db\n"
        "channels:\n- {kind: log}\n"
        f"- {{kind: email, host: smtp.example.org, sender: v@example.org, to: {people}}}\n"
    )
    config = load_config(tmp_path / "responder.yml", {})
    began_at = time.time() - 100
    raised = alert("Slow", starts_at=began_at)
    over = alert("Slow", starts_at=began_at, ends_at=began_at + 99)
    with Store(url_of("vigie.db", tmp_path)) as store:
        current = Rules(
            policy=config.policy(), channels=addresses(config.channels), pending_limit=9
        )
        intake = Intake(store, lambda: current, clock=time.time, wake=lambda: None)
        await intake.alerts(orjson.dumps(post(raised)))
        await store.write(report_all)
        await store.write(partial(deliveries.keep, raw=kept("q", post(over))))
    errand = requeue.Errand(
        ids=["q"], is_all=False, config=config, directory=tmp_path, url=None, default_url=""
    )

    assert await requeue.run(errand, lambda _: None) == 0

    with Store(url_of("vigie.db", tmp_path)) as store:
        found = await store.read(_told)
    assert found == [("log", ""), *(("email", each) for each in people)]


def report_all(connection: Connection) -> None:
    """Give every incident a report."""
    for incident in incidents.newest(connection, 9):
        written = report().model_copy(update={"id": f"{incident.id}-r1", "incident": incident.id})
        reports.add(connection, Dossier(report=written, evidence=(), suspects=(), disproofs=()))


def _told(connection: Connection) -> list[tuple[str, str]]:
    table = metadata.tables["outbox"]
    query = sa.select(table.c.channel, table.c.destination).order_by(table.c.id)
    return [(row.channel, row.destination) for row in connection.execute(query)]


def test_of_posts_that_are_named(tmp_path: Path, sink: Receiver) -> None:
    """Only what is named is read; a name that is none in quarantine is said, and ends it with 1."""
    configure(tmp_path, sink)
    store_on_disk(tmp_path, readable("a"), readable("b"))

    assert run_to_end(tmp_path, "requeue", "a").returncode == 0
    again = run_to_end(tmp_path, "requeue", "a")

    assert again.stdout == "a: not in quarantine\n0 read, 0 still not read, 1 not in quarantine\n"
    assert again.returncode == 1
    assert run_to_end(tmp_path, "requeue", "--all").stdout.startswith("b: read")


async def test_through_the_responder_that_holds_the_database(
    tmp_path: Path, sink: Receiver
) -> None:
    """While a responder runs on the file, the command goes through it, found at its address."""
    configure(tmp_path, sink)
    await asyncio.to_thread(store_on_disk, tmp_path, readable("a"), readable("b"))
    async with program(tmp_path) as running:
        address = running.url.removeprefix("http://")
        found = await asyncio.to_thread(
            run_to_end, tmp_path, "requeue", "a", f"--web.listen-address={address}"
        )
        named = await asyncio.to_thread(
            run_to_end, tmp_path, "requeue", "--all", f"--url={running.url}"
        )
        incidents = await running.incidents()

    first, *rest = found.stdout.splitlines()
    assert first == f"through the responder at {running.url}"
    assert (rest[0], found.returncode, found.stderr) == ("a: read, 1 alerts", 0, "")
    assert named.stdout.splitlines()[1:] == [
        "b: read, 1 alerts",
        "1 read, 0 still not read, 0 not in quarantine",
    ]
    assert len(incidents) == 2


async def test_a_held_database_and_no_responder_to_ask(tmp_path: Path, sink: Receiver) -> None:
    """Where nobody answers for a file that is held, the command says so and how to go on."""
    configure(tmp_path, sink)
    async with program(tmp_path):
        address = f"--web.listen-address=127.0.0.1:{free_port()}"
        ended = await asyncio.to_thread(run_to_end, tmp_path, "requeue", "--all", address)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "--url" in ended.stderr


async def test_users_are_asked_for(tmp_path: Path, sink: Receiver) -> None:
    """A responder with users takes the command with a password, and not without."""
    configure(tmp_path, sink)
    (tmp_path / "password").write_text("sesame\n")
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: '{hashed}'}}\n")
    await asyncio.to_thread(store_on_disk, tmp_path, readable("a"))
    port = free_port()
    argv = command(f"--web.listen-address=127.0.0.1:{port}", "--web.config.file=web.yml")
    environ = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
    running = await asyncio.create_subprocess_exec(
        *argv, cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL
    )
    try:
        refused = await _until_it_answers(tmp_path, f"--url=http://127.0.0.1:{port}")
        taken = await asyncio.to_thread(
            run_to_end,
            tmp_path,
            "requeue",
            "--all",
            f"--url=http://ann@127.0.0.1:{port}",
            "--password-file=password",
        )
    finally:
        running.terminate()
        await running.wait()

    assert "answered 401" in refused
    assert "--password-file" in refused
    assert (taken.returncode, taken.stderr) == (0, "")
    assert "ann" not in taken.stdout
    assert "a: read, 1 alerts" in taken.stdout


async def _until_it_answers(folder: Path, url: str) -> str:
    """Ask until somebody is there; give what the command then says is wrong."""
    async with asyncio.timeout(60):
        while True:
            ended = await asyncio.to_thread(run_to_end, folder, "requeue", "--all", url)
            assert ended.returncode == 1
            if "is a responder there" not in ended.stderr:
                return ended.stderr
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("arguments", [(), ("a", "--all")])
def test_it_must_be_said_which(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Neither nothing nor both is an order."""
    ended = run_to_end(tmp_path, "requeue", *arguments)

    assert ended.returncode == 2
    assert "name posts, or --all" in ended.stderr


def test_nobody_at_the_url(tmp_path: Path, sink: Receiver) -> None:
    """A URL at which nobody listens ends the command with 1 and one line."""
    configure(tmp_path, sink)
    ended = run_to_end(tmp_path, "requeue", "a", f"--url=http://127.0.0.1:{free_port()}")

    assert ended.returncode == 1
    assert ended.stderr.endswith("is a responder there?\n")
    assert len(ended.stderr.splitlines()) == 1
