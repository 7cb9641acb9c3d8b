"""A store on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.store.engine import url_of
from responder.store.store import Store


@pytest.fixture
def url(database_url: str) -> str:
    """Give the URL of a database without tables, as the responder opens it."""
    return url_of(database_url, Path())


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Open a new store."""
    with Store(url) as opened:
        yield opened
