"""What the tests of the investigation share: an analyst before the stand-in, and its logs."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.mistral.server import StandIn
from responder.investigation.mistral import (
    Means,
    MistralAnalyst,
    MistralSettings,
    Observers,
)
from responder.investigation.turns import Journal
from tests.responder.investigation.desk import KEY, MODEL, Desk, Seat, Time
from toolkit.secrets import Secret


@pytest.fixture
async def seat() -> AsyncIterator[Seat]:
    """Give a function that sets an analyst before a stand-in, with changed settings."""
    opened: list[tuple[MistralAnalyst, TestServer]] = []

    async def sit(
        app: web.Application | None = None,
        means: Means | None = None,
        journal: Journal | None = None,
        observers: Observers | None = None,
        **settings: Any,
    ) -> Desk:
        stand_in, time, outcomes = StandIn(key=KEY), Time(), list[tuple[str, str]]()
        server = TestServer(app or stand_in.application())
        await server.start_server(shutdown_timeout=0.1)
        secret = Secret(place="the test", value=KEY)
        given = {"api_key": secret, "model": MODEL, "deadline": "20s", **settings}
        given["server_url"] = f"http://127.0.0.1:{server.port}"
        analyst = MistralAnalyst(
            MistralSettings.model_validate(given),
            observe=lambda model, outcome: outcomes.append((model, outcome)),
            clockwork=time.clockwork(),
            means=means,
            journal=journal,
            observers=observers,
        )
        await analyst.warm_up()
        opened.append((analyst, server))
        return Desk(analyst=analyst, stand_in=stand_in, time=time, outcomes=outcomes)

    yield sit
    for analyst, server in opened:
        await analyst.aclose()
        await server.close()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Give a function that tells all that was logged by anyone, at any level."""
    caplog.set_level(logging.DEBUG)
    lines: list[Any] = []

    def keep(_logger: Any, _name: str, event: Any) -> Any:
        lines.append(dict(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    yield lambda: json.dumps(lines, default=str) + caplog.text
    structlog.configure(**before)
