"""Draws the SVG on standard input as PNG on standard output."""

from __future__ import annotations

import resource
import sys

import resvg_py

from responder.raster import HEIGHT, WIDTH

_CPU_SECONDS = 10


def main() -> None:
    """Draw once; it takes no files, and no more time than it is given."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    svg = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(resvg_py.svg_to_bytes(svg_string=svg, width=WIDTH, height=HEIGHT))


if __name__ == "__main__":
    main()
