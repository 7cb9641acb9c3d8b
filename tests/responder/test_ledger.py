"""The ledger: reserved before a call, settled after it, shared by replicas, kept over a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.stack.postgres import Cluster
from responder.ceilings import ALL, Ceiling, Ceilings, Reached, Spent, Sums
from responder.investigation.analyst import AnalystError, CeilingError
from responder.ledger import Books, Ledger, Planned, Slip, StoredBooks, UnsharedBooks, wish
from responder.spend import Price, PriceTable, Usage
from responder.store import spending
from responder.store.engine import StoreUnavailableError, url_of
from responder.store.spending import Wish
from responder.store.store import Store

NOW = 1_700_000_000.0
TABLE = PriceTable(prices={"small": Price(prompt=1.0, output=2.0)}, currency="EUR")
USED = Usage(model="small", prompt_tokens=1000, output_tokens=50)


@dataclass(kw_only=True, slots=True)
class Desk:
    """A ledger in a store, its time, and what it refused."""

    store: Store
    now: float = NOW
    refused: list[tuple[str, str]] = field(default_factory=list)

    def ledger(self) -> Ledger:
        """Give a ledger as a replica has it."""
        books = StoredBooks(self.store, lambda: self.now)
        return Ledger(books, refused=lambda window, model: self.refused.append((window, model)))

    async def sums(self, incident_id: str = "i1") -> Sums:
        """Give what counts now."""
        return await self.store.read(
            lambda database: spending.sums(database, self.now, incident_id)
        )

    async def states(self) -> list[str]:
        """Give the state of each call, the newest first."""
        found = await self.store.read(lambda database: spending.entries(database, 100))
        return [each.state for each in found]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Open a new database of each kind."""
    with Store(url_of(database_url, Path())) as store:
        yield Desk(store=store)


def planned(model: str = "small", *, sent: int = 4000, incident: str = "i1") -> Planned:
    """Return a call that is to be made."""
    return Planned(
        incident_id=incident, model=model, sent_bytes=sent, output_tokens=100, longest_seconds=20
    )


def limited(**windows: Ceiling) -> Ceilings:
    """Return ceilings of these windows alone."""
    return Ceilings.none().model_copy(update=windows)


async def call(ledger: Ledger, ceilings: Ceilings, plan: Planned, used: Usage | None) -> None:
    """Make a call that used so much, None for one of which nothing is heard."""
    async with ledger.call(plan, ceilings, TABLE) as slip:
        slip.usage = used
    await ledger.aclose()


async def failing(ledger: Ledger, error: Exception) -> None:
    """Make a call that ends in an error; a refusal costs nothing."""
    try:
        async with ledger.call(planned(), Ceilings.none(), TABLE) as slip:
            slip.is_unspent = isinstance(error, AnalystError)
            raise error
    finally:
        await ledger.aclose()


async def test_a_call_counts_in_full_while_it_runs_and_as_it_was_after(desk: Desk) -> None:
    """The most that it may cost gives way to what the reply said; its price with it."""
    ledger = desk.ledger()
    async with ledger.call(planned(), Ceilings.none(), TABLE) as slip:
        held = (await desk.sums())["day", ALL]
        assert held.tokens > 4000 + 100
        assert held.price == pytest.approx((held.tokens - 100 + 2 * 100) / 1e6)
        slip.usage = USED
    await ledger.aclose()
    for window in ("incident", "day", "month"):
        for whose in (ALL, "small"):
            assert (await desk.sums())[window, whose] == Spent(tokens=1050, price=0.0011, calls=1)
    assert await desk.states() == [spending.SETTLED]


async def test_what_was_refused_costs_nothing(desk: Desk) -> None:
    """A call that the server turned away gives its reservation back."""
    ledger = desk.ledger()
    with pytest.raises(AnalystError):
        await failing(ledger, AnalystError("refused"))
    assert (await desk.sums())["day", ALL].tokens == 0
    assert await desk.states() == [spending.RELEASED]


