"""Posts in quarantine, read again: on the database itself, or through the responder that runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from responder.config import Config
from responder.intake import Intake, OverloadedError, Rules
from responder.outbox import addresses
from responder.store import deliveries
from responder.store.engine import StoreError, url_of
from responder.store.store import Store

_CALL_SECONDS = 60.0
_PAGE = 200


class Outcome(StrEnum):
    """What reading a post again came to."""

    READ = "read"
    UNREAD = "unread"
    ABSENT = "absent"


class RequeueError(Exception):
    """Posts cannot be read again as things are: `where: problem; remedy`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requeued:
    """What reading one post again came to: its alerts, and why it still cannot be read."""

    id: str
    outcome: Outcome
    alerts: int = 0
    problem: str = ""

    def line(self) -> str:
        """Say it in a line."""
        if self.outcome is Outcome.READ:
            return f"{self.id}: read, {self.alerts} alerts"
        if self.outcome is Outcome.UNREAD:
            return f"{self.id}: still not read: {self.problem}"
        return f"{self.id}: not in quarantine"


async def read_again(store: Store, intake: Intake, delivery_id: str) -> Requeued:
    """Read one post again; raises OverloadedError and StoreUnavailableError."""
    found = await store.read(lambda database: deliveries.unread(database, delivery_id))
    if found is None:
        return Requeued(id=delivery_id, outcome=Outcome.ABSENT)
    taken = await intake.again(delivery_id)
    outcome = Outcome.READ if taken.problem is None else Outcome.UNREAD
    return Requeued(
        id=delivery_id, outcome=outcome, alerts=len(taken.alerts), problem=taken.problem or ""
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """What is to be read again: the posts named, or all; `url` is a responder's that runs.

    `directory` is where a relative path to the database counts from, `password` goes with the
    user that the URL names.
    """

    ids: Sequence[str]
    is_all: bool
    config: Config
    directory: Path
    url: str | None
    default_url: str
    password: str | None = None


async def run(errand: Errand, say: Callable[[str], None]) -> int:
    """Read posts again and say what came of each; gives the exit code, 1 when any is left.

    Raises RequeueError. Without a URL the database itself is used; when it cannot be opened,
    which is so while a responder holds a SQLite file, the responder at the default address.
    """
    outcomes: Counter[Outcome] = Counter()
    try:
        async for each in _requeued(errand, say):
            outcomes[each.outcome] += 1
            say(each.line())
    except OverloadedError as error:
        raise RequeueError(str(error)) from error
    except StoreError as error:
        raise RequeueError(f"{error}; or name the responder that runs with --url") from error
    read, unread, absent = (outcomes[each] for each in Outcome)
    say(f"{read} read, {unread} still not read, {absent} not in quarantine")
    return 1 if unread or absent else 0


async def _requeued(errand: Errand, say: Callable[[str], None]) -> AsyncIterator[Requeued]:
    url = errand.url
    if url is None:
        try:
            store = Store(url_of(errand.config.database_location(), errand.directory))
        except StoreError:
            if not await _answers(errand.default_url):
                raise
            url = errand.default_url
        else:
            with store:
                async for each in _on_database(errand, store):
                    yield each
            return
    say(f"through the responder at {URL(url).with_user(None)}")
    async for each in _through(errand, url):
        yield each


async def _on_database(errand: Errand, store: Store) -> AsyncIterator[Requeued]:
    config = errand.config
    rules = Rules(
        policy=config.policy(),
        channels=addresses(config.channels),
        pending_limit=config.limits.pending_investigations,
    )
    # Who runs on this database, now or later, finds the work there.
    intake = Intake(store, lambda: rules, clock=time.time, wake=lambda: None)
    ids = await store.read(deliveries.unread_ids) if errand.is_all else errand.ids
    for delivery_id in ids:
        yield await read_again(store, intake, delivery_id)


async def _answers(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(URL(url) / "-/healthy") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _through(errand: Errand, url: str) -> AsyncIterator[Requeued]:
    place = URL(url)
    headers = dict[str, str]()
    if place.user:
        headers["Authorization"] = aiohttp.encode_basic_auth(place.user, errand.password or "")
    timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        asked = _Asked(session, place.with_user(None))
        for delivery_id in await asked.unread() if errand.is_all else errand.ids:
            yield await asked.read_again(delivery_id)


class _Asked:
    """A responder that runs, by its API."""

    def __init__(self, session: aiohttp.ClientSession, url: URL) -> None:
        self._session = session
        self._url = url

    async def unread(self) -> Sequence[str]:
        """Give the ids of all posts in quarantine, the oldest first."""
        found: list[str] = []
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._call("GET", "api/v1/quarantine", params=query)
            found += [post["id"] for post in page["posts"] if post["requeued_at"] is None]
            if page["next"] is None:
                return found[::-1]
            query = {"limit": str(_PAGE), "before": page["next"]}

    async def read_again(self, delivery_id: str) -> Requeued:
        """Have it read one post again."""
        told = await self._call("POST", "api/v1/quarantine/requeue", json={"id": delivery_id})
        return Requeued(
            id=told["id"],
            outcome=Outcome(told["outcome"]),
            alerts=told["alerts"],
            problem=told["problem"],
        )

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            async with self._session.request(method, self._url / path, **options) as answer:
                if answer.status == 200:
                    return await answer.json()
                text = (await answer.text())[:200].strip()
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = f"{self._url}: {error or type(error).__name__}"
            raise RequeueError(f"{problem}; is a responder there?") from error
        remedy = {
            401: "give a user in --url and --password-file",
            404: "that responder is too old, or is none",
        }.get(answer.status, "try again later")
        raise RequeueError(f"{self._url}: answered {answer.status} {text}; {remedy}")
