"""What scrapers ask for: the format, and whether it is compressed."""

from __future__ import annotations

import pytest

from exporter.negotiation import wants_gzip, wants_openmetrics


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/html, */*;q=0.8", False),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", True),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            True,
        ),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.1", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=x", False),
        (";;;,,,q=1", False),
    ],
)
def test_format_is_negotiated(accept: str, openmetrics: bool) -> None:  # noqa: FBT001 - a column
    """OpenMetrics 1.0 is given when it is asked for at least as much as text."""
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0.2, identity;q=0.5", False),
        ("gzip;q=x", False),
        ("br, zstd", False),
    ],
)
def test_compression_is_negotiated(accept_encoding: str, gzip: bool) -> None:  # noqa: FBT001 - a column
    """Gzip is given where it is wanted no less than plain text, and never where it is refused."""
    assert wants_gzip(accept_encoding) is gzip
