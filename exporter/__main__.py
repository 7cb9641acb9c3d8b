"""The command: run (default), check, probe NAME, describe [--schema]."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from exporter import config, describe, web
from exporter.agent import JuniorAgent, Surroundings
from exporter.blackbox import migrate
from exporter.finding import Finder
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.record import TargetRecord
from exporter.sharding import Shard, ShardError, shard_of
from exporter.target import State
from exporter.transport import open_transport
from exporter.wire import lag
from toolkit import lifecycle, logging
from toolkit.arguments import CommonArguments, add_common, common
from toolkit.settings import ConfigError
from toolkit.web import load_web_config, serve

log = structlog.get_logger(__name__)

_COMMANDS = ("run", "check", "probe", "describe", "migrate")


def main() -> int:
    """Read the command line and do what it says; return the exit code."""
    parser = _parser()
    namespace = parser.parse_args()
    arguments = common(namespace, config_file="exporter.yml", listen_address=":10917")
    logging.configure(level=arguments.log_level, format=arguments.log_format)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core has lines of its own for failures
    if namespace.command == "probe" and not namespace.name:
        parser.error("probe: no target; name one of the configuration's")
    if namespace.command == "describe":
        return _print(_schema_text() if namespace.schema else describe.reference())
    try:
        if namespace.command == "check":
            return _check(arguments.config_file, os.environ)
        if namespace.command == "migrate":
            return _migrate(Path(namespace.name or "blackbox.yml"), namespace.allow_target)
        if namespace.command == "probe":
            return lifecycle.run(_probe(arguments, namespace.name, os.environ))
        shard = shard_of(namespace.shard, namespace.shard_count_file, time.monotonic)
        return lifecycle.run(_run(arguments, shard, os.environ))
    except (ConfigError, ShardError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie-exporter", description="Probes ML endpoints and exports what it saw."
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=_COMMANDS,
        help="run: serve metrics (default); check: read the configuration;"
        " probe: run one target once; describe: print the reference of all kinds;"
        " migrate: give a blackbox_exporter configuration as ours",
    )
    parser.add_argument("name", nargs="?", help="the target, for probe; the file, for migrate")
    parser.add_argument(
        "--allow-target", action="append", default=[], help="for migrate: a host that may be asked"
    )
    parser.add_argument("--schema", action="store_true", help="describe as a JSON Schema")
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
    add_common(parser)
    return parser


def _print(text: str) -> int:
    """Print a text for as long as it is read."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader, such as head, has enough; so the interpreter's last flush has to go elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _schema_text() -> str:
    return json.dumps(config.schema(), indent=2)


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


async def _probe(arguments: CommonArguments, name: str, environ: Mapping[str, str]) -> int:
    """Run one target once and print what it brought; 0 when it is ok or degraded."""
    read = config.load(arguments.config_file, environ=environ)
    target = next((each for each in read.targets if each.name == name), None)
    if target is None:
        known = ", ".join(each.name or "" for each in read.targets)
        print(f"{name}: no such target; known: {known}", file=sys.stderr)
        return 2
    async with open_transport() as transport:
        around = Surroundings(transport=transport, instruments=Instruments())
        record = TargetRecord(target, now=around.clock())
        await JuniorAgent(record, around).run_once()
    now = around.clock()
    print(json.dumps(web.described(record, now), indent=2))
    return 0 if record.state(now) in {State.OK, State.DEGRADED} else 1


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
            self.instruments.reload_successful.set(1)
            self.instruments.reload_success_timestamp.set(time.time())


async def _run(arguments: CommonArguments, shard: Shard, environ: Mapping[str, str]) -> int:
    settings = load_web_config(arguments.web_config_file, environ)
    instruments = Instruments()
    async with open_transport() as transport, lifecycle.Supervisor() as supervisor:
        around = Surroundings(transport=transport, instruments=instruments)
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
        supervisor.spawn("loop lag", lag.measure, instruments.loop_lag.observe)
        supervisor.spawn("reload on SIGHUP", lifecycle.each_hangup, program.load)
        app = web.build(fleet, around, settings, program.load)
        async with serve(app, arguments.listen_addresses, settings) as addresses:
            log.info("listening", addresses=",".join(addresses))
            await lifecycle.until_stopped()
    return 0


if __name__ == "__main__":
    sys.exit(main())
