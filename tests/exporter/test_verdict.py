"""The state table, row by row."""

from __future__ import annotations

import pytest

from exporter.target import Reason, State
from exporter.verdict import LATE_REASONS, NativeView, Seen, decide, is_under, judge

GONE = NativeView(reachable=False)
STILL = NativeView(reachable=True, waiting=3, moved=False)
STILL_EMPTY = NativeView(reachable=True, waiting=0, moved=False)
BUSY = NativeView(reachable=True, waiting=3, moved=True)
CALM = NativeView(reachable=True, waiting=0, moved=True)
UNTOLD = NativeView(reachable=True)


@pytest.mark.parametrize("reason", sorted(LATE_REASONS))
@pytest.mark.parametrize(
    ("native", "state"),
    [
        (None, State.UNRESPONSIVE),
        (GONE, State.DOWN),
        (STILL, State.HUNG),
        (STILL_EMPTY, State.HUNG),
        (BUSY, State.SATURATED),
        (CALM, State.UNRESPONSIVE),
        (UNTOLD, State.UNRESPONSIVE),
    ],
)
def test_late_run_is_explained_by_the_native_metrics(
    reason: Reason, native: NativeView | None, state: State
) -> None:
    """Nothing moves: hung; something moves and waits: saturated; gone: down."""
    assert decide(Seen(reason=reason, native=native)) is state


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (Seen(), State.OK),
        (Seen(over_limit=True), State.DEGRADED),
        (Seen(buffered=True), State.DEGRADED),
        (Seen(optional_under=True), State.DEGRADED),
        (Seen(required_under=True), State.WRONG),
        (Seen(reason=Reason.WRONG_ANSWER, required_under=True), State.WRONG),
        (Seen(reason=Reason.WRONG_ANSWER), State.DEGRADED),
        (Seen(reason=Reason.SCHEMA, required_under=True), State.WRONG),
        (Seen(reason=Reason.CUT_OFF, required_under=True), State.WRONG),
        (Seen(reason=Reason.EMPTY, required_under=True), State.WRONG),
        (Seen(reason=Reason.RATE_LIMITED, retry_after=True), State.SATURATED),
        (Seen(reason=Reason.HTTP_5XX, retry_after=True), State.SATURATED),
        (Seen(reason=Reason.RATE_LIMITED), State.UNKNOWN),
    ],
)
def test_answer_is_judged(seen: Seen, state: State) -> None:
    """Right answers, slow ones, wrong ones, and those put off."""
    assert decide(seen) is state


DOWN = "dns connect tls timeout_connect http_5xx protocol too_large stream_error stream_truncated"
SILENT = "auth http_4xx forbidden redirect internal"


@pytest.mark.parametrize("reason", [Reason(name) for name in f"{DOWN} bad_json".split()])
def test_endpoint_that_fails_is_down(reason: Reason) -> None:
    """What the endpoint itself does wrong is down, whatever the native metrics say."""
    assert decide(Seen(reason=reason)) is decide(Seen(reason=reason, native=BUSY)) is State.DOWN


@pytest.mark.parametrize("reason", [Reason(name) for name in SILENT.split()])
def test_our_own_fault_says_nothing_of_the_model(reason: Reason) -> None:
    """What lies between us and the model leaves its state unknown."""
    assert decide(Seen(reason=reason, native=STILL)) is State.UNKNOWN


@pytest.mark.parametrize("reason", [None, *Reason])
def test_every_reason_has_a_state(reason: Reason | None) -> None:
    """The table is total, and only a right answer is ok."""
    assert (decide(Seen(reason=reason)) is State.OK) is (reason is None)


def test_verdict_says_why() -> None:
    """Whatever is seen has its text; several reasons to be degraded are all told."""
    views = (None, GONE, STILL, STILL_EMPTY, BUSY, CALM, UNTOLD)
    texts: dict[str, set[State]] = {}
    for reason in (None, *Reason):
        for native in views:
            for retry_after in (False, True):
                seen = Seen(reason=reason, native=native, retry_after=retry_after)
                state, why = judge(seen)
                texts.setdefault(why, set()).add(state)
    assert all(texts)
    assert all(len(states) == 1 for states in texts.values())
    state, why = judge(Seen(over_limit=True, buffered=True))
    assert state is State.DEGRADED
    assert why.startswith("right, but over a limit; the stream came all at once")


@pytest.mark.parametrize(
    ("history", "under"),
    [
        ([], False),
        ([False], False),
        ([False, False], True),
        ([False, True, False], True),
        ([False, False, True, True], False),
        ([True, True, False], False),
    ],
)
def test_two_of_three(
    history: list[bool],
    under: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """One wrong answer among the last three is noise, two are not."""
    assert is_under(history, needed=2, among=3) is under


def test_once_of_once() -> None:
    """With 1 of 1 the last answer decides."""
    assert is_under([True, False], needed=1, among=1)
    assert not is_under([False, True], needed=1, among=1)
