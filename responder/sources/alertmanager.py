"""What Alertmanager knows: other active alerts, silences, and what holds this alert back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from responder.access import Access, AccessError
from responder.guard import clean_labels, line, mask_secrets
from responder.investigation.evidence import Evidence, Quantity, Status
from responder.remote import Answer, unavailable
from responder.source import Finding, Question, sources
from toolkit.settings import Duration

MOST_SHOWN = 40
MOST_HOLDING = 5
LONGEST_ANSWER_BYTES = 16 << 20


@sources.register("alertmanager")
class AlertmanagerSource(Access):
    """An Alertmanager, by its API v2."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    timeout: Duration = Field(5.0, gt=0, description="for its answers")

    async def gather(self, question: Question) -> Finding:
        """Ask for alerts and silences at once; never raises."""
        until = asyncio.get_running_loop().time() + min(self.timeout, question.deadline_seconds)
        try:
            remote = await self.remote(
                self.url, question.session, until=until, limit_bytes=LONGEST_ANSWER_BYTES
            )
        except AccessError as error:
            unread = unavailable(str(error))
            return Finding(evidence=[_evidence(unread, question, "Alertmanager", "/api/v2/alerts")])

        def ask(path: str) -> Awaitable[Answer]:
            return question.moment.once(
                (remote.identity, path),
                lambda: remote.get(path),
                is_good=lambda answer: answer.status is Status.OK,
                until=remote.until,
            )

        alerts, silences = await asyncio.gather(ask("/api/v2/alerts"), ask("/api/v2/silences"))
        link = self.external_url or self.url
        found = [_others(alerts, question, link), _own(alerts, silences, question, link)]
        return Finding(evidence=[*found, _silences(silences, question, link)])


def _listed(answer: Answer) -> tuple[Answer, list[Mapping[str, Any]]]:
    if answer.status is Status.OK and not isinstance(answer.body, list):
        return Answer(status=Status.FAILED, problem="the answer is not a list"), []
    body = answer.body if answer.status is Status.OK else []
    return answer, [each for each in body if isinstance(each, Mapping)]


def _evidence(answer: Answer, question: Question, title: str, query: str, **more: Any) -> Evidence:
    empty = answer.status is Status.OK and not more.get("facts")
    facts = {"origin": "alertmanager", **more.pop("facts", {})}
    return Evidence(
        id="",
        source="alertmanager",
        title=title,
        query=query,
        window=question.window,
        status=Status.EMPTY if empty else answer.status,
        facts=facts,
        detail=more.pop("detail", "") or answer.problem,
        seconds=round(answer.seconds, 4),
        **more,
    )


def _labels(alert: Mapping[str, Any]) -> dict[str, str]:
    labels = alert.get("labels")
    return clean_labels(labels) if isinstance(labels, Mapping) else {}


def _status(alert: Mapping[str, Any]) -> Mapping[str, Any]:
    status = alert.get("status")
    return status if isinstance(status, Mapping) else {}


def _own_fingerprints(question: Question) -> set[str]:
    return {episode.alert.fingerprint for episode in question.incident.episodes}


def _others(answer: Answer, question: Question, link: str) -> Evidence:
    """Tell which other alerts are active, silenced or inhibited ones among them."""
    answer, alerts = _listed(answer)
    own = _own_fingerprints(question)
    facts: dict[str, str] = {}
    others = [each for each in alerts if str(each.get("fingerprint")) not in own]
    for number, alert in enumerate(others[:MOST_SHOWN], 1):
        state = line(str(_status(alert).get("state", "")), 20)
        facts[f"alert {number}"] = f"{_shown(alert)} ({state})"
    counted = Quantity(name="other active alerts", value=len(others), unit="count")
    return _evidence(
        answer,
        question,
        "other active alerts",
        "/api/v2/alerts",
        facts=facts,
        quantities=(counted,) if answer.status is Status.OK else (),
        link=f"{link.rstrip('/')}/#/alerts",
    )


def _own(answer: Answer, silences: Answer, question: Question, link: str) -> Evidence:
    """Tell what silences, inhibits or mutes this incident's alerts, and where they are routed."""
    answer, alerts = _listed(answer)
    own = _own_fingerprints(question)
    known = {str(each.get("fingerprint")): _shown(each) for each in alerts}
    quiet = {str(each.get("id")): _words(each) for each in _listed(silences)[1]}
    facts: dict[str, str] = {}
    ours = [each for each in alerts if str(each.get("fingerprint")) in own]
    for number, alert in enumerate(ours[:MOST_SHOWN], 1):
        name, status = _labels(alert).get("alertname", "alert"), _status(alert)
        held = [
            *_held("silenced by", status.get("silencedBy"), quiet),
            *_held("inhibited by", status.get("inhibitedBy"), known),
            *_held("muted by", status.get("mutedBy"), {}),
        ]
        facts[f"{name} {number} is"] = line("; ".join(held), 1000) or "active"
        facts[f"{name} {number} goes to"] = ", ".join(_receivers(alert)) or "nobody"
    return _evidence(
        answer,
        question,
        "this alert in Alertmanager: silences, inhibitions, receivers",
        "/api/v2/alerts",
        facts=facts,
        link=f"{link.rstrip('/')}/#/alerts",
    )


def _held(how: str, ids: Any, known: Mapping[str, str]) -> Iterator[str]:
    """Name what holds an alert back; what is not listed is named by its id."""
    listed = [str(each) for each in ids] if isinstance(ids, list) else []
    for each in listed[:MOST_HOLDING]:
        yield f"{how} {known.get(each) or mask_secrets(line(each, 100))}"
    if len(listed) > MOST_HOLDING:
        yield f"{how} {len(listed) - MOST_HOLDING} more"


def _receivers(alert: Mapping[str, Any]) -> list[str]:
    given = alert.get("receivers")
    named = [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
    return [line(str(each.get("name")), 100) for each in named[:10]]


def _shown(alert: Mapping[str, Any]) -> str:
    labels = _labels(alert)
    about = labels.get("target") or labels.get("instance") or ""
    return f"{labels.get('alertname', '')} {about}".strip()


def _silences(answer: Answer, question: Question, link: str) -> Evidence:
    """Tell which silences are active or about to be."""
    answer, silences = _listed(answer)
    current = [each for each in silences if _status(each).get("state") in {"active", "pending"}]
    facts: dict[str, str] = {}
    for number, silence in enumerate(current[:MOST_SHOWN], 1):
        facts[f"silence {number}"] = _words(silence)
    counted = Quantity(name="silences", value=len(current), unit="count")
    return _evidence(
        answer,
        question,
        "silences",
        "/api/v2/silences",
        facts=facts,
        quantities=(counted,) if answer.status is Status.OK else (),
        link=f"{link.rstrip('/')}/#/silences",
    )


def _words(silence: Mapping[str, Any]) -> str:
    given = silence.get("matchers")
    matchers = (
        [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
    )
    text = ", ".join(
        f"{each.get('name')}{_operator(each)}{each.get('value')}" for each in matchers[:20]
    )
    comment = line(str(silence.get("comment") or ""), 200)
    return mask_secrets(line(f"{text}: {comment}", 400))


def _operator(matcher: Mapping[str, Any]) -> str:
    equal = matcher.get("isEqual", True)
    if matcher.get("isRegex"):
        return "=~" if equal else "!~"
    return "=" if equal else "!="
