"""The interpreter's garbage collector, set for a program that takes in many records at a time."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 20_000
_YOUNG_ROUNDS = 20
_OLD_ROUNDS = 50


def collect_rarely() -> None:
    """Look for cycles every so many new objects, and never again among those of the start.

    A batch of posts is thousands of objects that all go when it is written: by the interpreter's
    own limits it would be gone through dozens of times, which was a quarter of intake's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_ROUNDS, _OLD_ROUNDS)
