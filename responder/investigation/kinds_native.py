"""Causes that a component's own series tell: crash, hang, surge, capacity, slowness, errors."""

from __future__ import annotations

import math

from responder.investigation.evidence import CauseKind, Point
from responder.investigation.hypothesis import Hypothesis, earlier, level, moved, rose
from responder.investigation.kinds_cluster import rolled
from responder.investigation.kinds_unread import answer_to_scrape
from responder.investigation.movement import Movement
from responder.investigation.picture import Picture, strongest
from responder.investigation.vocabulary import Role
from responder.investigation.wording import amount, clock

SURGE = 1.5
SLOWER = 1.5
ERRORS = 0.05
LEAST_SLOWER_SECONDS = 0.02
MODEL_KINDS = ("openai", "llm", "chat", "embedding")
_LLM_ROLES = (Role.FIRST_TOKEN, Role.TOKEN_GAP, Role.TOKENS, Role.RUNNING, Role.CACHE)


def down(picture: Picture, component: str) -> list[Movement]:
    """Return the scrapes of a component that fail now and did not before."""
    return [m for m in picture.of(component, Role.UP) if m.now == 0]


def surge_of(picture: Picture, component: str) -> Movement | None:
    """Return the traffic of a component that rose, None when the load is the usual one."""
    traffic = picture.of(component, Role.TRAFFIC)
    return strongest(traffic, lambda m: rose(m, SURGE, 0.5))


def queued(picture: Picture, component: str) -> Movement | None:
    """Return the queue of a component that grew."""
    return strongest(picture.of(component, Role.QUEUE), lambda m: rose(m, 2.0, 1.0) or _waits(m))


def _waits(movement: Movement) -> bool:
    return movement.now >= 1 and rose(movement, 2.0, 0.5)


def stalled(picture: Picture, component: str) -> Movement | None:
    """Return the rate of tokens of a component that fell to nothing."""
    tokens = picture.of(component, Role.TOKENS)
    return strongest(tokens, lambda m: m.before > 0 and m.now <= 0.05 * m.before)


def is_model(picture: Picture, component: str) -> bool:
    """Say whether a component serves a model: by its own series, or by what its junior asks."""
    if picture.of(component, *_LLM_ROLES):
        return True
    junior = picture.junior
    own = junior is not None and junior.component == component
    return own and junior is not None and any(kind in junior.kind for kind in MODEL_KINDS)


def slow(picture: Picture, component: str) -> list[Movement]:
    """Return what got slower at a component by its own series, the worst first."""
    roles = (Role.FIRST_TOKEN, Role.TOKEN_GAP, Role.LATENCY)
    return [m for m in picture.of(component, *roles) if rose(m, SLOWER, _least(m))]


def slow_for_users(picture: Picture, component: str) -> list[Movement]:
    """Return what got slower at a component as its junior sees it."""
    if component != picture.symptom:
        return []
    roles = (Role.PROBE_FIRST_TOKEN, Role.PROBE_TOKEN_GAP, Role.PROBE_LATENCY)
    return [m for m in picture.of(component, *roles) if rose(m, SLOWER, _least(m))]


def _least(movement: Movement) -> float:
    # A gap between tokens is counted in milliseconds, what a user waits for in hundredths.
    gaps = {Role.TOKEN_GAP, Role.PROBE_TOKEN_GAP}
    return 0.005 if movement.role in gaps else LEAST_SLOWER_SECONDS


def failing(picture: Picture, component: str) -> Movement | None:
    """Return the share of a component's answers that are errors, where it rose."""
    ratios = picture.of(component, Role.ERROR_RATIO)
    return strongest(ratios, lambda m: rose(m, 2.0, ERRORS))


def restarted(picture: Picture, component: str) -> Movement | None:
    """Return the start time of a component whose process is a new one, begun around the onset."""
    earliest = picture.onset.at - 10 * picture.step
    starts = picture.of(component, Role.STARTED)
    return strongest(starts, lambda m: m.now > m.first + 1 and m.now >= earliest)


