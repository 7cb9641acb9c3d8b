"""`investigate`: one incident, or one alert by hand, with each step shown as it is done."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
import orjson

from responder.alert import Change
from responder.assembly import Surroundings
from responder.byhand.subject import SubjectError, described, known, labels_of
from responder.config import Config, EmbeddedSettings, load_config
from responder.incident import Incident
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import Evidence
from responder.investigation.render import render
from responder.investigation.report import Draft
from responder.investigation.stages import Gathered, Ranked, Stages
from responder.investigation.whole import Told, investigated
from responder.investigation.wording import clock as clock_of
from responder.investigation.wording import span
from responder.investigator import investigator
from responder.outlet import Outlet

_URL = "http://localhost:10918"


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `investigate`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder investigate",
        description="Investigates once and prints the report. Nothing is stored or delivered, and"
        " nobody is paged.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("incident", nargs="?", metavar="INCIDENT", help="an incident's id, asked of --url")
    add("--alert", metavar="NAME", help="instead: an alert by its name")
    add("--target", metavar="TARGET", help="the junior's target that it is about")
    add("--severity", default="critical", help="of the alert (default critical)")
    add("--label", action="append", default=[], metavar="NAME=VALUE", help="one more of its labels")
    add("--at", metavar="TIME", help="when it fired, RFC 3339 or Unix seconds (default: now)")
    add("--url", default=_URL, help=f"the responder that knows the incident (default {_URL})")
    add("--config.file", dest="config_file", type=Path, default=Path("responder.yml"))
    add("--embedded", action="store_true", help="from code alone, whatever the configuration says")
    add("--json", action="store_true", help="print the report as JSON")
    return made


async def run(namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet) -> int:
    """Do it; raises SubjectError and ConfigError."""
    config = load_config(namespace.config_file, environ)
    if namespace.embedded:
        config = config.model_copy(update={"analyst": EmbeddedSettings()})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        incident, changes = await _subject(namespace, session)
        around = Surroundings(
            session=session, clock=time.time, model_called=lambda _model, _outcome: None
        )
        return await _investigate(config, around, incident, changes, namespace, outlet)


async def _investigate(  # noqa: PLR0913, PLR0917 - what it is made of
    config: Config,
    around: Surroundings,
    incident: Incident,
    changes: Sequence[Change],
    namespace: argparse.Namespace,
    outlet: Outlet,
) -> int:
    began = time.monotonic()

    def tell(text: str) -> None:
        outlet.tell(f"{time.monotonic() - began:6.2f}s  {text}")

    names, about = ", ".join(incident.alertnames), ", ".join(incident.targets)
    tell(f"{names} {about}".rstrip() + f", since {clock_of(incident.opened_at)} UTC")
    async with investigator(config, around) as stages:
        if not isinstance(stages, Stages):
            raise SubjectError("investigate: another investigation is built in; use the responder")
        report = await investigated(stages, incident, changes, clock=time.time, told=_told(tell))
    tell("report")
    if namespace.json:
        data = orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
        outlet.console.print(data.decode(), markup=False, highlight=False, soft_wrap=True)
    else:
        outlet.console.print(render(report), markup=False, highlight=False, soft_wrap=True)
    return 0


async def _subject(
    namespace: argparse.Namespace, session: aiohttp.ClientSession
) -> tuple[Incident, tuple[Change, ...]]:
    if (namespace.incident is None) is (namespace.alert is None):
        raise SubjectError("investigate: name an incident, or an alert with --alert")
    if namespace.incident is not None:
        return await known(namespace.url, namespace.incident, session, {})
    target = {"target": namespace.target} if namespace.target else {}
    own = {"alertname": namespace.alert, "severity": namespace.severity, **target}
    return described({**labels_of(namespace.label), **own}, _moment(namespace.at)), ()


def _moment(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SubjectError(
            f"--at: {text!r} is no time; write it like 2026-01-31T08:30:00Z or 1769848200"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def _told(tell: Callable[[str], None]) -> Told:
    """Say what each step came to, in a line or a few."""

    def gathered(found: Gathered) -> None:
        groups: dict[str, list[Evidence]] = defaultdict(list)
        for each in found.evidence:
            groups[each.source].append(each)
        for source, members in sorted(groups.items()):
            counts = Counter(each.status.value for each in members)
            said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
            why = next((each.detail for each in members if each.status.value != "ok"), "")
            took = span(max(each.seconds for each in members))
            tell(f"gather {source}: {said}, {took}" + (f" ({why[:80]})" if why else ""))

    def ranked(found: Ranked) -> None:
        off = span(found.onset_uncertainty_seconds)
        tell(f"onset {clock_of(found.onset_at)} UTC, give or take {off}")
        for number, each in enumerate(found.suspects, 1):
            text = f"{each.component}, {each.kind.value} ({each.score:.2f}): {each.explanation}"
            tell(f"suspect {number}: {text}")

    def disproved(found: Sequence[Disproof]) -> None:
        answers = {True: "stood", False: "REFUTED", None: "could not be asked"}
        for each in found:
            tell(f"disproof of {each.suspect}: {each.question} {answers[each.held]}: {each.text}")

    def drafted(found: Draft) -> None:
        tell(f"analyst {found.analyst}" + "".join(f"; {note}" for note in found.notes))

    return Told(gathered=gathered, ranked=ranked, disproved=disproved, drafted=drafted)
