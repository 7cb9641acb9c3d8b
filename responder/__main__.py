"""The responder's command line: run (default), check, requeue, backup, and what is asked once."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from responder.assembly import Startup, running
from responder.backtest import command as backtest
from responder.backup import run as backup
from responder.byhand import command as byhand
from responder.byhand.subject import SubjectError
from responder.collector import collect_rarely
from responder.config import load_config
from responder.evaluation import command as evaluation
from responder.evaluation.problem import EvaluationError
from responder.evaluation.reports import command as reports
from responder.guard import mask_secrets
from responder.investigator import investigator
from responder.judging import command as judging
from responder.outlet import Outlet
from responder.replaying import command as replaying
from responder.replaying.replay import ReplayError
from responder.requeue import Errand, RequeueError
from responder.requeue import run as requeue
from responder.store.engine import StoreError
from responder.verdict import VerdictError
from toolkit import arguments
from toolkit.arguments import CommonArguments
from toolkit.lifecycle import each_hangup, run, until_stopped
from toolkit.logging import configure
from toolkit.problem import ConfigError
from toolkit.web import load_web_config


def main() -> int:
    """Run the command that the arguments name; gives the exit code."""
    asked = _ASKED.get(next(iter(sys.argv[1:]), ""))
    if asked is not None:
        return asked(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="vigie-responder",
        description="Explains the alerts that Alertmanager sends.",
        epilog="Other commands, each with its own --help: investigate (one incident, now),"
        " backtest (past alerts), eval (recorded incidents), replay (what a model said),"
        " verdict (was a report right).",
    )
    parser.add_argument(
        "command", nargs="?", choices=("run", "check", "requeue", "backup"), default="run"
    )
    _add_requeue(parser)
    parser.add_argument("--to", type=Path, metavar="FILE", help="backup: the file to write")
    arguments.add_common(parser)
    namespace = parser.parse_args()
    common = arguments.common(namespace, config_file="responder.yml", listen_address=":10918")
    configure(level=common.log_level, format=common.log_format, mask=mask_secrets)
    if namespace.command != "requeue" and (namespace.ids or namespace.all):
        parser.error("posts are named for requeue alone")
    try:
        if namespace.command == "requeue":
            if bool(namespace.ids) == namespace.all:
                parser.error("requeue: name posts, or --all")
            return _requeue(common, namespace)
        if namespace.command == "backup":
            if namespace.to is None:
                parser.error("backup: name the file to write, with --to")
            return _backup(common, namespace.to)
        return _check(common) if namespace.command == "check" else run(_run(common))
    except (ConfigError, StoreError, RequeueError) as error:
        print(error, file=sys.stderr)
        return 1


def _outlet() -> Outlet:
    return Outlet(console=Console(), tell=lambda text: print(text, file=sys.stderr))


def _backtest(arguments_given: Sequence[str]) -> int:
    namespace = backtest.parser().parse_args(arguments_given)
    try:
        return asyncio.run(backtest.run(namespace, os.environ, _outlet(), now=time.time()))
    except (ConfigError, backtest.BacktestError) as error:
        print(error, file=sys.stderr)
        return 1


def _investigate(arguments_given: Sequence[str]) -> int:
    namespace = byhand.parser().parse_args(arguments_given)
    configure(level="error", format="logfmt", mask=mask_secrets)
    try:
        return asyncio.run(byhand.run(namespace, os.environ, _outlet()))
    except (ConfigError, SubjectError) as error:
        print(error, file=sys.stderr)
        return 1


def _replay(arguments_given: Sequence[str]) -> int:
    namespace = replaying.parser().parse_args(arguments_given)
    try:
        return asyncio.run(replaying.run(namespace, os.environ, _outlet()))
    except (ConfigError, StoreError, ReplayError) as error:
        print(error, file=sys.stderr)
        return 1


def _verdict(arguments_given: Sequence[str]) -> int:
    namespace = judging.parser().parse_args(arguments_given)
    try:
        return asyncio.run(judging.run(namespace, os.environ, _outlet()))
    except (ConfigError, StoreError, VerdictError) as error:
        print(error, file=sys.stderr)
        return 1


def _evaluate(arguments_given: Sequence[str]) -> int:
    if arguments_given[:1] == ["reports"]:
        return _evaluate_reports(arguments_given[1:])
    namespace = evaluation.parser().parse_args(arguments_given)
    outlet = evaluation.Outlet(say=print, tell=lambda line: print(line, file=sys.stderr))
    try:
        return evaluation.run(namespace, os.environ, outlet)
    except EvaluationError as error:
        print(error, file=sys.stderr)
        return 1


def _evaluate_reports(arguments_given: Sequence[str]) -> int:
    namespace = reports.parser().parse_args(arguments_given)
    configure(level="error", format="logfmt", mask=mask_secrets)
    try:
        return asyncio.run(reports.run(namespace, os.environ, _outlet()))
    except (ConfigError, EvaluationError) as error:
        print(error, file=sys.stderr)
        return 1


def _check(common: CommonArguments) -> int:
    load_config(common.config_file, os.environ)
    load_web_config(common.web_config_file, os.environ)
    print(f"{common.config_file}: ok")
    return 0


def _add_requeue(parser: argparse.ArgumentParser) -> None:
    """Add what `requeue` takes."""
    group = parser.add_argument_group("requeue: reads posts in quarantine again")
    group.add_argument("ids", nargs="*", metavar="ID", help="posts, as /quarantine names them")
    group.add_argument("--all", action="store_true", help="every post in quarantine")
    group.add_argument(
        "--url", help="a responder that runs; else the database itself, or who holds it here"
    )
    group.add_argument(
        "--password-file", metavar="PATH", type=Path, help="of the user that the URL names"
    )


def _requeue(common: CommonArguments, namespace: argparse.Namespace) -> int:
    port = common.listen_addresses[0].rpartition(":")[2]
    password: Path | None = namespace.password_file
    errand = Errand(
        ids=namespace.ids,
        is_all=namespace.all,
        config=load_config(common.config_file, os.environ),
        directory=common.config_file.parent,
        url=namespace.url,
        default_url=f"http://127.0.0.1:{port}",
        password=_read_password(password) if password else None,
    )
    return asyncio.run(requeue(errand, print))


def _backup(common: CommonArguments, to: Path) -> int:
    location = load_config(common.config_file, os.environ).database_location()
    return backup(location, common.config_file.parent, to, print)


def _read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequeueError(f"{path}: {error}; give a file that can be read") from None


async def _run(common: CommonArguments) -> int:
    startup = Startup(
        read=lambda: load_config(common.config_file, os.environ),
        directory=common.config_file.parent,
        addresses=common.listen_addresses,
        web=load_web_config(common.web_config_file, os.environ),
        version=arguments.version(),
        build=investigator,
    )
    async with running(startup) as responder:
        collect_rarely()
        responder.supervisor.spawn("reload on hangup", each_hangup, responder.reload)
        await until_stopped()
    return 0


_ASKED = {
    "backtest": _backtest,
    "eval": _evaluate,
    "investigate": _investigate,
    "replay": _replay,
    "verdict": _verdict,
}

if __name__ == "__main__":
    sys.exit(main())
