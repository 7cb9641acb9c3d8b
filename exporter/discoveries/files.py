"""Targets in files, as Prometheus's file_sd has them: JSON or YAML, read again when they change."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from exporter.discovery import DiscoveryError, Place, discoveries
from exporter.transport import Transport
from toolkit.settings import ConfigPath

_MOST_BYTES = 16 << 20
_MOST_FILES = 1_000


@discoveries.register("files")
class Files(Place):
    """Reads every file that a pattern names; a file that is gone takes its targets along."""

    paths: tuple[ConfigPath, ...] = Field(
        min_length=1, description="files, `*` for any part of a name"
    )

    async def documents(self, transport: Transport) -> Sequence[Any]:
        """Read the files beside the loop."""
        del transport
        return await asyncio.to_thread(lambda: [_parsed(path) for path in self._files()])

    def _files(self) -> Iterator[Path]:
        # Path.glob takes no pattern in a folder's name.
        found = sorted({path for each in self.paths for path in glob.glob(str(each))})  # noqa: PTH207
        if len(found) > _MOST_FILES:
            raise DiscoveryError(f"{len(found)} files; at most {_MOST_FILES} are read")
        return map(Path, found)


def _parsed(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DiscoveryError(f"{path.name}: cannot be read ({error.strerror})") from None
    if len(text) > _MOST_BYTES:
        raise DiscoveryError(f"{path.name}: over {_MOST_BYTES} bytes")
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise DiscoveryError(f"{path.name}: neither JSON nor YAML") from None
