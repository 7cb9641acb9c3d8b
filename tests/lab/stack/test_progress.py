"""Progress lines, on a terminal and off it."""

from __future__ import annotations

import io

from lab.stack.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_with_elapsed_seconds_where_there_is_no_terminal() -> None:
    """A log gets whole lines and no control characters."""
    times = iter([100.0, 100.0, 112.34])
    out = io.StringIO()
    progress = Progress(out, clock=lambda: next(times))
    progress.step("begin")
    progress.still("going on")
    assert out.getvalue() == "[    0.0 s] begin\n[   12.3 s] going on\n"
    assert progress.still_every_seconds == 30


def test_a_terminal_line_is_redrawn_and_then_cleared() -> None:
    """What is going on takes one line, which the next step takes over."""
    out = _Terminal()
    progress = Progress(out, clock=lambda: 0.0)
    progress.still("one")
    progress.still("two")
    progress.step("done")
    text = out.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r\x1b[2K") == 3
    assert progress.still_every_seconds == 1
