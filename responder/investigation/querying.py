"""A query that a model wrote, asked within limits; what comes back is statistics, as evidence."""

from __future__ import annotations

import asyncio

from responder.guard import line, mask_secrets
from responder.investigation.chart import chart
from responder.investigation.evidence import ASKED_BY, Evidence, Frame, Quantity, Status, Window
from responder.investigation.summary import MOST_SERIES, frame_of, moved, quantities
from responder.investigation.tool import Bench
from responder.promql import QueryError
from responder.promql_limits import bounded, metrics_of, unit_of

MOST_ROWS = 200
LONGEST_LIST = 200


async def asked(bench: Bench, query: str, minutes_before: int) -> Evidence:
    """Ask a query from so many minutes before the onset to now; never raises."""
    source = bench.prometheus
    if source is None:
        return _made(bench, query, (), Status.UNAVAILABLE, detail="no Prometheus is configured")
    try:
        whole = bounded(query)
        metrics, unit = metrics_of(whole), unit_of(whole)
    except QueryError as error:
        return _made(bench, query, (), Status.FAILED, detail=f"not sent: {error}")
    start = max(bench.brief.onset_at - 60.0 * minutes_before, 0.0)
    window = Window(start=start, end=max(bench.question.window.end, start + 1))
    answer, grid = await source.promql(whole, window, bench.question)
    if answer.status is not Status.OK:
        return _made(bench, whole, metrics, answer.status, detail=answer.problem, window=window)
    label = bench.question.topology.component_label
    frame = await asyncio.to_thread(frame_of, answer.body[:MOST_ROWS], grid, unit, label)
    if frame is None:
        detail = "no series matches: that nothing is there is not that all is well"
        return _made(bench, whole, metrics, Status.EMPTY, detail=detail, window=window)
    return await asyncio.to_thread(
        _told, bench, whole, metrics, frame, window, len(answer.body), answer.seconds
    )


def _told(  # noqa: PLR0913, PLR0917 - the parts of one record
    bench: Bench,
    query: str,
    metrics: tuple[str, ...],
    frame: Frame,
    window: Window,
    count: int,
    seconds: float,
) -> Evidence:
    """Put the answer in numbers; the series that moved most stand for the rest."""
    onset_at = bench.brief.onset_at
    numbers = quantities(frame, onset_at)
    owners = {each["component"] for each in frame.labels}
    owner = owners.pop() if len(owners) == 1 else ""
    whole = Quantity(name="series", value=count, unit="count")
    left = f"the {MOST_SERIES} of {count} series that moved most" if count > MOST_SERIES else ""
    return _made(
        bench,
        query,
        metrics,
        Status.OK,
        detail=left,
        window=window,
        component=owner or None,
        quantities=(*numbers, whole),
        chart_svg=_drawn(frame, onset_at, metrics),
        seconds=round(seconds, 4),
    )


def _drawn(frame: Frame, onset_at: float, metrics: tuple[str, ...]) -> str:
    loudest = moved(frame, onset_at)
    series = [
        (", ".join(f"{k}={v}" for k, v in each.labels.items()), frame.values[:, each.index])
        for each in loudest
    ]
    title = line(", ".join(metrics), LONGEST_LIST)
    return chart(frame.times, series, title=title, unit=loudest[0].unit, onset_at=onset_at)


def _made(
    bench: Bench,
    query: str,
    metrics: tuple[str, ...],
    status: Status,
    *,
    detail: str = "",
    **more: object,
) -> Evidence:
    # The title holds no words of the query: what stands in a title may be cited.
    names = line(", ".join(metrics), LONGEST_LIST)
    is_own = bool(metrics) and all(each.startswith("vigie_") for each in metrics)
    facts = {"origin": "junior" if is_own else "native", ASKED_BY: "the analyst"}
    facts |= {"metric": names} if names and status is Status.OK else {}
    title = f"asked: {names}" if status is Status.OK else "a query of the analyst"
    text = mask_secrets(line(query, 1000))
    return bench.made("prometheus", title, text, status, detail=detail, facts=facts, **more)
