"""Stages with one analyst and no source, for tests."""

from __future__ import annotations

from responder.investigation.analyst import Analyst
from responder.investigation.stages import Limits, Stages
from responder.source import Topology
from tests.responder.investigation.laid import NOBODY


def staged(analyst: Analyst) -> Stages:
    """Make them."""
    return Stages(
        sources=(),
        topology=Topology(),
        analysts=(analyst,),
        session=NOBODY,
        limits=Limits(),
        clock=lambda: 1.0,
    )
