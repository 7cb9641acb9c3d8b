"""Several exporters share the targets: each is watched, by few, also while their number changes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sharding import (
    HANDOVER_SECONDS,
    Shard,
    ShardError,
    ordinal_and_count,
    ordinal_of,
    owner,
    shard_of,
)

NAMES = [f"target-{number}" for number in range(2000)]


@given(st.text(max_size=100), st.integers(1, 50))
def test_every_target_has_one_shard(name: str, count: int) -> None:
    """The same at every look."""
    assert 0 <= owner(name, count) < count
    assert owner(name, count) == owner(name, count)


def test_the_shares_are_about_equal() -> None:
    """None has half as much again as another."""
    sizes = Counter(owner(name, 5) for name in NAMES).values()
    assert len(sizes) == 5
    assert max(sizes) < 1.5 * min(sizes)


@given(st.integers(1, 20))
def test_one_more_shard_moves_only_what_it_gets(count: int) -> None:
    """Nothing moves between the others."""
    moved = [name for name in NAMES[:300] if owner(name, count) != owner(name, count + 1)]
    assert all(owner(name, count + 1) == count for name in moved)


class World:
    """Some exporters and the file with their number, which each reads when it looks."""

    def __init__(self, folder: Path, count: int, exporters: int) -> None:
        self.now = 0.0
        self.file = folder / "count"
        self.file.write_text(f"{count}\n")
        self.shards = [
            shard_of("", self.file, lambda: self.now, f"exporter-{number}.pod")
            for number in range(exporters)
        ]

    def watched(self, name: str) -> int:
        """Count who watches a target."""
        return sum(shard.has(name) for shard in self.shards)


@pytest.mark.parametrize(("before", "after"), [(3, 4), (4, 3), (1, 5), (5, 1)])
def test_a_change_leaves_no_target_alone(tmp_path: Path, before: int, after: int) -> None:
    """At most two watch one while the number changes, each reading it in its own time."""
    world = World(tmp_path, before, max(before, after))
    names = NAMES[:200]
    assert {world.watched(name) for name in names} == {1}
    world.file.write_text(str(after))
    for shard in world.shards:
        world.now += 10
        assert shard.look()
        assert {world.watched(name) for name in names} <= {1, 2}
    world.now += HANDOVER_SECONDS
    assert all(shard.look() for shard in world.shards)
    assert {world.watched(name) for name in names} == {1}
    assert not any(shard.look() for shard in world.shards)


@pytest.mark.parametrize("text", ["", "many", "0", "-1", "99999999", "3.5"])
def test_a_number_that_is_none_changes_nothing(tmp_path: Path, text: str) -> None:
    """It is refused at the start, and later the last one holds."""
    world = World(tmp_path, 3, 3)
    world.file.write_text(text)
    assert not any(shard.look() for shard in world.shards)
    assert {shard.count for shard in world.shards} == {3}
    with pytest.raises(ShardError, match=r"--shard\.count-file"):
        shard_of("", world.file, lambda: 0.0, "exporter-0")
    world.file.unlink()
    assert not any(shard.look() for shard in world.shards)


def test_the_command_line_is_read() -> None:
    """A share, an ordinal out of a name, and what is neither."""
    assert ordinal_and_count("2/3") == (2, 3)
    assert ordinal_of("exporter-12.exporter.monitoring") == 12
    assert Shard(clock=lambda: 0.0).has("anything")
    for text in ("3/3", "1", "a/b", "-1/2", "0/0"):
        with pytest.raises(ShardError, match="--shard"):
            ordinal_and_count(text)
    for name in ("exporter", "exporter-", "web.host-1"):
        with pytest.raises(ShardError, match="--shard"):
            ordinal_of(name)
    with pytest.raises(ShardError, match="one of the two"):
        shard_of("0/2", Path("count"), lambda: 0.0)
