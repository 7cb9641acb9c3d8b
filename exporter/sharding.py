"""Which of several exporters watches a target: rendezvous hashing, and a change of their number.

Each exporter scores a target against every shard; the highest score has it (Thaler and
Ravishankar, 1998). When the number changes, only the targets of the shard that came or went move.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

HANDOVER_SECONDS = 120.0
"""How long both the old and the new exporter watch a target that moves."""

_SHARD = re.compile(r"(\d{1,4})/(\d{1,4})")
_ORDINAL = re.compile(r"-(\d{1,4})$")
_MOST = 1_000


class ShardError(Exception):
    """A shard cannot be: `where: problem; remedy`."""


def owner(name: str, count: int) -> int:
    """Give the shard, from 0 on, that watches a target."""
    if count == 1:
        return 0
    return max(range(count), key=lambda shard: (_score(name, shard), shard))


def _score(name: str, shard: int) -> bytes:
    return blake2b(f"{shard}/{name}".encode("utf-8", "replace"), digest_size=8).digest()


def ordinal_and_count(text: str) -> tuple[int, int]:
    """Read `i/n`, i from 0 to n - 1; raises ShardError."""
    found = _SHARD.fullmatch(text)
    ordinal, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 <= ordinal < count <= _MOST:
        raise ShardError(f"--shard: {text[:20]!r} is none; write i/n with 0 <= i < n <= {_MOST}")
    return ordinal, count


def ordinal_of(hostname: str) -> int:
    """Read the ordinal at the end of a StatefulSet's pod name; raises ShardError."""
    found = _ORDINAL.search(hostname.partition(".")[0])
    if found is None:
        raise ShardError(f"--shard: {hostname[:80]!r} ends in no ordinal; give --shard=i/n")
    return int(found[1])


@dataclass(kw_only=True, slots=True)
class Shard:
    """One exporter's share; without a count it is all.

    `count_file` holds the number of shards and is read again at each look; what cannot be read
    changes nothing.
    """

    ordinal: int = 0
    count: int = 1
    count_file: Path | None = None
    clock: Callable[[], float]
    _before: int | None = None
    _changed_at: float = 0.0
    problem: str = field(default="", init=False)

    def look(self) -> bool:
        """Read the count anew; tell whether the share is another one now."""
        found = self.read()
        if found is not None and found != self.count:
            self._before, self.count, self._changed_at = self.count, found, self.clock()
            return True
        if self._before is not None and self.clock() - self._changed_at >= HANDOVER_SECONDS:
            self._before = None
            return True
        return False

    def has(self, name: str) -> bool:
        """Tell whether the target is ours, or was before the number changed."""
        counts = {self.count} if self._before is None else {self.count, self._before}
        return any(owner(name, count) == self.ordinal for count in counts)

    def read(self) -> int | None:
        """Read the count; None, and `problem` says why, where there is none."""
        if self.count_file is None:
            return None
        try:
            text = self.count_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            self.problem = "the file cannot be read"
            return None
        if not text.isdigit() or not 1 <= int(text[:6]) <= _MOST:
            self.problem = f"not a number from 1 to {_MOST}"
            return None
        self.problem = ""
        return int(text[:6])


def shard_of(
    given: str, count_file: Path | None, clock: Callable[[], float], hostname: str = ""
) -> Shard:
    """Make the share that the command line names; raises ShardError.

    With a count file the ordinal is the StatefulSet's, out of the host's name.
    """
    if count_file is None:
        ordinal, count = ordinal_and_count(given or "0/1")
        return Shard(ordinal=ordinal, count=count, clock=clock)
    if given:
        raise ShardError("--shard: its number is in --shard.count-file too; give one of the two")
    shard = Shard(
        ordinal=ordinal_of(hostname or socket.gethostname()), count_file=count_file, clock=clock
    )
    found = shard.read()
    if found is None:
        raise ShardError(f"--shard.count-file: {count_file}: {shard.problem}; write the number")
    shard.count = found
    return shard
