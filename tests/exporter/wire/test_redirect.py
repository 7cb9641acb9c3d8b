"""Where a redirect leads."""

from __future__ import annotations

import pytest

from exporter.wire.failure import FailedError
from exporter.wire.redirect import destination, keeps_method, without


@pytest.mark.parametrize(
    ("location", "url", "other"),
    [
        ("/b", "https://h/b", False),
        ("c?d=e", "https://h/x/c?d=e", False),
        ("//g/b", "https://g/b", True),
        ("https://h:444/", "https://h:444/", True),
    ],
)
def test_a_location_may_be_relative(location: str, url: str, other: bool) -> None:  # noqa: FBT001 - a column
    """Another port is another origin."""
    assert destination("https://h/x/y", location) == (url, other)


@pytest.mark.parametrize("location", ["http://h/", "ftp://h/", "file:///etc", "https://[", "http:"])
def test_a_redirect_does_not_leave_https(location: str) -> None:
    """Nor does it go to another scheme, or nowhere."""
    with pytest.raises(FailedError):
        destination("https://h/x", location)


def test_credentials_stay_and_bodies_go() -> None:
    """Private headers are for one origin; 307 and 308 keep a method, others only GET's."""
    given = {"Authorization": "a", "X-Key": "b", "Accept": "c"}
    assert without(given, frozenset({"authorization", "x-key"})) == {"Accept": "c"}
    assert keeps_method(307, "POST")
    assert not keeps_method(302, "POST")
    assert keeps_method(302, "HEAD")
