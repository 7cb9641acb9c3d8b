"""Turns our own charts into PNG, for far ends that show no SVG."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

WIDTH, HEIGHT = 1280, 360
"""The largest picture in pixels: our charts at twice their size."""
_LONGEST_SVG = 512 * 1024
_LARGEST_PNG_BYTES = 2 * 1024 * 1024
_DEADLINE_SECONDS = 5.0


async def png(svg: str, deadline_seconds: float = _DEADLINE_SECONDS) -> bytes | None:
    """Draw *svg* as PNG; None when there is nothing to draw or it cannot be drawn in time.

    A process of its own draws: the library holds the interpreter's lock while it works, so that a
    thread would stop the event loop, and only a process can be ended.
    """
    # Ours refer to nothing; whatever does is not one of ours.
    if not svg or len(svg) > _LONGEST_SVG or "href" in svg:
        return None
    try:
        drawn, code = await _run(svg.encode(), deadline_seconds)
    except (OSError, TimeoutError) as error:
        log.warning("chart not drawn", problem=type(error).__name__)
        return None
    if code != 0 or not 0 < len(drawn) <= _LARGEST_PNG_BYTES:
        log.warning("chart not drawn", code=code, size_bytes=len(drawn))
        return None
    return drawn


async def _run(svg: bytes, deadline_seconds: float) -> tuple[bytes, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "responder.raster",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(deadline_seconds):
            drawn, _ = await process.communicate(svg)
        return drawn, process.returncode or 0
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
