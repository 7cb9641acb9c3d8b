"""What a figure is, and how the package's figures are found: a module with a `FIGURE`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import bench


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a figure came to beside what it is to reach; `bound` says which side of it is good."""

    ratio: float
    reach: float
    bound: Literal["at least", "at most"] = "at least"

    @property
    def is_reached(self) -> bool:
        """Whether the figure is good enough."""
        if self.bound == "at least":
            return self.ratio >= self.reach
        return self.ratio <= self.reach


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure: *run* measures it, prints what it saw, and is given the environment."""

    name: str
    text: str
    run: Callable[[Mapping[str, str]], Measured]


def figures() -> Mapping[str, Figure]:
    """Give the figures of this package's modules by name."""
    found: dict[str, Figure] = {}
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name == "__main__":
            continue
        figure = getattr(importlib.import_module(f"bench.{module.name}"), "FIGURE", None)
        if isinstance(figure, Figure):
            found[figure.name] = figure
    return dict(sorted(found.items()))
