"""The command: run (default), init URL, check, probe NAME, describe [--schema], migrate."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.console import Console

from exporter import config, describe, editor, storage, terminal, web
from exporter.agent import JuniorAgent, Surroundings
from exporter.blackbox import migrate
from exporter.budget import Ledger
from exporter.finding import Finder
from exporter.fleet import Fleet, settle
from exporter.instruments import Instruments
from exporter.record import TargetRecord
from exporter.sharding import Shard, ShardError, shard_of
from exporter.survey.command import Asked, propose
from exporter.survey.look import SurveyError
from exporter.target import State
from exporter.transport import open_transport
from exporter.wire import lag
from exporter.witness import Witness
from toolkit import lifecycle, logging
from toolkit.arguments import CommonArguments, add_common, common
from toolkit.settings import ConfigError
from toolkit.web import load_web_config, serve

log = structlog.get_logger(__name__)

_COMMANDS = ("run", "init", "check", "probe", "describe", "migrate")
_NAMED = {
    "init": "no address; give the endpoint's url",
    "probe": "no target; name one of the configuration's",
}


def main() -> int:
    """Read the command line and do what it says; return the exit code."""
    parser = _parser()
    namespace = parser.parse_args()
    arguments = common(namespace, config_file="exporter.yml", listen_address=":10917")
    # What a command prints is its result; what happens on the way is for those who run on.
    told = arguments.log_level if namespace.command == "run" else _quieter(arguments.log_level)
    logging.configure(level=told, format=arguments.log_format)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core has lines of its own for failures
    if namespace.command in _NAMED and not namespace.name:
        parser.error(f"{namespace.command}: {_NAMED[namespace.command]}")
    try:
        return _commands(namespace, arguments, os.environ)[namespace.command]()
    except (ConfigError, ShardError, SurveyError) as error:
        print(error, file=sys.stderr)
        return 1


def _quieter(level: str) -> str:
    return "warning" if level == "info" else level


def _commands(
    namespace: argparse.Namespace, arguments: CommonArguments, environ: Mapping[str, str]
) -> Mapping[str, Callable[[], int]]:
    def run() -> int:
        shard = shard_of(namespace.shard, namespace.shard_count_file, time.monotonic)
        return lifecycle.run(_run(arguments, shard, namespace.storage_path, environ))

    def probe() -> int:
        return lifecycle.run(_probe(arguments, namespace.name, environ, as_json=namespace.json))

    return {
        "run": run,
        "probe": probe,
        "init": lambda: lifecycle.run(_init(_asked(namespace), environ)),
        "check": lambda: _check(arguments.config_file, environ),
        "describe": lambda: _describe(namespace.name, as_schema=namespace.schema),
        "migrate": lambda: _migrate(Path(namespace.name or "blackbox.yml"), namespace.allow_target),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie-exporter", description="Probes ML endpoints and exports what it saw."
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=_COMMANDS,
        help="run: serve metrics (default); init: find out what answers at an address, and write"
        " a configuration for it; check: read the configuration; probe: run one target once;"
        " describe: print the reference of all kinds; migrate: give a blackbox_exporter"
        " configuration as ours",
    )
    parser.add_argument(
        "name",
        nargs="?",
        help="the address, for init; the target, for probe; one kind, for describe; the file, for"
        " migrate",
    )
    parser.add_argument(
        "--allow-target", action="append", default=[], help="for migrate: a host that may be asked"
    )
    parser.add_argument("--schema", action="store_true", help="describe as a JSON Schema")
    parser.add_argument("--json", action="store_true", help="probe: print JSON, for machines")
    _add_init(parser)
    parser.add_argument(
        "--shard", default="", metavar="I/N", help="watch the share I (from 0) of N of the targets"
    )
    parser.add_argument(
        "--shard.count-file",
        dest="shard_count_file",
        type=Path,
        metavar="PATH",
        help="holds N, and is watched; I is then the ordinal at the end of the host's name",
    )
    parser.add_argument(
        "--storage.path",
        dest="storage_path",
        type=Path,
        metavar="FOLDER",
        help="keeps there, over a restart, what of the budgets is spent; one exporter's own",
    )
    add_common(parser)
    return parser


def _add_init(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("init").add_argument
    add("--key-env", default="", metavar="NAME", help="the variable that holds the endpoint's key")
    add("--ca-file", type=Path, metavar="PATH", help="PEM certificates to trust")
    add("--model", default="", help="the model to watch, in place of the one that init chooses")
    add("--try", dest="is_tried", action="store_true", help="also ask it once, as a run would")


def _asked(namespace: argparse.Namespace) -> Asked:
    return Asked(
        url=namespace.name,
        key_env=namespace.key_env,
        ca_file=namespace.ca_file,
        model=namespace.model,
        is_tried=namespace.is_tried,
    )


async def _init(asked: Asked, environ: Mapping[str, str]) -> int:
    async with open_transport() as transport:
        return _print((await propose(asked, transport, environ)).rstrip())


def _describe(name: str | None, *, as_schema: bool) -> int:
    try:
        return _print(_schema_text() if as_schema else describe.reference(name))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2


def _print(text: str) -> int:
    """Print a text for as long as it is read."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader, such as head, has enough; so the interpreter's last flush has to go elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _schema_text() -> str:
    return json.dumps(editor.schema(), indent=2)


