"""The ground that the chaos tests stand on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.chaos.ground import Ground
from lab.stack.postgres import Cluster


@pytest.fixture
def ground(programs: Mapping[str, Path], tmp_path: Path) -> Ground:
    """Return where scenes on SQLite are set."""
    return Ground(folder=tmp_path, alertmanager=programs["alertmanager"], environ=os.environ)


@pytest.fixture
def shared_ground(ground: Ground, postgresql: Cluster) -> Ground:
    """Return where scenes of three replicas on PostgreSQL are set."""
    ground.cluster = postgresql
    return ground
