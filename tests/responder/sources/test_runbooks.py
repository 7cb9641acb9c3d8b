"""The runbooks source: the page of an alert, and names that are no pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from responder.config import Config
from responder.investigation.evidence import Status
from responder.sources.runbooks import LONGEST_PAGE, RunbooksSource
from tests.responder.conftest import place_in
from tests.responder.sources.far_end import question
from toolkit.problem import ConfigError
from toolkit.settings import parse


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.mark.parametrize(
    ("alert", "status"),
    [
        ("Slow", Status.OK),
        ("Unknown", Status.EMPTY),
        ("../Slow", Status.EMPTY),
        ("/etc/passwd", Status.EMPTY),
        ("", Status.EMPTY),
        ("Folder", Status.FAILED),
    ],
)
async def test_only_a_page_of_the_folder_is_read(
    session: aiohttp.ClientSession, tmp_path: Path, alert: str, status: Status
) -> None:
    """A page that is there is read; a missing one, a path and a folder are told."""
    (tmp_path / "Slow.md").write_text("# Slow\n\x1b[31mMeaning\n", encoding="utf-8")
    (tmp_path / "Folder.md").mkdir()
    asked = question(session, labels={"alertname": alert, "target": "chat"})
    finding = await RunbooksSource(folder=tmp_path).gather(asked)
    assert [each.status for each in finding.evidence] == [status]
    if status is Status.OK:
        assert finding.evidence[0].detail == "# Slow\nMeaning"


async def test_a_long_page_is_cut(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A page of megabytes is read in part."""
    (tmp_path / "Slow.md").write_text("word " * 1_000_000, encoding="utf-8")
    finding = await RunbooksSource(folder=tmp_path).gather(question(session))
    assert len(finding.evidence[0].detail) <= LONGEST_PAGE


async def test_a_page_of_ones_own_comes_before_the_shipped_one(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """By the alert's name; a page that only one folder has is read from there."""
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    for folder in (shipped, own):
        folder.mkdir()
    (shipped / "Slow.md").write_text("shipped")
    (shipped / "Down.md").write_text("shipped")
    (own / "Slow.md").write_text("ours")
    (own / "Mine.md").write_text("ours")
    source = RunbooksSource(folder=shipped, own=own)
    found = {}
    for name in ("Slow", "Down", "Mine", "None"):
        asked = question(session, labels={"alertname": name, "target": "chat"})
        (page,) = (await source.gather(asked)).evidence
        found[name] = page.detail if page.status is Status.OK else page.status.value
    assert found == {"Slow": "ours", "Down": "shipped", "Mine": "ours", "None": "empty"}
    (own / "Down.md").mkdir()
    (page,) = (await source.gather(question(session, labels={"alertname": "Down"}))).evidence
    assert page.status is Status.FAILED


def test_pages_of_ones_own_are_checked_at_the_start(tmp_path: Path) -> None:
    """What no alert is named like, what is empty, what is not UTF-8: each told, with a remedy."""
    settings = f"sources: [{{kind: runbooks, folder: {tmp_path}, own: {tmp_path / 'own'}}}]"
    with pytest.raises(ConfigError, match="no folder at"):
        parse(settings, "responder.yml", Config, environ={})
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "README.md").write_text("")
    (tmp_path / "own" / "Good.md").write_text("# Good")
    config = parse(settings, "responder.yml", Config, environ={})
    assert config.runbooks() == (tmp_path / "own", tmp_path)
    (tmp_path / "own" / "Too Slow.md").write_text("x")
    (tmp_path / "own" / "Empty.md").write_text(" \n")
    (tmp_path / "own" / "Old.md").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError) as refused:
        parse(settings, "responder.yml", Config, environ={})
    told = str(refused.value)
    for part in ("Empty.md is empty", "Old.md is not UTF-8", "Too Slow.md is named like no alert"):
        assert part in told
    assert "own" in told
    assert "name each page <AlertName>.md" in told


async def test_the_page_shows_ones_own_first(tmp_path: Path) -> None:
    """The web page of a runbook is the one that the report is written by."""
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "Slow.md").write_text("# shipped")
    (own / "Slow.md").write_text("# ours")
    (tmp_path / "Down.md").write_text("# shipped")
    settings = f"sources: [{{kind: runbooks, folder: {tmp_path}, own: {own}}}]"
    async with place_in(tmp_path, settings) as place:
        assert "ours" in await place.text("/runbooks/Slow")
        assert "shipped" in await place.text("/runbooks/Down")