def crash(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether its scrapes fail: the process is gone, or it came back as a new one."""
    gone = down(picture, component)
    fresh = restarted(picture, component)
    if not gone:
        own_will = fresh is not None and _rolled(picture, component, fresh.now)
        return None if fresh is None or own_will else _came_back(picture, component, fresh)
    if answer_to_scrape(picture, component) is not None:
        return None  # who answers is not gone
    first = gone[0]
    text = f"{component} cannot be scraped: up is 0"
    if first.moved_at is not None:
        text += f" since {clock(first.moved_at)}"
    points = [Point(text=text, evidence=(first.evidence,))]
    points += [
        Point(text=f'its scrape fails with "{error}"', evidence=(each.id,))
        for each in picture.evidence_of(component, "scrape")[:1]
        if (error := each.facts.get("error", ""))
    ]
    junior = picture.junior
    answers = junior is not None and junior.component == component and junior.state == "ok"
    kind = CauseKind.MONITORING if answers else CauseKind.CRASH
    strength = 0.6 if answers else 0.95
    return Hypothesis(
        component=component,
        kind=kind,
        strength=strength,
        points=tuple(points),
        moved_at=first.moved_at,
        local=True,
    )


def _rolled(picture: Picture, component: str, started_at: float) -> bool:
    """Say whether a change of the component, announced or seen, explains its new process."""
    near = 10 * picture.step
    times = [change.at for change, _ in picture.changes if change.service == component]
    times += [quantity.value for quantity, _ in rolled(picture, component)]
    return any(abs(at - started_at) <= near for at in times)


def _came_back(picture: Picture, component: str, fresh: Movement) -> Hypothesis:
    text = f"{component} runs as a new process, started at {clock(fresh.now)}"
    points = [Point(text=text, evidence=(fresh.evidence,))]
    memory = strongest(picture.of(component, Role.MEMORY), lambda m: _peaked(picture, m))
    if memory is not None:
        points.append(moved(memory))
    return Hypothesis(
        component=component,
        kind=CauseKind.OUT_OF_MEMORY if memory is not None else CauseKind.CRASH,
        strength=0.7 if memory is not None else 0.5,
        points=tuple(points),
        moved_at=fresh.now,
        local=True,
    )


def _peaked(picture: Picture, movement: Movement) -> bool:
    """Say whether memory had doubled before it fell back: the mark of one that ran out of it."""
    if picture.frame is None:
        return False
    values = picture.frame.values[:, movement.index]
    finite = values[~(values != values)]  # noqa: PLR0124 - NaN is what differs from itself
    if len(finite) < 10:
        return False
    return float(finite.max()) >= 2 * float(finite[:5].mean()) and finite[-1] < 0.7 * finite.max()


def hung(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether work is inside and nothing comes out, while the process lives."""
    if down(picture, component):
        return None
    still = stalled(picture, component)
    inside = picture.of(component, Role.QUEUE, Role.RUNNING, Role.IN_FLIGHT)
    busy = [m for m in inside if m.now >= 1]
    if still is None or not busy:
        return None
    rate = f"{component} generates {amount(still.now, still.unit)} tokens"
    text = f"{rate}, was {amount(still.before, still.unit)}"
    if still.moved_at is not None:
        text += f", since {clock(still.moved_at)}"
    points = [Point(text=text, evidence=(still.evidence,))]
    points += [
        Point(text=f"{component} has {amount(m.now, m.unit)} {_inside(m)}", evidence=(m.evidence,))
        for m in busy[:2]
    ]
    return Hypothesis(
        component=component,
        kind=CauseKind.HUNG_ENGINE,
        strength=0.95,
        points=tuple(points),
        moved_at=still.moved_at,
        local=True,
    )


def _inside(movement: Movement) -> str:
    return {
        Role.QUEUE: "requests waiting",
        Role.RUNNING: "requests running",
    }.get(movement.role, "requests in flight")


def overload(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether requests wait: because more come than before, or because it serves fewer."""
    if down(picture, component) or stalled(picture, component):
        return None
    surge, queue = surge_of(picture, component), queued(picture, component)
    waits = slow(picture, component)
    pressed = component == picture.symptom and _state(picture) == "saturated"
    if surge is not None and (queue or waits or pressed):
        return _surge(picture, surge, queue, waits)
    if queue is None:
        return None
    slower = strongest(picture.of(component, Role.TOKEN_GAP), lambda m: rose(m, 2.0, 0.005))
    # An engine that became slower fills its own queue: that is slowness, not want of capacity.
    strength = 0.4 if slower is not None else 0.7
    points = [moved(queue), *(level(m) for m in picture.of(component, Role.TRAFFIC)[:1])]
    return Hypothesis(
        component=component,
        kind=CauseKind.CAPACITY,
        strength=strength,
        points=tuple(points),
        moved_at=queue.moved_at,
        local=True,
    )


def _surge(
    picture: Picture, surge: Movement, queue: Movement | None, waits: list[Movement]
) -> Hypothesis:
    felt = queue or next(iter(waits), None)
    first = moved(surge)
    points = [first if felt is None else _with(first, earlier(surge, felt), felt)]
    points += [moved(m) for m in (queue, *waits[:1]) if m is not None]
    junior = picture.junior
    if junior is not None and junior.component == surge.component and junior.state == "saturated":
        text = f"the junior sees {junior.target} as saturated"
        points.append(Point(text=text, evidence=(junior.evidence,)))
    points += [
        moved(m)
        for caller in sorted(picture.callers(surge.component))
        if (m := surge_of(picture, caller)) is not None
    ][:1]
    strength = 0.92 if queue is not None else 0.75
    # Clients that try again also make traffic rise, but only after the trouble has begun.
    late = (surge.moved_at or 0) > picture.onset.at + 5 * picture.step
    return Hypothesis(
        component=surge.component,
        kind=CauseKind.TRAFFIC_SURGE,
        strength=0.6 * strength if late else strength,
        points=tuple(points),
        moved_at=surge.moved_at,
        local=queue is not None,
    )


def _with(point: Point, ending: str, other: Movement) -> Point:
    if not ending or other.component == "":
        return point
    return Point(text=point.text + ending, evidence=(*point.evidence, other.evidence))


def _state(picture: Picture) -> str:
    return picture.junior.state if picture.junior is not None else ""


def slowness(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether it answers later than before, at the usual load and with nothing waiting."""
    if down(picture, component) or stalled(picture, component):
        return None
    own, felt = slow(picture, component), slow_for_users(picture, component)
    if not own and not felt:
        return None
    model = is_model(picture, component)
    is_callee = component in picture.callees(picture.symptom)
    kind = CauseKind.DEPENDENCY if is_callee and not model else CauseKind.SLOW_ENGINE
    strength = 0.9 if own and (model or is_callee) else 0.7
    if not own and picture.of(component, Role.LATENCY, Role.FIRST_TOKEN):
        strength = 0.45  # its own series say that it is as fast as ever
    if surge_of(picture, component) is not None:
        strength *= 0.4
    elif queued(picture, component) is not None:
        strength *= 0.75
    chosen = own or felt
    points = [_before_symptom(picture, chosen[0]), *(moved(m) for m in chosen[1:2])]
    users = felt if component == picture.symptom else slow_for_users(picture, picture.symptom)
    points += [moved(m) for m in (users[:1] if own else ())]
    points += [moved(m) for m in _waits_for(picture, component)[:1]]
    calm = [m for m in picture.of(component, Role.QUEUE, Role.TRAFFIC) if not m.lively]
    points += [level(m) for m in sorted(calm, key=lambda m: m.role is not Role.QUEUE)[:2]]
    return Hypothesis(
        component=component,
        kind=kind,
        strength=strength,
        points=tuple(points),
        moved_at=chosen[0].moved_at,
        local=bool(own),
    )


def _before_symptom(picture: Picture, movement: Movement) -> Point:
    point = moved(movement)
    if movement.component == picture.symptom:
        return point
    symptom = next(iter(slow(picture, picture.symptom)), None)
    return point if symptom is None else _with(point, earlier(movement, symptom), symptom)


def _waits_for(picture: Picture, component: str) -> list[Movement]:
    """Return what callers see of a component: the time that they wait for it."""
    return [
        m
        for caller in sorted(picture.callers(component))
        for m in picture.of(caller, Role.UPSTREAM_LATENCY)
        if m.labels.get("peer") == component and rose(m, SLOWER, LEAST_SLOWER_SECONDS)
    ]


def unseen_dependency(picture: Picture, component: str) -> Hypothesis | None:
    """Judge one without series of its own by what its callers wait for, or get errors from."""
    if picture.of(component, Role.LATENCY, Role.TRAFFIC, Role.UP):
        return None
    waits = _waits_for(picture, component)
    fails = _fails_for(picture, component)
    if not waits and not fails:
        return None
    chosen = (waits or fails)[0]
    return Hypothesis(
        component=component,
        kind=CauseKind.DEPENDENCY,
        strength=0.8,
        points=tuple(moved(m) for m in (*waits[:1], *fails[:1])),
        moved_at=chosen.moved_at,
        local=True,
    )


def _fails_for(picture: Picture, component: str) -> list[Movement]:
    return [
        m
        for caller in sorted(picture.callers(component))
        for m in picture.of(caller, Role.UPSTREAM_ERROR_RATIO)
        if m.labels.get("peer") == component and rose(m, 2.0, ERRORS)
    ]


def errors(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether it answers with errors, and not because one that it calls does."""
    ratio = failing(picture, component)
    if ratio is None or down(picture, component):
        return None
    passed_on = [
        m for m in picture.of(component, Role.UPSTREAM_ERROR_RATIO) if rose(m, 2.0, ERRORS)
    ]
    points = [moved(ratio), *(moved(m) for m in passed_on[:1])]
    points += [moved(m) for m in _fails_for(picture, component)[:1]]
    return Hypothesis(
        component=component,
        kind=CauseKind.INTERNAL_ERROR,
        strength=0.35 if passed_on else 0.85,
        points=tuple(points),
        moved_at=ratio.moved_at,
        local=not passed_on,
    )


def refusals(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether it refuses callers for coming too often."""
    ratios = picture.of(component, Role.THROTTLED_RATIO)
    ratio = strongest(ratios, lambda m: rose(m, 2.0, ERRORS))
    if ratio is None or math.isnan(ratio.since):
        return None
    return Hypothesis(
        component=component,
        kind=CauseKind.RATE_LIMIT,
        strength=0.8,
        points=(moved(ratio),),
        moved_at=ratio.moved_at,
        local=True,
    )
