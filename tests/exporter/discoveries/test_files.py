"""Targets in files: each is read when it changed, and one that is broken loses no other's."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.discoveries.files import Files
from exporter.discovery import Document
from exporter.listing import read
from exporter.probes.http import Http
from exporter.transport import open_transport


class Folder:
    """A folder with lists, looked at again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = Files(name="p", paths=(path / "*.yml", path / "*" / "*.json"), template=Http())
        self.before: Mapping[str, Document] = {}

    def write(self, name: str, text: str | bytes) -> None:
        """Write a file, so that its time is another one."""
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        later = path.stat().st_mtime_ns + len(self.before) + 1_000_000
        os.utime(path, ns=(later, later))

    async def look(self) -> tuple[list[str], list[str]]:
        """Return the targets and the problems."""
        async with open_transport() as transport:
            documents = await self.place.documents(transport, self.before)
        self.before = {document.origin: document for document in documents}
        names = [target.name or "" for target in read(documents, self.place).targets]
        return names, [document.problem for document in documents if document.problem]


async def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    """The very same list is given for a file that stayed."""
    folder = Folder(tmp_path)
    folder.write("a.yml", "- targets: [a]")
    folder.write("b.yml", "- targets: [b]")
    assert await folder.look() == (["a", "b"], [])
    before = folder.before
    folder.write("a.yml", "- targets: [a, a2]\n")
    assert await folder.look() == (["a", "a2", "b"], [])
    path = str(tmp_path / "b.yml")
    assert folder.before[path] is before[path]
    assert folder.before[path].labels == {"__meta_filepath": path}


BROKEN: dict[str, str | bytes] = {
    "empty": "",
    "no list": "a: 1",
    "half written": "- targets: [a",
    "not utf-8": b"- targets: ['\xff']",
    "NUL": b"- targets: ['\0']",
    "a key twice": "- {targets: [a], targets: [b]}",
    "python": "- !!python/object/apply:os.system [id]",
    "too large": b"- targets: [a]\n#" + b"x" * (16 << 20),
    "alias bomb": "- &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"- &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefgh")),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_file_keeps_its_targets_and_loses_no_others(
    tmp_path: Path, name: str
) -> None:
    """It is named each time, until it is right again or gone."""
    folder = Folder(tmp_path)
    folder.write("a.yml", "- targets: [a]")
    folder.write("sub/b.json", '[{"targets": ["b"]}]')
    await folder.look()
    folder.write("a.yml", BROKEN[name])
    folder.write("sub/b.json", '[{"targets": ["b2"]}]')
    for _ in range(2):
        names, problems = await folder.look()
        assert names == ["a", "b2"]
        assert len(problems) == 1
        assert "a.yml" in problems[0]
    (tmp_path / "a.yml").unlink()
    assert await folder.look() == (["b2"], [])


async def test_a_file_that_was_never_right_has_no_targets(tmp_path: Path) -> None:
    """Only its problem."""
    folder = Folder(tmp_path)
    folder.write("a.yml", "nonsense: [")
    names, problems = await folder.look()
    assert (names, len(problems)) == ([], 1)
