"""What the tests of single parts share: a watcher on the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.wire.watch import Watcher


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    """Make a watcher."""
    made = Watcher(asyncio.get_running_loop())
    yield made
    made.close()