def _migrate(path: Path, allowed: Sequence[str]) -> int:
    """Print our configuration, and on the error output what is left to do by hand.

    1 when no module is in it.
    """
    found = migrate.read(path, allowed=allowed)
    for note in found.notes:
        print(note, file=sys.stderr)
    print(f"{found.written} modules written, {found.left_out} left out", file=sys.stderr)
    _print(found.text)
    return 0 if found.written else 1


def _check(path: Path, environ: Mapping[str, str]) -> int:
    read = config.load(path, environ=environ)
    for warning in read.warnings():
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{path}: {len(read.targets)} targets, {len(read.modules)} probe modules: all right")
    return 0


async def _probe(
    arguments: CommonArguments, name: str, environ: Mapping[str, str], *, as_json: bool
) -> int:
    """Run one target once and print what it brought; 0 when it is ok or degraded."""
    read = config.load(arguments.config_file, environ=environ)
    target = next((each for each in read.targets if each.name == name), None)
    if target is None:
        known = ", ".join(each.name or "" for each in read.targets)
        print(f"{name}: no such target; known: {known}", file=sys.stderr)
        return 2
    async with open_transport() as transport:
        witness = Witness(transport)
        around = Surroundings(transport=witness, instruments=Instruments())
        record = TargetRecord(target, now=around.clock())
        await JuniorAgent(record, around).run_once()
    now = around.clock()
    state = record.state(now)
    if as_json:
        _print(json.dumps(web.described(record, now), indent=2))
    else:
        shown = terminal.Shown(target=target, outcome=record.last, state=state, said=witness.said)
        terminal.show(shown, Console(soft_wrap=not sys.stdout.isatty()))
    return 0 if state in {State.OK, State.DEGRADED} else 1


@dataclass(kw_only=True, slots=True)
class _Program:
    """What a reload touches."""

    path: Path
    environ: Mapping[str, str]
    fleet: Fleet
    finder: Finder
    instruments: Instruments
    one_at_a_time: asyncio.Lock

    async def load(self) -> None:
        """Read the configuration and run it; a broken one changes nothing but a metric.

        Raises ConfigError.
        """
        async with self.one_at_a_time:
            try:
                read = await asyncio.to_thread(config.load, self.path, environ=self.environ)
            except ConfigError as error:
                self.instruments.reload_successful.set(0)
                if self.fleet.started:  # at the start the command says it itself
                    log.warning("configuration refused", error=str(error))
                raise
            for warning in read.warnings():
                log.warning("configuration is unlikely to be meant", warning=warning)
            await self.finder.take(read)
            settle()
            self.instruments.reload_successful.set(1)
            self.instruments.reload_success_timestamp.set(time.time())


async def _run(
    arguments: CommonArguments, shard: Shard, folder: Path | None, environ: Mapping[str, str]
) -> int:
    settings = load_web_config(arguments.web_config_file, environ)
    instruments, ledger = Instruments(), Ledger()
    instruments.budget = lambda: ledger.figures(time.time())
    async with (
        open_transport() as transport,
        storage.kept(ledger, folder, instruments, time.time) as keeper,
        lifecycle.Supervisor() as supervisor,
    ):
        around = Surroundings(transport=transport, instruments=instruments, ledger=ledger)
        fleet = Fleet(supervisor, around)
        instruments.watch_fleet(lambda: len(fleet.records), supervisor.deaths)
        finder = Finder(
            fleet,
            transport,
            instruments,
            shard=shard,
            clock=around.clock,
            wall_clock=around.wall_clock,
        )
        program = _Program(
            path=arguments.config_file,
            environ=environ,
            fleet=fleet,
            finder=finder,
            instruments=instruments,
            one_at_a_time=asyncio.Lock(),
        )
        await program.load()
        supervisor.spawn("discovery", finder.run)
        if keeper is not None:
            supervisor.spawn("storage", keeper.run)
        supervisor.spawn("loop lag", lag.measure, instruments.loop_lag.observe)
        supervisor.spawn("reload on SIGHUP", lifecycle.each_hangup, program.load)
        app = web.build(fleet, around, settings, program.load)
        async with serve(app, arguments.listen_addresses, settings) as addresses:
            log.info("listening", addresses=",".join(addresses))
            await lifecycle.until_stopped()
    return 0


if __name__ == "__main__":
    sys.exit(main())
