"""Runs the whole lab: `python -m lab`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from aiohttp import web

from lab import addresses, control, truth
from lab.changes import ChangeLog, Receiver
from lab.processes import Launch, ProcessFailedError
from toolkit import logging
from toolkit.lifecycle import run, until_stopped

# Linear algebra on rows of five needs no threads, and each would cost memory.
SMALL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="host of the addresses not given")
    parser.add_argument(
        "--address",
        action="append",
        default=[],
        metavar="NAME:PORT=HOST:PORT",
        help=f"where a component really listens; NAME:PORT is of {', '.join(addresses.SHIPPED)}",
    )
    parser.add_argument("--certs-dir", type=Path, default=Path("certs"), help="ca.pem goes here")
    parser.add_argument("--changes-to", metavar="URL", help="where changes are posted")
    parser.add_argument("--changes-token-file", type=Path, help="bearer token of that address")
    parser.add_argument("--changes-every", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument(
        "--day-seconds", type=float, default=1800.0, help="length of a day's rhythm"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-load", dest="load", action="store_false", help="start no users")
    return parser.parse_args()


async def _run(asked: argparse.Namespace, where: dict[str, str], launch: Launch) -> None:
    receiver = None
    if asked.changes_to:
        receiver = Receiver(url=asked.changes_to, token_file=asked.changes_token_file)
    changes = ChangeLog(receiver=receiver, seed=asked.seed)
    lab = control.build(launch, changes, truth.load(), load=asked.load)
    runner = web.AppRunner(
        control.Control(lab=lab).application(), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        host, port = addresses.split(where["lab:8090"])
        await web.TCPSite(runner, addresses.bind_host(host) or None, port).start()
        async with control.running(lab, asked.changes_every):
            await until_stopped()
    finally:
        await runner.cleanup()


def main() -> int:
    """Run the lab until SIGTERM or SIGINT; returns the exit code."""
    asked = _arguments()
    logging.configure(level="info", format="logfmt")
    try:
        where = addresses.parse(asked.address, asked.host)
    except ValueError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    arguments = [f"--address={name}={address}" for name, address in where.items()]
    arguments += [f"--certs-dir={asked.certs_dir}", f"--seed={asked.seed}"]
    arguments += [f"--day-seconds={asked.day_seconds}"]
    launch = Launch(arguments=arguments, environ={**os.environ, **SMALL})
    try:
        run(_run(asked, where, launch))
    except (ProcessFailedError, OSError) as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
