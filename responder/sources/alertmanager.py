"""What Alertmanager knows: other active alerts, silences, and what holds this alert back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any

from pydantic import Field

from responder.guard import clean_labels, line, mask_secrets
from responder.investigation.evidence import Evidence, Quantity, Status
from responder.remote import Answer, Remote
from responder.source import Finding, Question, sources
from toolkit.secrets import Secret
from toolkit.settings import Duration, Settings

MOST_SHOWN = 40
LONGEST_ANSWER_BYTES = 16 << 20


@sources.register("alertmanager")
class AlertmanagerSource(Settings):
    """An Alertmanager, by its API v2."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    bearer: Secret | None = Field(None, description="sent as Authorization: Bearer")
    timeout: Duration = Field(5.0, gt=0, description="for its answers")

    async def gather(self, question: Question) -> Finding:
        """Ask for alerts and silences at once; never raises."""
        headers = {"Authorization": f"Bearer {self.bearer.reveal()}"} if self.bearer else {}
        remote = Remote(
            url=self.url,
            session=question.session,
            until=asyncio.get_running_loop().time() + min(self.timeout, question.deadline_seconds),
            limit_bytes=LONGEST_ANSWER_BYTES,
            headers=headers,
        )

        def ask(path: str) -> Awaitable[Answer]:
            return question.moment.once(
                (remote.identity, path),
                lambda: remote.get(path),
                is_good=lambda answer: answer.status is Status.OK,
                until=remote.until,
            )

        alerts, silences = await asyncio.gather(ask("/api/v2/alerts"), ask("/api/v2/silences"))
        link = self.external_url or self.url
        found = [_others(alerts, question, link), _own(alerts, question, link)]
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
        labels = _labels(alert)
        about = labels.get("target") or labels.get("instance") or ""
        state = line(str(_status(alert).get("state", "")), 20)
        facts[f"alert {number}"] = f"{labels.get('alertname', '')} {about} ({state})"
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


def _own(answer: Answer, question: Question, link: str) -> Evidence:
    """Tell whether this incident's alerts are silenced or inhibited, and where they are routed."""
    answer, alerts = _listed(answer)
    own = _own_fingerprints(question)
    facts: dict[str, str] = {}
    for alert in alerts:
        if str(alert.get("fingerprint")) not in own:
            continue
        name = _labels(alert).get("alertname", "alert")
        status = _status(alert)
        held = [(how, status.get(f"{how}By")) for how in ("silenced", "inhibited", "muted")]
        by = [f"{how} by {len(who)}" for how, who in held if isinstance(who, list) and who]
        given = alert.get("receivers")
        receivers = (
            [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
        )
        names = ", ".join(line(str(each.get("name")), 100) for each in receivers[:10])
        facts[f"{name} {len(facts) // 2 + 1} is"] = "; ".join(by) or "active"
        facts[f"{name} {len(facts) // 2 + 1} goes to"] = names or "nobody"
    return _evidence(
        answer,
        question,
        "this alert in Alertmanager: silences, inhibitions, receivers",
        "/api/v2/alerts",
        facts=facts,
        link=f"{link.rstrip('/')}/#/alerts",
    )


def _silences(answer: Answer, question: Question, link: str) -> Evidence:
    """Tell which silences are active or about to be."""
    answer, silences = _listed(answer)
    current = [each for each in silences if _status(each).get("state") in {"active", "pending"}]
    facts: dict[str, str] = {}
    for number, silence in enumerate(current[:MOST_SHOWN], 1):
        given = silence.get("matchers")
        matchers = (
            [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
        )
        text = ", ".join(
            f"{each.get('name')}{_operator(each)}{each.get('value')}" for each in matchers[:20]
        )
        comment = line(str(silence.get("comment") or ""), 200)
        facts[f"silence {number}"] = mask_secrets(line(f"{text}: {comment}", 400))
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


def _operator(matcher: Mapping[str, Any]) -> str:
    equal = matcher.get("isEqual", True)
    if matcher.get("isRegex"):
        return "=~" if equal else "!~"
    return "=" if equal else "!="