async def test_a_call_without_an_end_counts_as_it_likely_was(desk: Desk) -> None:
    """A call that a deadline cuts is not free, and the deadline waits for no database."""
    ledger = desk.ledger()
    with pytest.raises(TimeoutError):
        await failing(ledger, TimeoutError())
    likely = wish(planned(), TABLE).likely_prompt_tokens
    assert (await desk.sums())["day", ALL].tokens == likely + 100
    assert await desk.states() == [spending.ASSUMED]


async def test_a_call_that_is_given_up_before_it_is_made_costs_nothing(desk: Desk) -> None:
    """The deadline passes while its cost is being reserved: nothing stays reserved."""
    ledger = desk.ledger()
    making = asyncio.create_task(call(ledger, Ceilings.none(), planned(), USED))
    await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await ledger.aclose()
    assert (await desk.sums())["day", ALL].tokens == 0
    assert await desk.states() == [spending.RELEASED]


async def test_a_ceiling_stops_the_next_call_and_no_other(desk: Desk) -> None:
    """What does not fit is not made; another incident goes on, and the next day begins anew."""
    ledger = desk.ledger()
    ceilings = limited(incident=Ceiling(tokens=6000))
    await call(
        ledger, ceilings, planned(), Usage(model="small", prompt_tokens=2000, output_tokens=9)
    )
    with pytest.raises(CeilingError, match=r"6000 tokens .2009 spent or reserved.* an incident"):
        await call(ledger, ceilings, planned(), USED)
    await call(ledger, ceilings, planned(incident="i2"), USED)
    assert desk.refused == [("incident", ALL)]
    daily = limited(day=Ceiling(tokens=6000))
    with pytest.raises(CeilingError, match="a day of all models"):
        await call(ledger, daily, planned(), USED)
    desk.now += 86400
    await call(ledger, daily, planned(), USED)


async def test_money_is_limited_where_the_price_is_known(desk: Desk) -> None:
    """A ceiling on price stops the model that has one, and leaves the others to their tokens."""
    ledger = desk.ledger()
    ceilings = limited(month=Ceiling(price=0.004))
    with pytest.raises(CeilingError, match=r"0\.004 in money"):
        await call(ledger, ceilings, planned(), USED)
    await call(
        ledger, ceilings, planned("other"), Usage(model="other", prompt_tokens=9, output_tokens=1)
    )


