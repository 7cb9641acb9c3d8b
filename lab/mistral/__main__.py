"""Serves the stand-in of the Mistral API: `python -m lab.mistral`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from aiohttp import web

from lab import addresses
from lab.mistral.server import NAMES, Persona, StandIn
from lab.mistral.shapes import SHAPES
from toolkit import logging
from toolkit.lifecycle import run, until_stopped


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.mistral", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8099", metavar="HOST:PORT")
    parser.add_argument("--key", help="the only key that is taken; without it, any is")
    parser.add_argument(
        "--persona",
        default="honest",
        choices=NAMES,
        help='how it behaves at first; PUT /persona {"name": ...} changes it',
    )
    parser.add_argument(
        "--shape", default="mistral", choices=SHAPES, help="whose server it is like"
    )
    return parser.parse_args(argv)


async def _run(asked: argparse.Namespace) -> None:
    host, port = addresses.split(asked.listen)
    stand_in = StandIn(persona=Persona(name=asked.persona), key=asked.key, shape=asked.shape)
    runner = web.AppRunner(stand_in.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, addresses.bind_host(host) or None, port).start()
        await until_stopped()
    finally:
        await runner.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    asked = _arguments(argv)
    logging.configure(level="info", format="logfmt")
    try:
        run(_run(asked))
    except (OSError, ValueError) as failure:
        print(f"lab.mistral: {failure}; choose another --listen", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
