"""Reads the series of one incident out of Prometheus, each question becoming evidence."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from responder.guard import clean, clean_labels, line, mask_secrets
from responder.investigation.evidence import Evidence, Floats, Quantity, Status, Window
from responder.investigation.vocabulary import Form, Role, Term
from responder.prometheus_api import Api
from responder.prometheus_context import Context
from responder.promql import QueryError, duration, graph_url, literal, measured_part, selector
from responder.remote import Answer, failed, unavailable
from responder.series import Column, Columns, Family, Matcher, columns_of, matrix, plan
from responder.source import Question

MOST_JUNIOR_FAMILIES = 40
MOST_OTHER_TARGETS = 50
MOST_SCRAPES_SHOWN = 30
MOST_ALERTS_SHOWN = 30
LONGEST_QUERY = 2000
_JUNIOR = r"vigie_(target_state|probe|llm|canary|checks?|tls|model_changes|ratelimit|data).*"


@dataclass(kw_only=True, slots=True)
class Reading:
    """The work on one incident: evidence and columns as they come in, in a fixed order at last."""

    api: Api
    question: Question
    context: Context
    columns: Columns
    link: str
    max_families: int
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def window(self) -> Window:
        """The time that the grid covers."""
        return Window(start=self.columns.grid.start, end=self.columns.grid.end)

    def found(  # noqa: PLR0913 - the fields of a piece of evidence
        self,
        title: str,
        query: str,
        answer: Answer,
        *,
        facts: Mapping[str, str] | None = None,
        quantities: Sequence[Quantity] = (),
        component: str | None = None,
        empty: bool = False,
    ) -> int:
        """Record evidence; returns its place."""
        status = Status.EMPTY if empty and answer.status is Status.OK else answer.status
        self.evidence.append(
            Evidence(
                id="",
                source="prometheus",
                title=line(title, 200),
                query=clean(query, LONGEST_QUERY),
                window=self.window,
                status=status,
                component=component,
                facts=dict(facts or {}),
                quantities=tuple(quantities),
                detail=answer.problem,
                link=self._graph(query) if status is Status.OK and query.strip() else "",
                seconds=round(answer.seconds, 4),
            )
        )
        return len(self.evidence) - 1

    def _graph(self, query: str) -> str:
        if query.startswith("/"):
            return ""
        return graph_url(self.link, query, self.window.start, self.window.end)

    def add_columns(
        self, family: Family, query: str, answer: Answer, columns: Sequence[Column], origin: str
    ) -> None:
        """Record one piece of evidence per component of a family, and its columns."""
        groups: dict[str, list[Column]] = defaultdict(list)
        for column in columns:
            groups[column.labels["component"]].append(column)
        if not groups:
            self.found(f"{family.term.text} ({family.name})", query, answer, empty=True)
        for component, members in sorted(groups.items()):
            title = f"{component}: {family.term.text} ({family.name})"
            facts = {"origin": origin, "metric": family.name}
            place = self.found(title, query, answer, facts=facts, component=component)
            kept = [
                self.columns.add(
                    Column(
                        labels={**each.labels, "__evidence__": str(place), "__origin__": origin},
                        values=each.values,
                    )
                )
                for each in members
            ]
            if not all(kept):
                problem = f"{kept.count(False)} series over the limit were left out"
                self.evidence[place] = self.evidence[place].model_copy(update={"detail": problem})


async def read_all(reading: Reading, *more: Callable[[Reading], Awaitable[None]]) -> None:
    """Ask for everything at once; the order of the evidence does not depend on the answers'."""
    parts = (*_PARTS, *more)
    pieces = [
        Reading(
            api=reading.api,
            question=reading.question,
            context=reading.context,
            columns=Columns(grid=reading.columns.grid, most=reading.columns.most),
            link=reading.link,
            max_families=reading.max_families,
        )
        for _ in parts
    ]
    await asyncio.gather(*(part(piece) for part, piece in zip(parts, pieces, strict=True)))
    _scrapes(reading)
    for piece in pieces:
        _join(reading, piece)


def _join(reading: Reading, piece: Reading) -> None:
    offset = len(reading.evidence)
    reading.evidence += piece.evidence
    reading.columns.cut += piece.columns.cut
    for column in piece.columns.kept:
        place = str(int(column.labels["__evidence__"]) + offset)
        moved = {**column.labels, "__evidence__": place}
        reading.columns.add(Column(labels=moved, values=column.values))