async def test_replicas_together_never_cross_a_ceiling(desk: Desk) -> None:
    """Of many calls at once, from several processes' ledgers, just as many are made as fit."""
    one = planned(sent=1000)
    each = wish(one, TABLE).prompt_tokens + one.output_tokens
    ceilings = limited(day=Ceiling(tokens=7 * each + each // 2))
    ledgers = [desk.ledger() for _ in range(3)]
    answered = asyncio.Event()
    ended = asyncio.Semaphore(0)

    async def hold(ledger: Ledger) -> bool:
        try:
            async with ledger.call(one, ceilings, TABLE) as slip:
                ended.release()
                await answered.wait()
                slip.usage = Usage(model="small", prompt_tokens=1, output_tokens=1)
        except CeilingError:
            ended.release()
            return False
        return True

    tasks = [asyncio.create_task(hold(ledgers[n % 3])) for n in range(30)]
    for _ in tasks:
        await ended.acquire()
    assert (await desk.sums())["day", ALL].tokens == 7 * each
    answered.set()
    assert sum(await asyncio.gather(*tasks)) == 7
    await asyncio.gather(*(each.aclose() for each in ledgers))


async def test_stores_on_one_server_share_their_ceilings(postgresql: Cluster) -> None:
    """Two stores, as two replicas open them, reserve one after the other."""
    url = url_of(postgresql.url("test_shared_ceilings"), Path())
    one = planned(sent=1000)
    each = wish(one, TABLE).prompt_tokens + one.output_tokens
    ceilings = limited(day=Ceiling(tokens=5 * each))
    with Store(url) as first, Store(url) as second:
        books = [StoredBooks(first, lambda: NOW), StoredBooks(second, lambda: NOW)]
        results = await asyncio.gather(
            *(books[n % 2].reserve(f"c{n}", wish(one, TABLE), ceilings) for n in range(16))
        )
    assert sum(crossed is None for crossed in results) == 5


async def test_the_reservation_of_a_killed_process_expires(desk: Desk) -> None:
    """It holds its room no longer than a call may take; what it likely cost stays."""
    wanted = wish(planned(), TABLE)
    ceilings = limited(day=Ceiling(tokens=6000))
    abandoned = await desk.store.write(
        lambda database: spending.reserve(database, "dead", wanted, ceilings, desk.now)
    )
    assert abandoned is None
    with pytest.raises(CeilingError):
        await call(desk.ledger(), ceilings, planned(), USED)
    desk.now += wanted.longest_seconds + 1
    await call(desk.ledger(), ceilings, planned(sent=3000), USED)
    assert await desk.states() == [spending.SETTLED, spending.ASSUMED]
    whole = (await desk.sums())["day", ALL].tokens
    assert whole == 1050 + wanted.likely_prompt_tokens + wanted.output_tokens


async def test_a_late_answer_still_settles(desk: Desk) -> None:
    """A call whose reservation had expired counts as what it said in the end."""
    ledger = desk.ledger()
    async with ledger.call(planned(), Ceilings.none(), TABLE) as slip:
        desk.now += 3600
        await desk.store.write(lambda database: spending.expire(database, desk.now))
        assert await desk.states() == [spending.ASSUMED]
        slip.usage = USED
    await ledger.aclose()
    assert (await desk.sums())["incident", ALL].tokens == 1050


class BrokenBooks(UnsharedBooks):
    """Books that cannot be written."""

    async def reserve(self, call_id: str, wish: Wish, ceilings: Ceilings) -> Reached | None:
        """Fail as a store does."""
        del call_id, wish, ceilings
        raise StoreUnavailableError("database: disk full; free its disk")


async def test_without_the_books_no_call_is_made() -> None:
    """A store that cannot be written is no licence to spend."""
    with pytest.raises(AnalystError, match="its cost cannot be reserved"):
        await call(Ledger(BrokenBooks()), Ceilings.none(), planned(), USED)


async def test_the_last_calls_are_kept_for_two_months(desk: Desk) -> None:
    """What a ceiling may still look at is never deleted."""
    await call(desk.ledger(), Ceilings.none(), planned(), USED)
    kept = await desk.store.read(lambda database: spending.old(database, NOW + 61 * 86400, 9))
    gone = await desk.store.read(lambda database: spending.old(database, NOW + 63 * 86400, 9))
    assert (len(kept), len(gone)) == (0, 1)
    await desk.store.write(lambda database: spending.delete(database, gone))
    assert await desk.states() == []


@pytest.mark.parametrize(
    ("used", "is_unspent", "tokens"),
    [(USED, False, 1050), (None, True, 0), (None, False, 1001 + 100)],
)
async def test_an_investigation_by_hand_keeps_its_own_books(
    used: Usage | None,
    is_unspent: bool,  # noqa: FBT001 - a case
    tokens: int,
) -> None:
    """Without a store an incident's ceiling holds all the same."""
    books: Books = UnsharedBooks()
    ledger = Ledger(books)
    async with ledger.call(planned(), Ceilings.none(), TABLE) as slip:
        slip.usage, slip.is_unspent = used, is_unspent
    await ledger.aclose()
    wanted = wish(planned(), TABLE)
    rest = wanted.prompt_tokens + wanted.output_tokens
    for room, is_free in ((tokens + rest, True), (tokens + rest - 1, False)):
        ceilings = limited(incident=Ceiling(tokens=room))
        crossed = await books.reserve(f"c{room}", wanted, ceilings)
        assert (crossed is None) is is_free
        if is_free:
            await books.close(f"c{room}", Slip(is_unspent=True), None)
