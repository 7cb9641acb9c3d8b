"""What one exchange has come to so far, and the record that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from exporter.peer import Peer
from exporter.target import Chunk, Exchange, Reason, Times
from exporter.wire import kernel
from exporter.wire.response import Response

_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
_OF_ALL_HOPS: Final = frozenset({"begin", "offset", "redirects"})


class Seen:
    """Filled in while an exchange goes on; its times are named as those of `Times`."""

    # What holds until something is seen; one is made for each exchange.
    offset: kernel.Offset | None = None
    redirects = 0
    redirected: Mapping[str, float] = _NOTHING
    response: Response | None = None
    reused = False
    address = ""
    peer: Peer | None = None
    resolve_begin: float | None = None
    resolve_end: float | None = None
    connect_begin: float | None = None
    connect_end: float | None = None
    tls_begin: float | None = None
    tls_end: float | None = None
    written: float | None = None

    def __init__(self, begin: float) -> None:
        self.begin = begin

    def begin_hop(self, now: float) -> None:
        """Forget the hop before, all but the beginning and how long its phases took."""
        head_at = self.response.head_at if self.response else None
        spent = self._times(now, head_at[0] if head_at else None).phases()
        names = {**self.redirected, **spent}
        redirected = MappingProxyType(
            {name: self.redirected.get(name, 0.0) + spent.get(name, 0.0) for name in names}
        )
        for name in vars(self).keys() - _OF_ALL_HOPS:
            delattr(self, name)
        self.redirected = redirected
        self.redirects += 1

    def _times(self, end: float, first_byte: float | None) -> Times:
        return Times(
            begin=self.begin,
            end=end,
            resolve_begin=self.resolve_begin,
            resolve_end=self.resolve_end,
            connect_begin=self.connect_begin,
            connect_end=self.connect_end,
            tls_begin=self.tls_begin,
            tls_end=self.tls_end,
            written=self.written,
            first_byte=first_byte,
        )

    def finished(self, clock: Callable[[], float], failure: Reason | None, detail: str) -> Exchange:
        """Freeze what was seen, the kernel's times converted."""
        end, response = clock(), self.response
        peer = self.peer or Peer(address=self.address)
        if response is None:
            return Exchange(
                times=self._times(end, None),
                failure=failure,
                detail=detail,
                certificate_expiry_timestamp_seconds=peer.expiry_timestamp_seconds,
                reused=self.reused,
                peer=peer,
                redirects=self.redirects,
                redirected=self.redirected,
            )
        chunks, first_byte, clock_stepped = self._dated(response, clock)
        complete = failure is None and response.done
        if chunks and complete:
            end = max(chunks[-1].at, self.begin, first_byte or self.begin)
        return Exchange(
            times=self._times(end, first_byte),
            status=response.status,
            headers=MappingProxyType(response.headers),
            chunks=chunks,
            failure=failure,
            detail=detail,
            complete=complete,
            certificate_expiry_timestamp_seconds=peer.expiry_timestamp_seconds,
            reused=self.reused,
            merged_reads=response.merged_reads,
            clock_stepped=clock_stepped,
            peer=peer,
            http_version=response.http_version,
            redirects=self.redirects,
            redirected=self.redirected,
        )

    def _dated(
        self, response: Response, clock: Callable[[], float]
    ) -> tuple[tuple[Chunk, ...], float | None, bool]:
        """Return the chunks, when the first byte came, and whether the clock stepped meanwhile."""
        before, head_at = self.offset, response.head_at
        after = None if before is None else kernel.sample(clock)
        clock_stepped = before is not None and after is not None and kernel.stepped(before, after)
        if before is None or after is None or clock_stepped:
            return (
                tuple([Chunk(at=at, data=data) for at, _, data in response.reads]),
                None if head_at is None else head_at[0],
                clock_stepped,
            )
        convert = kernel.converter(before, after, earliest=self.begin)
        chunks = tuple([Chunk(at=convert(at, stamp), data=d) for at, stamp, d in response.reads])
        return chunks, None if head_at is None else convert(*head_at), False
