"""BARO and N-Sigma as published, in their own environment, on made-up cases."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from responder.evaluation import peers
from responder.evaluation.cases import read_cases
from tests.responder.evaluation.folders import label, recording, write

pytestmark = pytest.mark.peers


def test_the_published_rankers_name_the_culprit(tmp_path: Path) -> None:
    """Both put the service that moved first, gaps and memory in bytes or not."""
    arrays = recording("mill", 1)
    arrays["X"][3:9, 0] = float("nan")
    folder = write(
        tmp_path,
        {
            "one": (arrays, label("mill")),
            "two": (recording("well", 2), label("well")),
        },
    )
    environment = peers.environment(os.environ)
    peers.install(environment, sys.stderr.write)
    found = peers.orders(environment, read_cases(folder))
    for name in peers.NAMES:
        assert {case: order[0] for case, order in found[name].items()} == {
            "one": "mill",
            "two": "well",
        }
