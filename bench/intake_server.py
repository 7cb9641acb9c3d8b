"""The responder's webhook alone, storing or only reading: what the intake figure measures."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import cast

import uvloop

from responder.collector import collect_rarely
from responder.incident import Policy
from responder.intake import Intake, Rules, Taken
from responder.metrics import Metrics
from responder.store.store import Store
from responder.web.webhooks import Webhooks
from responder.webhook_v4 import read_delivery
from toolkit.web import application, load_web_config, serve

_RULES = Rules(policy=Policy(quiet_seconds=3600), channels=("log",), pending_limit=10**9)


class _Reader:
    """Reads a post as intake does, and stores nothing."""

    async def alerts(self, body: bytes) -> Taken:
        """Give what the post says."""
        reading = read_delivery(body, time.time())
        return Taken(alerts=reading.delivery.alerts)


async def run(database: str | None) -> None:
    """Serve until the process is ended; prints the port."""
    web = load_web_config(None, {})
    app = application(ready=lambda: True, reload=None, web=web)
    with ExitStack() as stack:
        intake = cast("Intake", _Reader())
        if database is not None:
            store = stack.enter_context(Store(database))
            intake = Intake(store, lambda: _RULES, clock=time.time, wake=lambda: None)
        Webhooks(
            intake,
            Metrics(version="bench"),
            tokens=lambda: (),
            body_deadline_seconds=lambda: 30.0,
        ).register(app)
        async with serve(app, ["127.0.0.1:0"], web) as addresses:
            collect_rarely()
            print(addresses[0].rpartition(":")[2], flush=True)
            await asyncio.Event().wait()


def main(database: str | None) -> None:
    """Serve under uvloop, as the program does."""
    uvloop.run(run(database))
