"""`python -m lab.personas [DIR]`: every persona on the recorded incidents, as a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.personas.measure import HEAD, PERSONAS, RECORDINGS, faults, line, measured
from toolkit import logging


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a false claim stands, or a persona leads a report astray."""
    parser = argparse.ArgumentParser(prog="python -m lab.personas", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=RECORDINGS, metavar="DIR")
    parser.add_argument("--persona", action="append", choices=PERSONAS, help="only these")
    asked = parser.parse_args(argv)
    logging.configure(level="error", format="logfmt")
    rows = asyncio.run(measured(asked.folder, asked.persona or PERSONAS))
    print(HEAD)
    for row in rows:
        print(line(row))
    wrong = faults(rows)
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
