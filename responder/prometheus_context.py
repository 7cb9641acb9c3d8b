"""What must be known before series are read: the scrape interval, the components, the targets."""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from responder.guard import clean_labels, line
from responder.investigation.evidence import Status
from responder.prometheus_api import Api
from responder.promql import equals, selector
from responder.remote import Answer
from responder.source import Question
from toolkit.settings import seconds

MOST_TARGETS = 500
LAST_RESORT_SECONDS = 15.0  # Prometheus's own advice, where nothing at all tells the interval
_INFO_PREFIX = "label_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scrape:
    """One scraped address, as /api/v1/targets shows it."""

    labels: Mapping[str, str]
    healthy: bool
    error: str
    interval_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """Where to look: intervals in seconds, and which component stands behind each target."""

    interval_seconds: float
    interval_from: str
    scrapes: tuple[Scrape, ...] = ()
    scrapes_answer: Answer = field(default_factory=lambda: Answer(status=Status.EMPTY))
    rules: tuple[Mapping[str, Any], ...] = ()
    rules_answer: Answer = field(default_factory=lambda: Answer(status=Status.EMPTY))
    types: Mapping[str, str] = field(default_factory=dict)
    component_of: Mapping[str, str] = field(default_factory=dict)
    probe_interval_seconds: float = 0.0
    components: tuple[str, ...] = ()
    symptom: str = ""
    unreachable: str = ""
    ahead_seconds: float = 0.0


async def context(api: Api, question: Question) -> Context:
    """Ask for all of it at once; what one server does not know is left at its default."""
    # Whole seconds, so that investigations of the same moment ask the same.
    now = float(math.floor(question.window.end))
    info = selector("vigie_target_info")
    interval = selector("vigie_probe_interval_seconds", _targets(question))
    targets, rules, metadata, infos, probes = await asyncio.gather(
        api.get("/api/v1/targets", {"state": "active"}),
        api.get("/api/v1/rules", {"type": "alert"}),
        api.get("/api/v1/metadata", {"limit": "5000"}),
        api.instant(f"topk({MOST_TARGETS}, max_over_time({info}[{_LATELY}]))", now),
        api.instant(f"max(max_over_time({interval}[{_LATELY}]))", now),
    )
    answers = (targets, rules, metadata, infos, probes)
    if all(answer.status is Status.UNAVAILABLE for answer in answers):
        return Context(
            interval_seconds=1.0, interval_from="", unreachable=targets.problem or "no answer"
        )
    scrapes = _scrapes(targets)
    component_of = _components(infos, question.topology.component_label)
    components, symptom = scope(question, component_of)
    step, source = await _interval(api, question, scrapes)
    return Context(
        interval_seconds=step,
        interval_from=source,
        scrapes=scrapes,
        scrapes_answer=targets,
        rules=_rules(rules, question),
        rules_answer=rules,
        types=_types(metadata),
        component_of=component_of,
        probe_interval_seconds=_single(probes),
        components=components,
        symptom=symptom,
        ahead_seconds=_ahead(answers),
    )


def _ahead(answers: Sequence[Answer]) -> float:
    told = [each.ahead_seconds for each in answers if each.status is Status.OK]
    return statistics.median(told) if told else 0.0


_LATELY = "10m"
_MOST_LISTED = 10_000


def _targets(question: Question) -> list[tuple[str, str, str]]:
    named = question.incident.targets
    return equals({"target": named[0]}) if named else []


