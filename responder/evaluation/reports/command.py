"""`eval reports`: an analyst's reports on recorded incidents, as a table or JSON."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from responder.config import EmbeddedSettings, load_config
from responder.evaluation.problem import EvaluationError
from responder.evaluation.reports.recorded import Recorded, read_folder
from responder.evaluation.reports.table import as_json, pooled, table
from responder.evaluation.reports.trial import Trial, tried
from responder.investigation.analyst import Analyst
from responder.investigation.embedded import NAME, EmbeddedAnalyst
from responder.investigation.mistral import Means, MistralAnalyst, MistralSettings
from responder.outlet import Outlet
from responder.source import Topology

MOST_REPEATS = 100


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `eval reports`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder eval reports",
        description="Puts recorded incidents to the analyst of the configuration again, and holds"
        " its reports against the truth. Ends with 1 when a false claim stands in a report.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("folder", type=Path, metavar="DIR", help="incidents of the API with their truth or verdict")
    add("--config.file", dest="config_file", type=Path, default=Path("responder.yml"))
    add("--embedded", action="store_true", help="code alone; no configuration is read")
    add("--repeat", type=_repeats, default=1, metavar="N", help="times for each incident")
    add("--cases", action="store_true", help="a line for each incident")
    add("--json", action="store_true", help="print JSON")
    return made


def _repeats(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_REPEATS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_REPEATS}")
    return int(text)


async def run(namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet) -> int:
    """Do it; raises EvaluationError and ConfigError."""
    cases = read_folder(namespace.folder)
    settings = None if namespace.embedded else _settings(namespace.config_file, environ)
    name = NAME if settings is None else settings.model
    trials: list[Trial] = []
    async with aiohttp.ClientSession(trust_env=False) as session:
        for case in cases:
            for _ in range(namespace.repeat):
                trials.append(await _once(case, settings, session))
                outlet.tell(f"{case.name}: {trials[-1].outcome}: {trials[-1].named}")
    said = as_json(name, trials) if namespace.json else table(name, trials, cases=namespace.cases)
    outlet.console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 1 if pooled(trials).false else 0


def _settings(path: Path, environ: Mapping[str, str]) -> MistralSettings | None:
    analyst = load_config(path, environ).analyst
    if isinstance(analyst, MistralSettings):
        return analyst
    if isinstance(analyst, EmbeddedSettings):
        return None
    raise EvaluationError(path, "its analyst cannot be evaluated", "set kind mistral or embedded")


async def _once(
    case: Recorded, settings: MistralSettings | None, session: aiohttp.ClientSession
) -> Trial:
    """Ask an analyst that knows of no other case: no breaker and no rate carries over."""
    analyst: Analyst = EmbeddedAnalyst()
    if settings is None:
        return await tried(case, analyst, time.time)
    # The tools that need no source; those of the incident's time are gone.
    means = Means(sources=(), topology=Topology(), session=session, clock=time.time)
    model = MistralAnalyst(settings, means=means)
    await model.warm_up()
    try:
        return await tried(case, model, time.time)
    finally:
        await model.aclose()
