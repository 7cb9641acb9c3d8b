"""`replay`: the journal of one incident, turn by turn, and the report that it leads to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import orjson

from responder.config import load_config
from responder.investigation.render import render
from responder.investigation.turns import Answered, Ended, Entry, Looked, Switched, Tried
from responder.journal import read
from responder.outlet import Outlet
from responder.replaying.replay import Played, ReplayError, played
from responder.store import reports, turns
from responder.store.engine import Connection, url_of
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.turns import Row


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `replay`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder replay",
        description="Plays what a model said about an incident again, from the journal: no model"
        " and no source is asked. Ends with 0 when the report comes out as it was stored.",
        allow_abbrev=False,
    )
    made.add_argument("incident", metavar="INCIDENT", help="the incident's id")
    made.add_argument("--config.file", dest="config_file", type=Path, default=Path("responder.yml"))
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    return made


async def run(namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet) -> int:
    """Do it; raises ReplayError, ConfigError and StoreError."""
    path: Path = namespace.config_file
    config = load_config(path, environ)
    with Store(url_of(config.database_location(), path.parent)) as store:
        dossier, rows = await store.read(lambda database: _stored(database, namespace.incident))
    if not rows:
        raise ReplayError(f"replay: no model's turns are journalled for {namespace.incident}")
    if dossier is None:
        raise ReplayError(f"replay: {namespace.incident} has no report yet")
    try:
        opening, entries = read(rows)
    except ValueError as error:
        raise ReplayError(f"replay: {error}; another version wrote it") from None
    for number, each in enumerate(entries, 1):
        outlet.tell(f"{number:3d}  {_words(each)}")
    return _told(played(opening, entries, dossier), namespace, outlet)


def _stored(connection: Connection, incident_id: str) -> tuple[Dossier | None, list[Row]]:
    return (
        reports.of_incident(connection, incident_id),
        list(turns.of_incident(connection, incident_id)),
    )


def _told(found: Played, namespace: argparse.Namespace, outlet: Outlet) -> int:
    report = found.report
    if namespace.json:
        text = orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode()
    else:
        text = render(report)
    outlet.console.print(text, markup=False, highlight=False, soft_wrap=True)
    same = "the report is the one that was stored"
    outlet.tell(same if not found.differs else f"differs: {', '.join(found.differs)}")
    return 1 if found.differs else 0


def _words(entry: Entry) -> str:
    match entry:
        case Answered():
            names = ", ".join(each.name for each in entry.calls) or "nothing"
            limit = f" ({entry.limit})" if entry.limit else ""
            return f"{entry.model} calls {names}{limit}"
        case Looked():
            told = (f"{e.name} {e.outcome} {' '.join(e.evidence)}".strip() for e in entry.results)
            return "looked: " + "; ".join(told)
        case Tried():
            answers = {True: "stood", False: "REFUTED", None: "could not be asked"}
            tried = entry.refutation
            return f"refutation: {tried.question} {answers[tried.held]}: {tried.text}"
        case Switched():
            return f"the fallback goes on: {entry.problem}"
        case Ended():
            return f"ended: {entry.problem}"
