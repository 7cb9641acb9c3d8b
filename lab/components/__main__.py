"""Runs one component: `python -m lab.components NAME --address NAME:PORT=HOST:PORT ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from prometheus_client import disable_created_metrics

from lab import addresses
from lab.component import Site
from lab.processes import COMPONENTS
from lab.serve import serve
from toolkit import logging
from toolkit.lifecycle import run


def main() -> int:
    """Serve one component until its parent closes the pipe or a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m lab.components", description=__doc__)
    parser.add_argument("name", choices=sorted(COMPONENTS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--address", action="append", default=[], metavar="NAME:PORT=HOST:PORT")
    parser.add_argument("--version", default="0")
    parser.add_argument("--certs-dir", type=Path, default=Path("certs"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day-seconds", type=float, default=1800.0)
    asked = parser.parse_args()
    logging.configure(level="info", format="logfmt")
    disable_created_metrics()  # type: ignore[no-untyped-call]
    site = Site(
        addresses=addresses.parse(asked.address, asked.host),
        version=asked.version,
        certs_dir=asked.certs_dir,
        seed=asked.seed,
        day_seconds=asked.day_seconds,
    )
    component = importlib.import_module(COMPONENTS[asked.name].module).build(site)
    try:
        return run(serve(component, site))
    except OSError as error:
        print(f"{asked.name}: {error}; choose another --address", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
