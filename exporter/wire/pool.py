"""Kept connections: few per origin, closed when idle, never handed out when the far end is gone."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from exporter.wire.link import Link

MOST_PER_ORIGIN = 8
_MOST = 16_384
IDLE_SECONDS = 120.0


class Pool:
    """Connections between two exchanges, by what they are good for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[Hashable, list[Link]] = {}
        self._count = 0

    def take(self, key: Hashable) -> Link | None:
        """Return the connection used last that is still open, None when there is none.

        Who asks has the watcher look first: what has come, be it the end, spoils a connection.
        """
        links = self._kept.get(key)
        while links:
            link = links.pop()
            self._count -= 1
            if not link.closed:
                return link
        return None

    def give(self, key: Hashable, link: Link) -> None:
        """Keep a connection whose last answer was read to its end."""
        links = self._kept.setdefault(key, [])
        if link.closed or len(links) >= MOST_PER_ORIGIN or self._count >= _MOST:
            link.close()
            return
        links.append(link)
        self._count += 1
        link.key = key
        link.rest(self._clock(), self._drop)

    def _drop(self, link: Link) -> None:
        links = self._kept.get(link.key, [])
        if link in links:
            links.remove(link)
            self._count -= 1
        link.close()

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        oldest = self._clock() - IDLE_SECONDS
        for key, links in list(self._kept.items()):
            for link in [each for each in links if each.idle_since < oldest]:
                self._drop(link)
            if not links:
                del self._kept[key]

    def close(self) -> None:
        """Close all."""
        for links in self._kept.values():
            for link in links:
                link.close()
        self._kept.clear()
        self._count = 0
