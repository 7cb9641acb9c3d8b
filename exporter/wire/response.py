"""Reading one response: httptools parses, and limits are held to here."""

from __future__ import annotations

from collections.abc import Callable

import httptools

from exporter.target import Reason
from exporter.wire.decode import decoder, too_large
from exporter.wire.failure import FailedError

HEAD_LIMIT_BYTES = 1 << 16
_FRAMING_PER_BODY_BYTE = 8
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n")

Read = tuple[float, float | None, bytes]
"""One read of the body: when it was read, when the kernel received it, decoded data."""


class Response:
    """What one response has come to so far; `feed` and `end` raise FailedError."""

    # What holds until something comes; one is made for each exchange.
    _decode: Callable[[bytes], bytes] | None = None
    _fed_bytes = 0
    _body_bytes = 0
    _framed = False
    _refused: FailedError | None = None
    status: int | None = None
    merged_reads = 0
    head_at: tuple[float, float | None] | None = None
    done = False
    reusable = False
    http_version = ""
    """The version that the far end speaks, e.g. 1.1."""

    def __init__(
        self, *, method: str, limit_bytes: int, heard: Callable[[bytes], bool] | None
    ) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headless = method == "HEAD"
        self._limit_bytes = limit_bytes
        self._heard = heard
        self._pieces: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.reads: list[Read] = []

    def feed(self, data: bytes, at: float, stamp: float | None) -> None:
        """Take what a read brought."""
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise FailedError(Reason.PROTOCOL, "the answer switches protocols") from None
        except httptools.HttpParserError:
            if self._refused is not None:
                raise self._refused from None
            if not self.done:
                raise FailedError(Reason.PROTOCOL, "the answer is not HTTP") from None
            self.reusable = False
        if self.status is not None and self.head_at is None:
            self.head_at = (at, stamp)
        if self._pieces:
            self._take_body(at, stamp)
        if self._fed_bytes > HEAD_LIMIT_BYTES:
            self._hold_to_limits()

    def _hold_to_limits(self) -> None:
        framing_bytes = self._fed_bytes - self._body_bytes
        if self.head_at is None and framing_bytes > HEAD_LIMIT_BYTES:
            raise FailedError(Reason.PROTOCOL, f"the head is over {HEAD_LIMIT_BYTES} bytes")
        if framing_bytes > HEAD_LIMIT_BYTES * 2 + _FRAMING_PER_BODY_BYTE * self._body_bytes:
            raise FailedError(Reason.PROTOCOL, "the body is mostly framing")

    def _take_body(self, at: float, stamp: float | None) -> None:
        raw = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._body_bytes > self._limit_bytes:
            raise too_large(self._limit_bytes)
        data = raw if self._decode is None else self._decode(raw)
        if data:
            self.reads.append((at, stamp, data))
        if self._heard is not None:
            self.merged_reads += any(data.count(end) > 1 for end in _EVENT_ENDS)
            if self._heard(data) and not self.done:
                self.done, self.reusable = True, False

    def end(self) -> None:
        """Take the connection's end."""
        if self.done:
            return
        if self.head_at is None:
            raise FailedError(Reason.PROTOCOL, "closed before an answer")
        if self._framed:
            raise FailedError(Reason.PROTOCOL, "the body ended before its length")
        self.done = True

    def close(self) -> None:
        """Take nothing more; the parser holds this too, and would wait for the collector."""
        del self._parser

    def on_message_begin(self) -> None:
        """Note an answer to nothing that was asked; it is not read, nor is anything after it."""
        if self.done:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, one that comes again joined to the first; trailers are none."""
        if self.status is None:
            key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Read what the head says of the body."""
        if self.done:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.headers.clear()
            return
        self.status, self.http_version = status, self._parser.get_http_version()
        self._framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        if self._headless:
            self.done = True
            return
        try:
            self._decode = decoder(self.headers.get("content-encoding", ""), self._limit_bytes)
        except FailedError as error:
            self._refused = error
            raise

    def on_body(self, data: bytes) -> None:
        """Keep a piece until the read's end."""
        if self.done:
            return
        self._body_bytes += len(data)
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end; an interim answer (1xx) is none."""
        if self.status is not None and not self.done:
            self.done = True
            self.reusable = self._parser.should_keep_alive()