async def _rule(reading: Reading) -> None:
    """Read the alert's own rule, and what its expression measures, over the window."""
    known, question = reading.context, reading.question
    lead = question.incident.lead.alert
    rule = next(iter(known.rules), None)
    if rule is None:
        reading.found(f"rule of {lead.name}", "/api/v1/rules", known.rules_answer, empty=True)
        return
    expression = str(rule["query"])
    wait = rule.get("duration")
    waits = float(wait) if isinstance(wait, int | float) else 0.0
    facts = {"alert": line(lead.name, 200), "expression": clean(expression, LONGEST_QUERY)}
    facts["from"] = line(str(rule.get("type", "")), 40)
    reading.found(
        f"rule of {lead.name}",
        "/api/v1/rules",
        known.rules_answer,
        facts=facts,
        quantities=[Quantity(name="waits before it fires", value=waits, unit="seconds")],
        component=known.symptom or None,
    )
    try:
        query = measured_part(expression)
    except QueryError as error:
        reading.found("expression of the rule", expression, failed(str(error)))
        return
    answer, rows = await _matrix(reading, query)
    own = [
        Column(labels={"component": known.symptom or lead.name}, values=values)
        for labels, values in rows
        if all(lead.labels.get(name, value) == value for name, value in labels.items())
    ]
    term = Term(role=Role.ALERT, text=f"what {lead.name} measures", unit="")
    family = Family(name=line(lead.name, 200) or "alert", form=Form.GAUGE, term=term)
    named = [
        Column(labels={**each.labels, **_marks(family)}, values=each.values) for each in own[:10]
    ]
    reading.add_columns(family, query, answer, named, "alert")


def _marks(family: Family) -> dict[str, str]:
    term = family.term
    return {"__name__": family.name, "__role__": term.role.value, "__unit__": term.unit}


async def _matrix(
    reading: Reading, query: str
) -> tuple[Answer, list[tuple[dict[str, str], Floats]]]:
    grid = reading.columns.grid

    async def ask() -> tuple[Answer, list[tuple[dict[str, str], Floats]]]:
        answer = await reading.api.range(query, grid)
        if answer.status is not Status.OK:
            return answer, []
        try:
            return replace(answer, body=None), matrix(answer.body, grid)
        except ValueError as error:
            return failed(str(error)), []

    return await reading.api.shared(
        ("range", query, grid), ask, lambda found: found[0].status is Status.OK
    )


async def _names(reading: Reading, title: str, matchers: Sequence[Matcher]) -> list[str]:
    """Return the names of all metrics that carry these labels within the window."""
    grid = reading.columns.grid
    seen = selector("", matchers)
    span = duration(max(grid.end - grid.start, grid.step))
    query = f"count by (__name__) (last_over_time({seen}[{span}]))"
    answer = await reading.api.instant(query, grid.end)
    samples = answer.body if isinstance(answer.body, list) else []
    names = [str(each.get("metric", {}).get("__name__", "")) for each in samples]
    reading.found(
        title,
        query,
        answer,
        facts={"origin": "catalogue"},
        quantities=[Quantity(name="metrics", value=len(names), unit="count")] if names else (),
        empty=not names,
    )
    return [name for name in names if name]


async def _junior(reading: Reading) -> None:
    """Read the junior's own series of the incident's targets."""
    targets = reading.question.incident.targets[:5]
    if not targets:
        return
    known = reading.context
    who = "|".join(literal(target) for target in targets)
    scope: list[Matcher] = [("target", "=~", who)]
    title = f"series of the junior on {', '.join(targets)}"
    names = await _names(reading, title, [*scope, ("__name__", "=~", _JUNIOR)])
    families, cut = plan(names, known.types, MOST_JUNIOR_FAMILIES)
    window = max(4 * known.interval_seconds, 3 * known.probe_interval_seconds)

    async def one(family: Family) -> None:
        query = family.query(["target"], scope, window)
        answer, rows = await _matrix(reading, query)
        columns = []
        for column in columns_of(family, rows, "target"):
            target = column.labels["component"]
            component = known.component_of.get(target, known.symptom or target)
            labels = {**column.labels, "component": component, "target": target}
            columns.append(Column(labels=labels, values=column.values))
        results[family.name] = (query, answer, columns)

    results: dict[str, tuple[str, Answer, list[Column]]] = {}
    await asyncio.gather(*(one(family) for family in families))
    for family in families:
        reading.add_columns(family, *results[family.name], "junior")
    _say_cut(reading, cut, "the junior")


async def _components(reading: Reading) -> None:
    """Read the components' series, or take them from who read the same just now."""
    known, columns = reading.context, reading.columns

    async def ask() -> _Read:
        await _read_components(reading)
        return _Read(evidence=tuple(reading.evidence), columns=tuple(columns.kept), cut=columns.cut)

    # All that _read_components goes by; nothing of it is the incident's own.
    key = (
        *("components", known.components, reading.question.topology.component_label),
        *(known.interval_seconds, frozenset(known.types.items()), columns.grid, columns.most),
        *(reading.max_families, reading.link),
    )
    found = await reading.api.shared(key, ask, _is_whole)
    reading.evidence = [
        each.model_copy(update={"facts": dict(each.facts)}) for each in found.evidence
    ]
    columns.kept, columns.cut = list(found.columns), found.cut


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """What reading the components has found, for several incidents."""

    evidence: tuple[Evidence, ...]
    columns: tuple[Column, ...]
    cut: int


def _is_whole(found: _Read) -> bool:
    answered = {Status.OK, Status.EMPTY}
    return all(each.status in answered or not each.query for each in found.evidence)