def scope(question: Question, component_of: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Return the components to look at (empty for all that there are) and the alerting one."""
    calls = question.topology.calls
    known = {each for call in calls for each in call}
    symptom = symptom_of(question, component_of, known)
    return (tuple(sorted(known | {symptom})) if calls and symptom in known else ()), symptom


def symptom_of(question: Question, component_of: Mapping[str, str], known: Iterable[str]) -> str:
    """Return the component that the incident's leading alert speaks of, empty when unknown.

    The scrape's own `service`, put on by an operator, names the exporter and not the component;
    so what the target's information says comes first.
    """
    lead = question.incident.lead.alert
    target = lead.target or next(iter(question.incident.targets), "")
    if target in component_of:
        return component_of[target]
    label = lead.labels.get(question.topology.component_label, "")
    if label and (not target or label in known):
        return label
    return target or label or lead.labels.get("job", "")


async def components_of(api: Api, label: str) -> Mapping[str, str] | None:
    """Give the component of each target by its *label*; None when Prometheus cannot be asked."""
    info = selector("vigie_target_info")
    answer = await api.instant(f"topk({_MOST_LISTED}, max_over_time({info}[{_LATELY}]))", None)
    return _components(answer, label) if answer.status is Status.OK else None


def _components(answer: Answer, label: str) -> dict[str, str]:
    found = {}
    for sample in _samples(answer):
        labels = clean_labels(sample)
        component = labels.get(_INFO_PREFIX + label)
        if labels.get("target") and component:
            found[labels["target"]] = component
    return found


def _samples(answer: Answer) -> Iterable[Mapping[str, Any]]:
    if answer.status is not Status.OK or not isinstance(answer.body, list):
        return
    for sample in answer.body:
        metric = sample.get("metric") if isinstance(sample, Mapping) else None
        if isinstance(metric, Mapping):
            yield metric


def _single(answer: Answer) -> float:
    try:
        value = float(answer.body[0]["value"][1])
    except (KeyError, TypeError, ValueError, IndexError):
        return 0.0
    return value if 0 < value < 86_400 else 0.0


def _scrapes(answer: Answer) -> tuple[Scrape, ...]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    active = body.get("activeTargets")
    listed = active if isinstance(active, list) else []
    return tuple(
        Scrape(
            labels=clean_labels(each["labels"]),
            healthy=each.get("health") == "up",
            error=line(str(each.get("lastError") or ""), 200),
            interval_seconds=_duration(each.get("scrapeInterval")),
        )
        for each in listed
        if isinstance(each, Mapping) and isinstance(each.get("labels"), Mapping)
    )


def _duration(text: Any) -> float | None:
    try:
        return seconds(text) or None
    except (ValueError, TypeError):
        return None


def _types(answer: Answer) -> dict[str, str]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    types = {}
    for name, entries in body.items():
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            types[str(name)] = str(entries[0].get("type", ""))
    return types


def _rules(answer: Answer, question: Question) -> tuple[Mapping[str, Any], ...]:
    """Return the rules named like the incident's alerts, those of the same severity first."""
    names = {episode.alert.name for episode in question.incident.episodes}
    severity = question.incident.lead.alert.labels.get("severity")
    body = answer.body if isinstance(answer.body, Mapping) else {}
    groups = body.get("groups")
    found = [
        rule
        for group in (groups if isinstance(groups, list) else ())
        for rule in _listed(group, "rules")
        if rule.get("name") in names and rule.get("query")
    ]

    def order(rule: Mapping[str, Any]) -> tuple[bool, bool, str]:
        labels = rule.get("labels")
        same = isinstance(labels, Mapping) and labels.get("severity") == severity
        return rule.get("name") != question.incident.lead.alert.name, not same, str(rule["query"])

    return tuple(sorted(found, key=order)) or _linked(question)


def _linked(question: Question) -> tuple[Mapping[str, Any], ...]:
    """Take the expression out of the alert's link, where no rule that is known made it."""
    lead = question.incident.lead.alert
    try:
        expression = URL(lead.generator_url).query.get("g0.expr", "")
    except ValueError:
        return ()
    rule = {"name": lead.name, "query": expression, "type": "the alert's own link"}
    return (rule,) if expression.strip() else ()


def _listed(value: Any, key: str) -> list[Mapping[str, Any]]:
    items = value.get(key) if isinstance(value, Mapping) else None
    return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []


async def _interval(api: Api, question: Question, scrapes: Sequence[Scrape]) -> tuple[float, str]:
    """Find the scrape interval: what the server says, else what the samples show."""
    label = question.topology.component_label
    job = question.incident.lead.alert.labels.get("job")
    own = [each for each in scrapes if each.labels.get(label) or each.labels.get("job") == job]
    said = [each.interval_seconds for each in own or scrapes if each.interval_seconds]
    if said:
        return min(said), "scrape configuration"
    for matchers in ((_targets(question)), [(label, "!=", "")], equals({"job": job or ""})):
        if not matchers:
            continue
        name = "vigie_probe_success" if matchers[0][0] == "target" else "up"
        raw = f"{selector(name, matchers)}[{_LATELY}]"
        seen = _spacing(await api.instant(raw, question.window.end))
        if seen is not None:
            return seen, "spacing of samples"
    return question.step_seconds or LAST_RESORT_SECONDS, "nothing seen; assumed"


def _spacing(answer: Answer) -> float | None:
    """Return the median distance of the samples of raw series, in seconds."""
    gaps: list[float] = []
    for series in answer.body if isinstance(answer.body, list) else ():
        try:
            times = [float(at) for at, _ in series["values"][-50:]]
        except (KeyError, TypeError, ValueError):
            continue
        gaps += [after - before for before, after in itertools.pairwise(times)]
        if len(gaps) > 500:
            break
    typical = statistics.median(gaps) if gaps else 0.0
    return round(typical, 3) if typical > 0 else None
