"""Where a command's result goes, and where it tells what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlet:
    """The result is printed on the console; `tell` takes a line at a time, for people alone."""

    console: Console
    tell: Callable[[str], object]
