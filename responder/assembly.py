"""Builds the responder from its configuration and runs it for the time of a context."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from responder.channel import Channel
from responder.config import Config
from responder.dispatcher import Dispatcher
from responder.durable import Engine
from responder.intake import Intake, Rules
from responder.metrics import Metrics
from responder.outbox import Couriers
from responder.store import outbox, snapshot
from responder.store.engine import StoreUnavailableError, url_of
from responder.store.store import Store
from responder.web.api import Api
from responder.web.pages import Pages
from responder.web.webhooks import Webhooks
from responder.workflows import Arrangement, Inquiry, Investigation
from toolkit.lifecycle import Supervisor
from toolkit.problem import ConfigError, Problem
from toolkit.secrets import Secret
from toolkit.web import WebConfig, application, serve

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What an investigation may use; `model_called` is told of each call: model and outcome."""

    session: aiohttp.ClientSession
    clock: Callable[[], float]
    model_called: Callable[[str, str], None]


Build = Callable[[Config, Surroundings], AbstractAsyncContextManager[Investigation]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Startup:
    """What a responder is started with.

    `read` reads the configuration, at the start and at each reload; relative paths count from
    `directory`; `build` opens the investigation that a configuration describes.
    """

    read: Callable[[], Config]
    directory: Path
    addresses: Sequence[str]
    web: WebConfig
    version: str
    build: Build
    clock: Callable[[], float] = time.time


@dataclass(kw_only=True, slots=True)
class Current:
    """What a reload replaces; the parts that go by it ask for it each time.

    `opened` closes the investigation.
    """

    config: Config
    investigation: Investigation
    opened: AsyncExitStack

    async def follow(
        self, config: Config, investigation: AbstractAsyncContextManager[Investigation]
    ) -> None:
        """Go by *config* from now on; what the old investigation held is closed."""
        opened = AsyncExitStack()
        self.investigation = await opened.enter_async_context(investigation)
        self.config = config
        before, self.opened = self.opened, opened
        await before.aclose()

    async def close(self) -> None:
        """Close the investigation."""
        await self.opened.aclose()

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The names of the channels."""
        return tuple(channel.name for channel in self.config.channels)

    def rules(self) -> Rules:
        """Give what intake goes by now."""
        return Rules(
            policy=self.config.policy(),
            channels=self.channel_names,
            pending_limit=self.config.limits.pending_investigations,
        )

    def arrangement(self) -> Arrangement:
        """Give what investigations go by now."""
        return Arrangement(
            investigation=self.investigation,
            channels=self.channel_names,
            stage_seconds=self.config.limits.stage,
            investigation_seconds=self.config.limits.investigation,
        )

    def page_url(self, incident_id: str) -> str:
        """Give the page of an incident."""
        return f"{self.config.external_url}/incidents/{incident_id}"

    def tokens(self) -> Sequence[Secret]:
        """Give the tokens that open the webhooks."""
        return self.config.webhook.bearer

    def body_deadline_seconds(self) -> float:
        """Give how long a post may take to arrive."""
        return self.config.limits.body_deadline

    def runbooks(self) -> Path | None:
        """Give the folder of the runbooks."""
        return self.config.runbooks()


@dataclass(kw_only=True, slots=True)
class Responder:
    """The running program."""

    startup: Startup
    current: Current
    surroundings: Surroundings
    store: Store
    metrics: Metrics
    supervisor: Supervisor
    couriers: Couriers
    dispatcher: Dispatcher
    addresses: tuple[str, ...] = ()
    is_ready: bool = False

    async def start(self) -> None:
        """Spawn the workers and couriers."""
        await self._give_up_gone()
        for number in range(self.current.config.concurrency):
            self.supervisor.spawn(f"investigator {number}", self.dispatcher.work)
        for channel in self.current.config.channels:
            self._start_courier(channel)

    def _start_courier(self, channel: Channel) -> None:
        self.supervisor.spawn(f"courier {channel.name}", self.couriers.run, channel)

    async def reload(self) -> None:
        """Read the configuration again and go by it; raises ConfigError and keeps the old one."""
        try:
            config = self.startup.read()
            _refuse_lasting(self.current.config, config)
        except ConfigError:
            self.metrics.reload_successful.set(0)
            raise
        names = self.current.channel_names
        await self.current.follow(config, self.startup.build(config, self.surroundings))
        await self.supervisor.stop(*(f"courier {name}" for name in names))
        await self._give_up_gone()
        for channel in config.channels:
            self._start_courier(channel)
        self.metrics.reload_successful.set(1)
        log.info("configuration reloaded")

    async def _give_up_gone(self) -> None:
        """Give up the messages for channels that the configuration no longer has."""
        names, now = self.current.channel_names, self.startup.clock()
        try:
            count = await self.store.write(lambda database: outbox.give_up(database, names, now))
        except StoreUnavailableError as error:
            log.warning("messages for gone channels not given up", problem=str(error))
            return
        if count:
            log.warning("messages for gone channels given up", messages=count)

    async def expose(self, request: web.Request) -> web.StreamResponse:
        """Answer a scrape."""
        now = self.startup.clock()
        self.metrics.snapshot = None  # an old one would look like now
        with suppress(StoreUnavailableError):  # what is known without the store is worth a scrape
            self.metrics.snapshot = await self.store.read(
                lambda database: snapshot.take(database, now)
            )
        self.metrics.channels = self.current.channel_names
        self.metrics.deaths = self.supervisor.deaths()
        body, content_type = self.metrics.expose(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


@asynccontextmanager
async def running(startup: Startup) -> AsyncIterator[Responder]:
    """Run a responder until the context ends; raises ConfigError or StoreError before it begins."""
    config = startup.read()
    async with AsyncExitStack() as stack:
        limit = config.limits.waiting_posts
        store = stack.enter_context(
            Store(url_of(config.database, startup.directory), waiting_limit=limit)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        metrics = Metrics(version=startup.version)
        surroundings = Surroundings(
            session=session, clock=startup.clock, model_called=metrics.model_called
        )
        opened = AsyncExitStack()
        investigation = await opened.enter_async_context(startup.build(config, surroundings))
        current = Current(config=config, investigation=investigation, opened=opened)
        stack.push_async_callback(current.close)
        responder, engine = _assembled(startup, current, store, metrics, surroundings)
        await stack.enter_async_context(engine)
        await stack.enter_async_context(responder.supervisor)
        await responder.start()
        app = _web(responder)
        responder.addresses = await stack.enter_async_context(
            serve(app, startup.addresses, startup.web)
        )
        responder.is_ready = True
        log.info("listening", addresses=responder.addresses, version=startup.version)
        yield responder


def _assembled(
    startup: Startup,
    current: Current,
    store: Store,
    metrics: Metrics,
    surroundings: Surroundings,
) -> tuple[Responder, Engine]:
    clock, session = surroundings.clock, surroundings.session
    couriers = Couriers(store, session, metrics, clock=clock, page_url=current.page_url)
    inquiry = Inquiry(store, current.arrangement, metrics, clock=clock, reported=couriers.wake)
    engine = Engine(store.workflows_url, inquiry.run)
    responder = Responder(
        startup=startup,
        current=current,
        surroundings=surroundings,
        store=store,
        metrics=metrics,
        supervisor=Supervisor(),
        couriers=couriers,
        dispatcher=Dispatcher(store, engine, inquiry, metrics, clock=clock),
    )
    return responder, engine


def _web(responder: Responder) -> web.Application:
    startup, current, store = responder.startup, responder.current, responder.store
    app = application(ready=lambda: responder.is_ready, reload=responder.reload, web=startup.web)

    def wake() -> None:
        responder.dispatcher.wake()
        responder.couriers.wake()

    intake = Intake(store, current.rules, clock=startup.clock, wake=wake)
    Webhooks(
        intake,
        responder.metrics,
        tokens=current.tokens,
        body_deadline_seconds=current.body_deadline_seconds,
    ).register(app)
    Api(store).register(app)
    Pages(store, runbooks=current.runbooks).register(app)
    app.router.add_get("/metrics", responder.expose)
    return app


def _refuse_lasting(before: Config, after: Config) -> None:
    """Refuse the changes that a running program cannot follow."""
    lasting = {
        "database": (before.database, after.database),
        "concurrency": (before.concurrency, after.concurrency),
        "limits.waiting_posts": (before.limits.waiting_posts, after.limits.waiting_posts),
    }
    problems = [
        Problem(
            place="reload",
            path=path,
            problem="cannot change while the program runs",
            remedy="restart it",
        )
        for path, (old, new) in lasting.items()
        if old != new
    ]
    if problems:
        raise ConfigError(problems)