async def _read_components(reading: Reading) -> None:
    """Read every family that carries the component label, one query each."""
    known, label = reading.context, reading.question.topology.component_label
    who = "|".join(literal(each) for each in known.components)
    scope: list[Matcher] = [(label, "=~", who)] if who else [(label, "!=", "")]
    own: list[Matcher] = [("__name__", "!~", "vigie_.*|ALERTS.*")]
    names = await _names(reading, "series of the components", [*scope, *own])
    families, cut = plan(names, known.types, reading.max_families)
    window = 4 * known.interval_seconds
    results: dict[str, tuple[str, Answer, list[Column]]] = {}

    async def one(family: Family) -> None:
        query = family.query([label], scope, window)
        answer, rows = await _matrix(reading, query)
        results[family.name] = (query, answer, columns_of(family, rows, label))

    await asyncio.gather(*(one(family) for family in families))
    for family in families:
        reading.add_columns(family, *results[family.name], "native")
    _say_cut(reading, cut, "components")


def _say_cut(reading: Reading, cut: int, whose: str) -> None:
    if cut:
        limit = Answer(status=Status.UNAVAILABLE, problem=f"{cut} families over the limit")
        reading.found(f"further series of {whose}", "", limit)


async def _others(reading: Reading) -> None:
    """Read which state the juniors see of all other targets, for contrast."""
    query = f"max by (target, state) ({selector('vigie_target_state')} == 1)"
    answer = await reading.api.instant(query, reading.columns.grid.end)
    named = reading.question.incident.targets
    seen = [clean_labels(each.get("metric", {})) for each in _listed(answer)]
    states = {each["target"]: each.get("state", "") for each in seen if each.get("target")}
    others = {name: state for name, state in sorted(states.items()) if name not in named}
    shown = dict(list(others.items())[:MOST_OTHER_TARGETS])
    healthy = sum(state == "ok" for state in others.values())
    quantities = [
        Quantity(name="other targets", value=len(others), unit="count"),
        Quantity(name="other targets that are ok", value=healthy, unit="count"),
    ]
    reading.found(
        "states of the other targets",
        query,
        answer,
        facts={f"target {name}": state for name, state in shown.items()} | {"origin": "junior"},
        quantities=quantities if others else (),
        empty=not others,
    )


def _listed(answer: Answer) -> list[Mapping[str, Any]]:
    body = answer.body if isinstance(answer.body, list) else []
    return [each for each in body if isinstance(each, Mapping)]


async def _alerts(reading: Reading) -> None:
    """Read which other alerts fire in Prometheus itself."""
    query = 'ALERTS{alertstate="firing"}'
    answer = await reading.api.instant(query, reading.columns.grid.end)
    own = {tuple(sorted(e.alert.labels.items())) for e in reading.question.incident.episodes}
    facts: dict[str, str] = {}
    for each in _listed(answer):
        labels = clean_labels(each.get("metric", {}))
        name = labels.pop("alertname", "")
        labels.pop("alertstate", None)
        labels.pop("__name__", None)
        same = {("alertname", name), *labels.items()}
        if name and not any(same <= set(one) or set(one) <= same for one in own):
            about = labels.get("target") or labels.get("instance") or ""
            facts[f"alert {len(facts) + 1}"] = f"{name} {about}".strip()
    shown = dict(list(facts.items())[:MOST_ALERTS_SHOWN])
    counted = [Quantity(name="other alerts firing", value=len(facts), unit="count")]
    reading.found("alerts firing in Prometheus", query, answer, facts=shown, quantities=counted)


def _scrapes(reading: Reading) -> None:
    """Say how the scrapes of the components and of the juniors stand."""
    known, label = reading.context, reading.question.topology.component_label
    query = "/api/v1/targets"
    if reading.question.is_past:
        reading.found("scrapes", query, unavailable("known of the present only; see up"))
        return
    if known.scrapes_answer.status is not Status.OK:
        reading.found("scrapes", query, known.scrapes_answer)
        return
    sick = [each for each in known.scrapes if not each.healthy]
    for each in sick[:MOST_SCRAPES_SHOWN]:
        component = each.labels.get(label)
        facts = {"health": "down", "error": mask_secrets(each.error), "origin": "scrape"}
        facts |= {k: each.labels[k] for k in ("job", "instance") if each.labels.get(k)}
        title = f"scrape of {component or each.labels.get('job', 'a target')} fails"
        reading.found(title, query, known.scrapes_answer, facts=facts, component=component)
    quantities = [
        Quantity(name="scraped addresses", value=len(known.scrapes), unit="count"),
        Quantity(name="scrapes that fail", value=len(sick), unit="count"),
        Quantity(name="scrape interval", value=known.interval_seconds, unit="seconds"),
    ]
    facts = {"origin": "scrape", "interval from": known.interval_from}
    reading.found(
        "scrapes of everything", query, known.scrapes_answer, facts=facts, quantities=quantities
    )


_PARTS = (_rule, _junior, _components, _others, _alerts)
