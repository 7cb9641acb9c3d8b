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
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from responder.ceilings import Ceilings
from responder.channel import Channel
from responder.comparison import Comparison
from responder.config import Config
from responder.directory import Directory, following
from responder.dispatcher import Dispatcher
from responder.durable import Engine
from responder.intake import Intake, Rules
from responder.lasting import refuse_lasting
from responder.late import Late
from responder.ledger import Ledger, StoredBooks
from responder.metrics import Metrics, Writes
from responder.outbox import Couriers, addresses
from responder.patrol.patrol import Patrol
from responder.replica import Replica, new_presence
from responder.retention import Ages, Retention
from responder.store.engine import StoreUnavailableError, url_of
from responder.store.snapshot import Observer
from responder.store.store import Store
from responder.web.api import Api
from responder.web.pages import Pages
from responder.web.requeuing import Requeuing
from responder.web.rounds import Rounds
from responder.web.spending import Spending
from responder.web.verdicts import Verdicts
from responder.web.webhooks import Webhooks
from responder.workflows import Arrangement, Inquiry, Investigation
from toolkit.lifecycle import Supervisor
from toolkit.problem import ConfigError
from toolkit.secrets import Secret
from toolkit.web import WebConfig, application, serve

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What an investigation may use; `model_called` is told of each call: model and outcome.

    Without a ledger the ceilings of a model hold for each analyst by itself; without a store its
    turns are not journalled.
    """

    session: aiohttp.ClientSession
    clock: Callable[[], float]
    model_called: Callable[[str, str], None]
    ledger: Ledger | None = None
    metrics: Metrics | None = None
    store: Store | None = None


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
    directory: Directory | None = None

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

    def addresses(self) -> tuple[str, ...]:
        """Give every destination of every channel, as the outbox is told of them."""
        return addresses(self.config.channels)

    def rules(self) -> Rules:
        """Give what intake goes by now."""
        components = self.directory.components if self.directory else {}
        return Rules(
            policy=replace(self.config.policy(), components=components),
            channels=self.addresses(),
            pending_limit=self.config.limits.pending_investigations,
        )

    def arrangement(self) -> Arrangement:
        """Give what investigations go by now."""
        return Arrangement(
            investigation=self.investigation,
            channels=self.addresses(),
            stage_seconds=self.config.limits.stage,
            investigation_seconds=self.config.limits.investigation,
            policy=self.config.policy(),
        )

    def ages(self) -> Ages:
        """Give how long what is over is kept."""
        kept = self.config.retention
        return Ages(kept.incidents, kept.bodies, kept.interval)

    def page_url(self, incident_id: str) -> str:
        """Give the page of an incident."""
        return f"{self.config.external_url}/incidents/{incident_id}"

    def tokens(self) -> Sequence[Secret]:
        """Give the tokens that open the webhooks."""
        return self.config.webhook.bearer

    def body_deadline_seconds(self) -> float:
        """Give how long a post may take to arrive."""
        return self.config.limits.body_deadline

    def ceilings(self) -> Ceilings | None:
        """Give the ceilings on what a model may cost, None where none is asked."""
        return getattr(self.config.analyst, "ceilings", None)

    def runbooks(self) -> tuple[Path, ...]:
        """Give the folders of the runbooks."""
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
    replica: Replica
    retention: Retention
    observer: Observer = field(default_factory=Observer)
    addresses: tuple[str, ...] = ()
    is_ready: bool = False

    async def start(self) -> None:
        """Spawn the workers and couriers."""
        await self._give_up_gone()
        self.supervisor.spawn("loop watch", self.metrics.watch_loop)
        for number in range(self.current.config.concurrency):
            self.supervisor.spawn(f"investigator {number}", self.dispatcher.work)
        self.supervisor.spawn("investigator of criticals", self.dispatcher.urgent_work)
        self.supervisor.spawn("heartbeat", self.replica.run)
        self.current.directory = following(self.surroundings.session, self.current)
        self.supervisor.spawn("directory", self.current.directory.run)
        self.supervisor.spawn("retention", self.retention.run)
        self.supervisor.spawn("outbox sweep", self.couriers.sweep, self.current.addresses)
        for channel in self.current.config.channels:
            self._start_courier(channel)

    def _start_courier(self, channel: Channel) -> None:
        self.supervisor.spawn(f"courier {channel.name}", self.couriers.run, channel)

    async def reload(self) -> None:
        """Read the configuration again and go by it; raises ConfigError and keeps the old one."""
        try:
            config = self.startup.read()
            refuse_lasting(self.current.config, config)
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
        try:
            await self.couriers.give_up(self.current.addresses())
        except StoreUnavailableError as error:
            log.warning("messages for gone channels not given up", problem=str(error))

    async def expose(self, request: web.Request) -> web.StreamResponse:
        """Answer a scrape."""
        now = self.startup.clock()
        self.metrics.snapshot = None  # an old one would look like now
        channels = self.metrics.channels = self.current.channel_names
        self.metrics.ceilings = self.current.ceilings()
        with suppress(StoreUnavailableError):  # what is known without the store is worth a scrape
            self.metrics.snapshot = await self.store.read(
                lambda database: self.observer.take(database, now, has_channels=bool(channels))
            )
        self.metrics.writes = Writes(
            waiting=self.store.waiting(), oldest_age_seconds=self.store.oldest_age_seconds()
        )
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
            Store(url_of(config.database_location(), startup.directory), waiting_limit=limit)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        metrics = Metrics(version=startup.version)
        store.observe(metrics.committed)
        surroundings = Surroundings(
            session=session,
            clock=startup.clock,
            model_called=metrics.model_called,
            ledger=Ledger(StoredBooks(store, startup.clock), refused=metrics.ceiling_reached),
            metrics=metrics,
            store=store,
        )
        opened = AsyncExitStack()
        investigation = await opened.enter_async_context(startup.build(config, surroundings))
        current = Current(config=config, investigation=investigation, opened=opened)
        stack.push_async_callback(current.close)
        responder, engine = _assembled(startup, current, store, metrics, surroundings)
        await responder.replica.arrive()
        stack.push_async_callback(responder.replica.leave)
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
    settings = current.config.replica
    presence = new_presence(
        settings.name or startup.addresses[0], startup.version, settings.dead_after
    )
    replica = Replica(store, presence, heartbeat_seconds=settings.heartbeat)
    couriers = Couriers(
        store,
        session,
        metrics,
        clock=clock,
        page_url=current.page_url,
        replica_id=replica.id,
        is_alone=replica.is_alone,
    )
    inquiry = Inquiry(
        store,
        current.arrangement,
        metrics,
        clock=clock,
        reported=couriers.wake,
        replica_id=replica.id,
    )
    engine = Engine(store.workflows_url, inquiry.run, replica_id=replica.id)
    dispatcher = Dispatcher(
        store,
        engine,
        inquiry,
        metrics,
        clock=clock,
        replica_id=replica.id,
        look_every_seconds=replica.look_every_seconds,
    )
    responder = Responder(
        startup=startup,
        current=current,
        surroundings=surroundings,
        store=store,
        metrics=metrics,
        supervisor=Supervisor(),
        couriers=couriers,
        dispatcher=dispatcher,
        replica=replica,
        retention=Retention(
            store,
            current.ages,
            clock=clock,
            replica_id=replica.id,
            forget=engine.forget,
            told=metrics.cleared_away,
        ),
    )
    return responder, engine


def _web(responder: Responder) -> web.Application:
    startup, current, store = responder.startup, responder.current, responder.store
    app = application(ready=lambda: responder.is_ready, reload=responder.reload, web=startup.web)

    def wake() -> None:
        responder.dispatcher.wake()
        responder.couriers.wake()

    intake = Intake(store, current.rules, clock=startup.clock, wake=wake)
    comparison = Comparison(
        store,
        Late(intake, clock=startup.clock),
        responder.surroundings.session,
        responder.metrics,
        settings=lambda: current.config.comparison,
        sources=lambda: current.config.sources,
        clock=startup.clock,
        replica_id=responder.replica.id,
    )
    responder.supervisor.spawn("comparison", comparison.run)
    responder.supervisor.spawn("patrol", _patrol(responder).run)
    Webhooks(
        intake,
        responder.metrics,
        tokens=current.tokens,
        body_deadline_seconds=current.body_deadline_seconds,
    ).register(app)
    Api(store).register(app)
    Requeuing(store, intake).register(app)
    Verdicts(store, clock=startup.clock).register(app)
    Pages(store, runbooks=current.runbooks).register(app)
    Rounds(store).register(app)
    Spending(store, current.ceilings, clock=startup.clock).register(app)
    app.router.add_get("/metrics", responder.expose)
    return app


def _patrol(responder: Responder) -> Patrol:
    current = responder.current
    return Patrol(
        responder.store,
        responder.surroundings.session,
        responder.metrics,
        settings=lambda: current.config.patrol,
        sources=lambda: current.config.sources,
        page_url=lambda: current.config.external_url,
        clock=responder.startup.clock,
        replica_id=responder.replica.id,
    )
