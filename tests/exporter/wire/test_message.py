"""A request's bytes."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.wire.failure import FailedError
from exporter.wire.message import message


def written(method: str = "GET", **given: Any) -> list[str]:
    """Write a request; return its head's lines."""
    usual: dict[str, Any] = {"headers": {}, "body": b"", "keep": False}
    text = message(method, "/x", "h:1", **(usual | given))
    head, end, _ = text.partition(b"\r\n\r\n")
    assert end
    return head.decode().split("\r\n")


def test_a_request_names_its_host_and_its_end() -> None:
    """The connection is closed unless it is kept; a POST without a body says that it has none."""
    lines = written()
    assert lines[:2] == ["GET /x HTTP/1.1", "Host: h:1"]
    assert "Connection: close" in lines
    assert "Connection: close" not in written(keep=True)
    assert "Content-Length: 0" in written("POST")
    assert "Content-Length: 3" in written(body=b"abc")


def test_headers_that_are_given_stand_in_for_ours() -> None:
    """Whatever their case."""
    lines = written(headers={"user-AGENT": "mine", "Accept": "text/plain"})
    assert [each for each in lines if each.lower().startswith("user-agent")] == ["user-AGENT: mine"]
    assert [each for each in lines if each.startswith("Accept:")] == ["Accept: text/plain"]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0b"])
def test_a_value_cannot_become_another_header(value: str) -> None:
    """A line break in a value, as a secret's file may bring it, is refused."""
    with pytest.raises(FailedError):
        written(headers={"Authorization": value})
