"""What the juniors saw themselves: each target's state, and its last failing exchanges."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import aiohttp
from pydantic import Field

from responder.access import Access, AccessError
from responder.guard import clean, clean_labels, line, mask_secrets
from responder.investigation.evidence import Evidence, Quantity, Status, Window
from responder.remote import Answer, Remote, failed, unavailable
from responder.source import Finding, Question, sources
from toolkit.settings import Duration

MOST_TARGETS = 200
MOST_FAILURES = 10
MOST_EXCERPTS = 3
MOST_MEASUREMENTS = 30
LONGEST_EXCERPT = 500
LONGEST_ANSWER_BYTES = 8 << 20
PATH = "/api/v1/targets"


@sources.register("exporter")
class ExporterSource(Access):
    """A Vigie exporter."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    timeout: Duration = Field(5.0, gt=0, description="for its answer")

    async def gather(self, question: Question) -> Finding:
        """Ask for all targets at once; never raises."""
        link = self.external_url or self.url
        try:
            remote = await self._remote(question.session, question.deadline_seconds)
        except AccessError as error:
            return Finding(evidence=list(_evidence(unavailable(str(error)), question, link)))
        answer = await question.moment.once(
            (remote.identity, PATH),
            lambda: remote.get(PATH),
            is_good=lambda answer: answer.status is Status.OK,
            until=remote.until,
        )
        return Finding(evidence=list(_evidence(answer, question, link)))

    async def exchanges(self, target: str, question: Question) -> Sequence[Evidence]:
        """Tell what the junior of one target saw, with its last failing exchanges; never raises."""
        made = _Maker(question=question, link=self.external_url or self.url, seconds=0.0)
        try:
            remote = await self._remote(question.session, question.deadline_seconds)
        except AccessError as error:
            return [made.evidence("a target", Status.UNAVAILABLE, detail=str(error))]
        found, targets = _targets(await remote.get(PATH))
        if found.status is not Status.OK:
            return [made.evidence("a target", found.status, detail=found.problem)]
        known = next((each for each in targets if str(each["name"]) == target), None)
        if known is None:
            detail = "the exporter knows no target of this name"
            return [made.evidence("a target", Status.EMPTY, detail=detail)]
        return [made.target(known, detailed=True)]

    async def components(
        self, label: str, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Mapping[str, str] | None:
        """Give what each target's *label* says; None when the exporter cannot be asked."""
        try:
            remote = await self._remote(session, deadline_seconds)
        except AccessError:
            return None
        answer = await remote.get(PATH)
        found, targets = _targets(answer)
        if found.status is not Status.OK:
            return None
        return {
            str(target["name"]): clean_labels(labels)[label]
            for target in targets
            if isinstance(labels := target.get("labels"), Mapping) and labels.get(label)
        }

    async def _remote(self, session: aiohttp.ClientSession, deadline_seconds: float) -> Remote:
        until = asyncio.get_running_loop().time() + min(self.timeout, deadline_seconds)
        return await self.remote(self.url, session, until=until, limit_bytes=LONGEST_ANSWER_BYTES)


def _evidence(answer: Answer, question: Question, link: str) -> Iterator[Evidence]:
    found, targets = _targets(answer)
    own = question.incident.targets
    made = _Maker(question=question, link=link, seconds=round(answer.seconds, 4))
    if found.status is not Status.OK or not targets:
        status = Status.EMPTY if found.status is Status.OK else found.status
        yield made.evidence("targets of the exporter", status, detail=found.problem)
        return
    targets.sort(key=lambda each: (str(each.get("name")) not in own, str(each.get("name"))))
    for target in targets[:MOST_TARGETS]:
        yield made.target(target, detailed=str(target.get("name")) in own)
    known = {str(each.get("name")) for each in targets}
    for name in own:
        if name not in known:
            yield made.evidence(
                f"target {name}", Status.EMPTY, detail="the exporter knows no target of this name"
            )
    if len(targets) > MOST_TARGETS:
        left = f"{len(targets) - MOST_TARGETS} targets over the limit"
        yield made.evidence("further targets", Status.UNAVAILABLE, detail=left)


def _targets(answer: Answer) -> tuple[Answer, list[Mapping[str, Any]]]:
    if answer.status is not Status.OK:
        return answer, []
    listed = answer.body.get("targets") if isinstance(answer.body, Mapping) else None
    if not isinstance(listed, list):
        return failed("the answer has no list of targets"), []
    return answer, [each for each in listed if isinstance(each, Mapping) and each.get("name")]


class _Maker:
    """Makes the evidence of one answer."""

    def __init__(self, *, question: Question, link: str, seconds: float) -> None:
        self._question = question
        self._link = link
        self._seconds = seconds

    def evidence(  # noqa: PLR0913 - the fields of a piece of evidence
        self,
        title: str,
        status: Status,
        *,
        component: str | None = None,
        facts: Mapping[str, str] | None = None,
        quantities: tuple[Quantity, ...] = (),
        detail: str = "",
    ) -> Evidence:
        """Return a piece of evidence of the exporter."""
        window = self._question.window
        return Evidence(
            id="",
            source="exporter",
            title=line(title, 200),
            query=PATH,
            window=Window(start=window.start, end=window.end),
            status=status,
            component=component,
            facts=dict(facts or {}),
            quantities=quantities,
            detail=detail,
            link=self._link if status is Status.OK else "",
            seconds=self._seconds,
        )

    def target(self, target: Mapping[str, Any], *, detailed: bool) -> Evidence:
        """Return what the junior of one target saw."""
        name = line(str(target["name"]), 200)
        given = target.get("labels")
        labels = clean_labels(given) if isinstance(given, Mapping) else {}
        component = labels.get(self._question.topology.component_label) or name
        facts = {"target": name, "origin": "junior"}
        facts |= {
            key: line(str(target[key]), 200)
            for key in ("state", "reason", "kind", "host")
            if target.get(key)
        }
        quantities = _measured(target) if detailed else ()
        if detailed:
            told, counted = _failures(target.get("failures"))
            facts |= told
            quantities += counted
        return self.evidence(
            f"{name} as its junior sees it",
            Status.OK,
            component=component,
            facts=facts,
            quantities=quantities,
        )


def _measured(target: Mapping[str, Any]) -> tuple[Quantity, ...]:
    given = target.get("measurements")
    measured = given if isinstance(given, Mapping) else {}
    named = {"last run": target.get("last_run_timestamp_seconds")}
    named |= {"interval": target.get("interval_seconds")}
    quantities = []
    for name, value in [*named.items(), *sorted(measured.items())[:MOST_MEASUREMENTS]]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown = line(str(name), 100)
            quantities.append(Quantity(name=shown, value=float(value), unit=_unit(shown)))
    return tuple(quantities)


def _unit(name: str) -> str:
    if name == "last run" or name.endswith("timestamp_seconds"):
        return "timestamp"
    if name == "interval" or name.endswith("_seconds"):
        return "seconds"
    return {"ratio": "ratio", "bytes": "bytes"}.get(name.rpartition("_")[2], "")


def _failures(given: Any) -> tuple[dict[str, str], tuple[Quantity, ...]]:
    """Return the last failing exchanges as facts, and how many there were of each reason."""
    listed = given if isinstance(given, list) else []
    failures = [each for each in listed if isinstance(each, Mapping)]
    facts: dict[str, str] = {}
    quantities: list[Quantity] = []
    reasons = Counter(line(str(each.get("reason")), 40) for each in failures)
    for number, failure in enumerate(failures[:MOST_FAILURES], 1):
        for key, limit in (("reason", 40), ("detail", 300), ("excerpt", LONGEST_EXCERPT)):
            if failure.get(key) and (number <= MOST_EXCERPTS or key == "reason"):
                text = mask_secrets(clean(str(failure[key]), limit))
                facts[f"failure {number} {key}"] = text
        if failure.get("status_code"):
            facts[f"failure {number} status code"] = line(str(failure["status_code"]), 10)
        at = failure.get("timestamp_seconds")
        if isinstance(at, int | float):
            named = f"failure {number}"
            quantities.append(Quantity(name=named, value=float(at), unit="timestamp", at=float(at)))
    for reason, count in sorted(reasons.items()):
        quantities.append(
            Quantity(name="failures kept", value=count, unit="count", labels={"reason": reason})
        )
    return facts, tuple(quantities)
