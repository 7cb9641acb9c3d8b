"""The check header: present or not, matching or not."""

from __future__ import annotations

import pytest

from exporter.checks.header import Header
from exporter.target import Observation

SEEN = Observation(headers={"x-colour": "blue", "set-cookie": "a=1, b=2"})


@pytest.mark.parametrize(
    ("check", "held"),
    [
        (Header(name="X-Colour"), True),
        (Header(name="X-Colour", pattern="^b"), True),
        (Header(name="X-Colour", pattern="red"), False),
        (Header(name="X-Colour", pattern="red", matches=False), True),
        (Header(name="Set-Cookie", pattern="b=2", matches=False), False),
        (Header(name="X-None"), False),
        (Header(name="X-None", matches=False), False),
        (Header(name="X-None", may_be_missing=True), True),
    ],
)
def test_header(check: Header, held: bool) -> None:  # noqa: FBT001 - a column
    """A header is found in any letters' case, and one that is missing is wrong unless it may be."""
    assert check.examine(SEEN).passed is held
