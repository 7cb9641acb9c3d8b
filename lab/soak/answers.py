"""What each endpoint of the soak says, as bytes; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is sent, and then: silence on an open connection, or its end whatever is asked for."""

    data: bytes = b""
    hangs: bool = False
    closes: bool = False


def _answer(status: int, body: bytes, kind: str = "text/plain", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Soak\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def _event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {"id": "1", "object": "chat.completion.chunk", "model": "soak-1", "choices": [choice]}
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _stream(events: Iterable[bytes], *, ends: bool = True) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [b"%x\r\n%s\r\n" % (len(each), each) for each in events]
    return head.encode() + b"".join(chunks) + (b"0\r\n\r\n" if ends else b"")


_TOKENS = tuple(_event({"content": text}) for text in ("It ", "is ", "ready"))
_STOP = _event({}, "stop")
_DONE = b"data: [DONE]\n\n"
_ERROR = b'data: {"error": {"message": "engine died", "type": "internal"}}\n\n'

ANSWERS: Mapping[str, Answer] = {
    "page": Answer(data=_answer(200, b"ready\n")),
    "json": Answer(data=_answer(200, b'{"answer": 42}', "application/json")),
    "chat": Answer(data=_stream([*_TOKENS, _STOP, _DONE])),
    "hang": Answer(hangs=True),
    "chat-hang": Answer(hangs=True),
    "chat-stall": Answer(data=_stream(_TOKENS, ends=False), hangs=True),
    "404": Answer(data=_answer(404, b"no such model\n")),
    "401": Answer(data=_answer(401, b"who are you?\n")),
    "429": Answer(data=_answer(429, b"slower, please\n", more="Retry-After: 7\r\n")),
    "503": Answer(data=_answer(503, b"model loads\n")),
    "chat-error": Answer(data=_stream([*_TOKENS[:2], _ERROR])),
    "chat-cut": Answer(data=_stream(_TOKENS[:2])),
    "no-http": Answer(data=b"SSH-2.0-OpenSSH_9.2\r\n", closes=True),
    "short": Answer(data=_answer(200, b"ready" * 100)[:-50], closes=True),
    "long": Answer(data=_answer(200, b"ready " * 4096)),
    "302": Answer(data=_answer(302, b"", more="Location: /elsewhere\r\n")),
    "to-metadata": Answer(
        data=_answer(302, b"", more="Location: http://169.254.169.254/latest/meta-data/\r\n")
    ),
    "no-json": Answer(data=_answer(200, b"<html>ready</html>", "application/json")),
    "other-json": Answer(data=_answer(200, b'{"other": 1}', "application/json")),
    "wrong": Answer(data=_answer(200, b"42\n")),
    "chat-empty": Answer(data=_stream([_STOP, _DONE])),
    "chat-limit": Answer(data=_stream([*_TOKENS[:2], _event({}, "length"), _DONE])),
}
"""By the last part of an endpoint's path; those of another door than the server's are not asked."""
