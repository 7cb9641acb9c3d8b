"""Imports each module in a process where none of ours is loaded yet, and tells what happens.

Reads two lines: the libraries that all may share, and the modules. Writes a line for each fault.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import pydantic


def seen() -> dict[str, object]:
    """Give what an import must leave as it was."""
    opened = Path("/proc/self/fd")
    return {
        "threads": threading.active_count(),
        "log handlers": list(logging.getLogger().handlers),
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "open files": sorted(os.listdir(opened)) if opened.is_dir() else [],  # noqa: PTH208 - iterdir would be open itself
        "SIGTERM": signal.getsignal(signal.SIGTERM),
        "SIGINT": signal.getsignal(signal.SIGINT),
    }


def faults(name: str) -> list[str]:
    """Import module *name* and give what is wrong with that."""
    before = seen()
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - SystemExit is a fault of the module as well
        last = traceback.extract_tb(error.__traceback__)[-1]
        return [f"{name}: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"]
    after = seen()
    return [
        f"{name}: changes {what} when imported" for what in before if before[what] != after[what]
    ]


def main() -> None:
    """Try every module in a fork of its own, as many at once as there are processors."""
    libraries, names = (line.split() for line in sys.stdin.read().split("\n", 1))
    for library in libraries:
        with contextlib.suppress(Exception):  # who needs it says so below
            importlib.import_module(library)
    pydantic.create_model("First")  # what the first model loads, no fork needs to load again
    gc.freeze()
    running = 0
    for name in names:
        if running == os.cpu_count():
            os.wait()
            running -= 1
        if os.fork() == 0:
            os.write(1, "".join(f"{fault}\n" for fault in faults(name)).encode())
            os._exit(0)
        running += 1
    for _ in range(running):
        os.wait()
    sys.stdout.write("all tried\n")


if __name__ == "__main__":
    main()
