"""Charts as PNG: drawn by a process of its own, within limits."""

from __future__ import annotations

import asyncio
import re
import time

from responder.raster import HEIGHT, WIDTH, png
from tests.responder.channels.messages import picture

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}"><rect width="9" height="9"/></svg>'
)


def size(drawn: bytes) -> tuple[int, int]:
    """Read width and height out of a PNG's first chunk."""
    return int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])


async def test_our_chart_is_drawn() -> None:
    """It is as large as it should be, and its words are drawn with whatever font there is."""
    drawn = await png(picture())
    mute = await png(re.sub("<text.*?</text>", "", picture()))
    assert drawn is not None
    assert mute is not None
    assert size(drawn) == size(mute) == (WIDTH, HEIGHT)
    assert len(drawn) > 1.5 * len(mute)


async def test_the_size_is_bounded() -> None:
    """However large the drawing says it is, no more pixels are made."""
    for shape in ((1_000_000, 10), (10, 1_000_000), (5_000_000, 5_000_000)):
        drawn = await png(SVG.format(*shape))
        assert drawn is None or (size(drawn)[0] <= WIDTH and size(drawn)[1] <= HEIGHT)


async def test_what_is_none_of_ours_is_left_out() -> None:
    """Nothing, garbage, references and what is too long give no picture, and no error."""
    image = '<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/hostname"/></svg>'
    for svg in ("", "<svg", image, SVG.format(9, 9) + " " * 600_000):
        assert await png(svg) is None


async def test_the_loop_runs_on_meanwhile() -> None:
    """A deadline ends it, and nothing waits for it."""
    began = time.monotonic()
    drawn, _ = await asyncio.gather(png(picture(), 0.001), asyncio.sleep(0.01))
    assert drawn is None
    assert time.monotonic() - began < 2
