"""What the lab's tests share: components served in-process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.servers import Client, Servers


@pytest.fixture
def servers(aiohttp_client: Client, tmp_path: Path) -> Servers:
    """Serve components in the test's own process."""
    return Servers(client=aiohttp_client, certs_dir=tmp_path / "certs")
