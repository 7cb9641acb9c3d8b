"""`init` against every known server in its documented form, over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporter.native.names import SERVERS as NATIVE
from exporter.survey.command import Asked, propose
from exporter.survey.look import NativePage, SurveyError, fitting
from exporter.survey.signs import SERVERS, SIGNS, Answer
from exporter.transport import open_transport
from tests.exporter.survey.known import KNOWN, UNLISTED, loaded, proposed
from tests.exporter.survey.standins import KEY, Running, running


def where(found: Running, native: tuple[str, int, str] | None) -> tuple[str, str] | None:
    """Return the server and the url that native settings must have."""
    if native is None:
        return None
    server, beside, path = native
    host, _, port = found.url.rpartition(":")
    return server, f"{host}:{int(port) + beside}{path}"


@pytest.mark.parametrize("name", KNOWN)
async def test_each_server_is_known_by_its_documented_form(name: str, tmp_path: Path) -> None:
    """The target fits the server, loads, is never asked to generate, and tells no secret."""
    kind, standin, wanted = KNOWN[name]
    locked = standin.unlocked_by is not None
    async with running(standin) as found:
        asked = {"key_env": "MODEL_KEY"} if locked else {}
        named = {"model": "named"} if kind in UNLISTED else {}
        text = await proposed(found.url, **asked, **named)
        target = loaded(text, tmp_path)
    (written,) = yaml.safe_load(text)["targets"]
    assert SERVERS[kind].title in text.partition("\n")[0]  # type: ignore[index]
    assert {each: written.get(each) for each in wanted if each != "native"} == {
        each: value for each, value in wanted.items() if each != "native"
    }
    native = None if target.native is None else (target.native.server, target.native.url)
    assert native == where(found, wanted.get("native"))
    assert KEY not in text
    reads = {f"{method} /{path}" for _, method, path in _questions(found)}
    assert all(each.startswith("GET ") or each == "POST /v2/repository/index" for each in reads)


def _questions(found: Running) -> list[tuple[int, str, str]]:
    return [
        (beside, *(asked.split(" /", 1)[0], asked.split(" /", 1)[1]))
        for beside, asked, _ in found.asked
    ]


def test_every_server_of_the_tables_is_tried_here() -> None:
    """No row is left out: each server has signs, a row, and a stand-in."""
    kinds = {kind for kind, _ in SIGNS}
    assert kinds == set(SERVERS) == {kind for kind, _, _ in KNOWN.values()}


@pytest.mark.parametrize("server", NATIVE)
def test_a_page_of_metrics_fits_its_own_server(server: str) -> None:
    """Each server's names are known for its own: all of them, and one of them alone."""
    names = [each.names[0] for each in NATIVE[server].metrics() if not each.optional]
    text = "".join(f"{name}_total 1\n" for name in names)
    whole = fitting(Answer(status=200, text=text), "http://h/metrics")
    assert whole == NativePage(url="http://h/metrics", server=server, absent=())  # type: ignore[arg-type]
    part = fitting(Answer(status=200, text=f"{names[-1]} 1\nother 2\n"), "http://h/metrics")
    assert part is not None
    assert (part.server, part.absent) == (server, tuple(sorted(names[:-1])))
    assert fitting(Answer(status=200, text="process_cpu_seconds_total 1\n"), "http://h") is None
    assert fitting(Answer(status=404, text=text), "http://h") is None


@pytest.mark.parametrize("name", KNOWN)
async def test_a_key_goes_to_its_address_alone(name: str) -> None:
    """No port beside the address, and no page of metrics, is sent the key."""
    kind, standin, _ = KNOWN[name]
    async with running(standin) as found:
        named = {"model": "named"} if kind in UNLISTED else {}
        await proposed(found.url, key_env="MODEL_KEY", **named)
    given = [
        (beside, asked)
        for beside, asked, headers in found.asked
        if any(KEY in value for value in headers.values())
    ]
    assert given
    assert not [each for each in given if each[0] or "metrics" in each[1]]


@pytest.mark.parametrize(
    "name", [name for name, (_, standin, _) in KNOWN.items() if standin.unlocked_by]
)
async def test_a_key_that_is_wanted_is_asked_for(name: str) -> None:
    """Without its key, or with a wrong one, a server is named all the same, and the way on."""
    kind, standin, _ = KNOWN[name]
    title = SERVERS[kind].title  # type: ignore[index]
    async with running(standin) as found:
        with pytest.raises(SurveyError, match=f"{title} wants a key .* --key-env"):
            await proposed(found.url)
        async with open_transport() as transport:
            asked = Asked(url=found.url, key_env="MODEL_KEY")
            with pytest.raises(SurveyError, match=f"{title} refuses the key"):
                await propose(asked, transport, {"MODEL_KEY": "sk-another"})
