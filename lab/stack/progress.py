"""Progress lines: what is being done now, and how long the run has taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress:
    """Prints one line per step, each with the seconds since the start.

    Plain text where the output is no terminal. On a terminal the step that is running shows its
    time on a line that is redrawn.
    """

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `out`, measuring from now."""
        self._out = out
        self._clock = clock
        self._start = clock()
        self._redraws = out.isatty()
        self._open = False

    def step(self, text: str) -> None:
        """Print that something began or ended."""
        self._close()
        self._print(self._line(text), end="\n")

    def still(self, text: str) -> None:
        """Tell that a step is going on: redrawn on a terminal, a line of its own elsewhere."""
        if not self._redraws:
            self._print(self._line(text), end="\n")
            return
        self._print("\r\x1b[2K" + self._line(text), end="")
        self._open = True

    @property
    def still_every_seconds(self) -> float:
        """How often `still` is worth calling: a terminal is redrawn, a log is kept short."""
        return 1.0 if self._redraws else 30.0

    def _line(self, text: str) -> str:
        elapsed = f"[{self._clock() - self._start:7.1f} s]"
        return f"\x1b[2m{elapsed}\x1b[0m {text}" if self._redraws else f"{elapsed} {text}"

    def _close(self) -> None:
        if self._open:
            self._print("\r\x1b[2K", end="")
            self._open = False

    def _print(self, text: str, *, end: str) -> None:
        print(text, end=end, file=self._out, flush=True)
