"""Slow, simple readers of server-sent events and HTTP/1.1, written from the standards alone.

They take whole bytes, one at a time where it matters, and share nothing with the product.
"""

from __future__ import annotations

from dataclasses import dataclass


def sse(data: bytes) -> list[str]:
    """Return the data of each whole event, as the HTML standard's section 9.2.6 says.

    What the end of the stream leaves open is discarded, as there.
    """
    told: list[str] = []
    fields: list[str] = []
    for line in _lines(data.decode("utf-8", "replace").removeprefix("\ufeff")):
        if line == "":
            if fields:
                told.append("\n".join(fields))
            fields = []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            fields.append(value.removeprefix(" "))
    return told


def _lines(text: str) -> list[str]:
    """Return the lines that have an end."""
    lines, line, index = [], "", 0
    while index < len(text):
        if text[index] in "\r\n":
            lines.append(line)
            line = ""
            index += text[index : index + 2] == "\r\n"
        else:
            line += text[index]
        index += 1
    return lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A final response: interim ones, trailers and chunk extensions are left out."""

    status: int
    headers: dict[str, str]
    body: bytes


def http(data: bytes) -> Told:
    """Read a well-formed response to a GET, as RFC 9112 says; its end is the connection's."""
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    status = int(first.split(b" ")[1])
    if 100 <= status < 200:
        return http(rest)
    headers: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition(b":")
        key, text = name.decode("ascii").lower(), value.strip(b" \t").decode()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    if status in {204, 304}:
        return Told(status=status, headers=headers, body=b"")
    if "chunked" in headers.get("transfer-encoding", ""):
        return Told(status=status, headers=headers, body=_dechunked(rest))
    if "content-length" in headers:
        return Told(status=status, headers=headers, body=rest[: int(headers["content-length"])])
    return Told(status=status, headers=headers, body=rest)


def _dechunked(rest: bytes) -> bytes:
    body = b""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return body
        body, rest = body + rest[:size], rest[size + 2 :]
