"""The runbooks source: the page of an alert, and names that are no pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from responder.investigation.evidence import Status
from responder.sources.runbooks import LONGEST_PAGE, RunbooksSource
from tests.responder.sources.far_end import question


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
