"""Targets in files, as Prometheus's file_sd has them: JSON or YAML, read again when they change."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from exporter.discovery import DiscoveryError, Document, Place, discoveries, groups_of
from exporter.transport import Transport
from toolkit import document
from toolkit.settings import ConfigError, ConfigPath

_MOST_BYTES = 16 << 20
_MOST_FILES = 1_000


@discoveries.register("files")
class Files(Place):
    """Reads every file that a pattern names; a file that is gone takes its targets along.

    One that cannot be read keeps those that it had.
    """

    paths: tuple[ConfigPath, ...] = Field(
        min_length=1, description="files, `*` for any part of a name"
    )

    async def documents(
        self, transport: Transport, before: Mapping[str, Document]
    ) -> Sequence[Document]:
        """Read the files that changed, beside the loop."""
        del transport
        return await asyncio.to_thread(lambda: [_document(path, before) for path in self._files()])

    def _files(self) -> Iterator[Path]:
        # Path.glob takes no pattern in a folder's name.
        found = sorted({path for each in self.paths for path in glob.glob(str(each))})  # noqa: PTH207
        if len(found) > _MOST_FILES:
            raise DiscoveryError(f"{len(found)} files; at most {_MOST_FILES} are read")
        return map(Path, found)


def _document(path: Path, before: Mapping[str, Document]) -> Document:
    known = before.get(str(path))
    try:
        stamp = _stamp(path)
        if known is not None and known.stamp == stamp and not known.problem:
            return known
        return Document(
            origin=str(path),
            groups=groups_of(_parsed(path)),
            labels={"__meta_filepath": str(path)},
            stamp=stamp,
        )
    except DiscoveryError as error:
        last = known or Document(origin=str(path), groups=())
        return replace(last, problem=f"{path}: {error}")


def _stamp(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError as error:
        raise DiscoveryError(f"cannot be read ({error.strerror})") from None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _parsed(path: Path) -> object:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DiscoveryError(f"cannot be read ({error.strerror})") from None
    if len(raw) > _MOST_BYTES:
        raise DiscoveryError(f"over {_MOST_BYTES} bytes")
    try:
        read = document.read(raw.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise DiscoveryError("not UTF-8") from None
    except ConfigError as error:
        raise DiscoveryError(str(error).splitlines()[0]) from None
    if read.problems:
        raise DiscoveryError(str(read.problems[0]))
    return read.data
