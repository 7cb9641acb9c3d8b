"""`verdict`: a report is confirmed, corrected or rejected, here or through who runs."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from responder.config import load_config
from responder.outlet import Outlet
from responder.store import verdicts
from responder.store.engine import StoreError, url_of
from responder.store.store import Store
from responder.verdict import Ruling, Said, VerdictError, said, told

_CALL_SECONDS = 30.0
_DEFAULT_URL = "http://127.0.0.1:10918"


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `verdict`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder verdict",
        description="Says of an incident's report whether its first cause was right. What was the"
        " cause is looked for when the condition comes back, and counted in the metrics.",
        allow_abbrev=False,
    )
    made.add_argument("incident", metavar="INCIDENT", help="the incident's id")
    made.add_argument("verdict", choices=[each.value for each in Ruling])
    made.add_argument(
        "--cause", metavar="COMPONENT:KIND", help="correct: the true cause, as chat:out_of_memory"
    )
    made.add_argument("--note", default="", help="what is worth knowing next time")
    made.add_argument("--by", default=None, help="who says it; your user name when left out")
    made.add_argument("--config.file", dest="config_file", type=Path, default=Path("responder.yml"))
    made.add_argument("--url", help="a responder that runs; else the database, or who holds it")
    made.add_argument("--password-file", metavar="PATH", type=Path, help="of the URL's user")
    return made


async def run(namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet) -> int:
    """Do it; raises VerdictError, ConfigError and StoreError."""
    given: dict[str, Any] = {
        "verdict": namespace.verdict,
        "note": namespace.note,
        "by": namespace.by if namespace.by is not None else _user(),
    }
    if namespace.cause:
        given["cause"] = namespace.cause
    read = said(given)  # what is wrong with it is told before anything is asked
    if namespace.url:
        words = await _through(namespace, given, namespace.url)
    else:
        try:
            words = await _stored(namespace, read, environ)
        except StoreError:
            if not await _is_there(_DEFAULT_URL):
                raise
            outlet.tell(f"through the responder at {_DEFAULT_URL}")
            words = await _through(namespace, given, _DEFAULT_URL)
    outlet.console.print(f"{namespace.incident}: {words}", markup=False, soft_wrap=True)
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in this container
        return ""


async def _stored(namespace: argparse.Namespace, read: Said, environ: Mapping[str, str]) -> str:
    path: Path = namespace.config_file
    config = load_config(path, environ)
    with Store(url_of(config.database_location(), path.parent)) as store:
        verdict = await store.write(
            lambda database: verdicts.add(database, namespace.incident, read, time.time())
        )
    return told(verdict)


async def _through(namespace: argparse.Namespace, given: Mapping[str, Any], address: str) -> str:
    url = URL(address)
    headers = dict[str, str]()
    if url.user:
        headers["Authorization"] = aiohttp.encode_basic_auth(url.user, _password(namespace))
    place = url.with_user(None) / "api/v1/incidents" / namespace.incident / "verdict"
    timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
    shown = url.with_user(None)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.post(place, json=given, allow_redirects=False) as answer,
        ):
            body = await answer.json() if answer.content_type == "application/json" else {}
            if answer.status == 200:
                return str(body["told"])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
        problem = f"{shown}: {error or type(error).__name__}"
        raise VerdictError(f"{problem}; is a responder there?") from error
    remedy = {401: "give a user in --url and --password-file"}.get(answer.status, "see its log")
    told_back = body.get("error") if isinstance(body, dict) else None
    raise VerdictError(str(told_back or f"{shown}: answered {answer.status}; {remedy}"))


def _password(namespace: argparse.Namespace) -> str:
    path: Path | None = namespace.password_file
    try:
        return path.read_text(encoding="utf-8").strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise VerdictError(f"{path}: {error}; give a file that can be read") from None


async def _is_there(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(URL(url) / "-/healthy") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
