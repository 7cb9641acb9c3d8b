"""Which programs there are, in which versions, and where each can be had."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Flavour = Literal["any", "debian", "current"]

STACK = ("prometheus", "promtool", "alertmanager", "amtool")
"""What `python -m lab.stack` provides when no name is given."""

PAIRS = (("prometheus", "promtool"), ("alertmanager", "amtool"))
"""Programs that must come from one place: a checker of another age refuses good files."""

OLDEST = {"prometheus": (2, 42), "promtool": (2, 42), "alertmanager": (0, 25), "amtool": (0, 25)}
"""The oldest versions that the shipped rules and configuration are held to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One way to get some programs: a Debian package, or packages of one Go module.

    `programs` maps a program's name to its path inside the package (Debian) or to its
    Go package. `origin` is the Debian package's or the Go module's name, and `tag` the module's
    version where it is written otherwise than the program's.
    """

    source: Literal["debian", "go"]
    origin: str
    version: str
    programs: Mapping[str, str]
    tag: str = ""
    module_folder: Path = Path()
    build_tags: str = ""
    share: str = ""
    """Where in the package lies what its programs look for below /usr/share, and nowhere else."""

    @property
    def key(self) -> str:
        """The last part of the cache path: version and source, since both decide the bytes."""
        return f"{self.version}-{self.source}{'-share' if self.share else ''}"


_TOOLS = Path(__file__).parent / "tools"

_DEBIAN = (
    Recipe(
        source="debian",
        origin="prometheus",
        version="2.42",
        programs={"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool"},
    ),
    Recipe(
        source="debian",
        origin="prometheus-alertmanager",
        version="0.25",
        programs={"alertmanager": "usr/bin/prometheus-alertmanager", "amtool": "usr/bin/amtool"},
        # Its default templates, which Debian has it read from their installed place.
        share="usr/share/prometheus",
    ),
    Recipe(
        source="debian",
        origin="prometheus-blackbox-exporter",
        version="0.23",
        programs={"blackbox_exporter": "usr/bin/prometheus-blackbox-exporter"},
    ),
    Recipe(source="debian", origin="etcd-server", version="3.4", programs={"etcd": "usr/bin/etcd"}),
)


def _go(
    module: str,
    tag: str,
    programs: Mapping[str, str],
    *,
    version: str = "",
    build_tags: str = "",
) -> Recipe:
    folder = _TOOLS / next(iter(programs))
    return Recipe(
        source="go",
        origin=module,
        version=version or tag.removeprefix("v"),
        tag=tag,
        programs={name: f"{module}{path}" for name, path in programs.items()},
        module_folder=folder,
        build_tags=build_tags,
    )


# Alertmanager stays at 0.31.1: from 0.32 on its module lacks the embedded web assets that it
# compiles in. amtool has none. Prometheus 3.x is published to Go as v0.3xx.
_GO = (
    _go(
        "github.com/prometheus/prometheus",
        "v0.314.0",
        {"prometheus": "/cmd/prometheus", "promtool": "/cmd/promtool"},
        version="3.14.0",
        # Files, static targets and HTTP are always in; the clouds' SDKs are most of a full build.
        build_tags="remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
    ),
    _go("github.com/prometheus/alertmanager", "v0.31.1", {"alertmanager": "/cmd/alertmanager"}),
    _go("github.com/prometheus/alertmanager", "v0.34.0", {"amtool": "/cmd/amtool"}),
    _go("github.com/prometheus/blackbox_exporter", "v0.28.0", {"blackbox_exporter": ""}),
    _go("github.com/cloudflare/pint", "v0.87.0", {"pint": "/cmd/pint"}),
    _go(
        "github.com/llm-d/llm-d-inference-sim",
        "v0.10.2",
        {"llm-d-inference-sim": "/cmd/llm-d-inference-sim"},
    ),
    _go("github.com/grafana/loki/v3", "v3.7.8", {"loki": "/cmd/loki"}),
    _go("k8s.io/kubernetes", "v1.34.4", {"kube-apiserver": "/cmd/kube-apiserver"}),
)

RECIPES: tuple[Recipe, ...] = (*_DEBIAN, *_GO)


def names(recipes: Sequence[Recipe] = RECIPES) -> tuple[str, ...]:
    """Every program's name, each once, in the catalogue's order."""
    return tuple(dict.fromkeys(name for recipe in recipes for name in recipe.programs))


def check_names(wanted: Sequence[str], recipes: Sequence[Recipe] = RECIPES) -> None:
    """Refuse a name that no recipe makes; raises StackError with the nearest one."""
    known = names(recipes)
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
            raise StackError(name, "no such program in the stack's catalogue", remedy)


def recipe_for(name: str, source: str, recipes: Sequence[Recipe] = RECIPES) -> Recipe | None:
    """Find the recipe that makes a program from `debian` or `go`; None where there is none."""
    for recipe in recipes:
        if recipe.source == source and name in recipe.programs:
            return recipe
    return None
