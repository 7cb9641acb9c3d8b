"""`python -m lab.stack [NAME ...]`: provides the stack's programs and prints where they are."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.cache import cache_root
from lab.stack.catalogue import RECIPES, STACK, names
from lab.stack.errors import StackError
from lab.stack.progress import Progress
from lab.stack.provide import provide

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Print one `name version path` line per program; progress and errors go to stderr."""
    arguments = _parser().parse_args(argv)
    try:
        programs = provide(
            arguments.names or STACK,
            flavour=arguments.flavour,
            root=arguments.cache or cache_root(os.environ),
            environ=os.environ,
            progress=Progress(sys.stderr),
        )
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing half-made is kept", file=sys.stderr)
        return 130
    for program in programs.values():
        print(program.name, program.version or "-", program.path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.stack",
        description="Finds, unpacks or builds programs of the monitoring stack.",
        epilog=f"Known: {', '.join(names(RECIPES))}. Without a name: {', '.join(STACK)}.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--flavour",
        choices=("any", "debian", "current"),
        default="any",
        help="any: on PATH, else Debian's, else built with Go; debian; current: built with Go",
    )
    parser.add_argument(
        "--cache", type=Path, help="where programs are kept (the user's cache folder, in vigie/)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
