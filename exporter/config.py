"""Reads the configuration: strict, with file and line in every error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field, model_validator

import exporter.checks
import exporter.discoveries
import exporter.probes  # noqa: F401 - registers the kinds
from exporter.discovery import Discovery, Place, discoveries
from exporter.headers import confidential
from exporter.metrics import MOST_SERIES
from exporter.probe import probe_of, probes
from exporter.target import (
    DEFAULT_INTERVAL_SECONDS,
    DEFAULT_TIMEOUT_SECONDS,
    Interval,
    Name,
    Target,
    Timeout,
    between,
)
from toolkit import settings
from toolkit.settings import Settings, fault

_PATTERN = re.compile(r"(\[[0-9a-fA-F:.*]+\]|[A-Za-z0-9._*-]+)(:[0-9*]{1,5})?")
_DAY_SECONDS = 86_400
_ONLY_IN_TARGETS = ("name", "url", "interval", "pace", "labels", "native", "budget")

_Path = tuple[str | int, ...]


class Defaults(Settings):
    """What a target takes that does not say otherwise."""

    interval: Interval = Field(DEFAULT_INTERVAL_SECONDS, description="between two runs' starts")
    timeout: Timeout = Field(DEFAULT_TIMEOUT_SECONDS, description="of one run")


class TotalBudget(Settings):
    """What the runs on all targets may cost together."""

    tokens_per_day: Annotated[int, between(1, 10**12)] | None = Field(
        None, description="tokens in 24 hours, spread evenly; /probe spends of them too"
    )


class File(Settings):
    """The whole file."""

    defaults: Defaults = Field(Defaults(), description="for targets and probe modules")
    budget: TotalBudget = Field(TotalBudget(), description="what all runs may cost")
    max_series: Annotated[int, between(1, 10**8)] = Field(
        MOST_SERIES, description="series of /metrics; past them targets are left out whole"
    )
    targets: tuple[Annotated[Target, probes.by_kind()], ...] = Field(
        (), description="what is watched"
    )
    probe_modules: Mapping[Name, Annotated[Target, probes.by_kind()]] = Field(
        default_factory=dict, description="what /probe?module=&target= may do"
    )

    discovery: tuple[Annotated[Place, discoveries.by_kind()], ...] = Field(
        (), description="where more targets are listed"
    )

    @model_validator(mode="after")
    def _whole(self) -> File:
        """Check what no single setting can tell; all faults at once."""
        checks = (_nothing, _targets, _duplicates, _modules, _discoveries)
        found = [each for check in checks for each in check(self)]
        if found:
            details: list[Any] = [
                {"type": fault(problem, remedy), "loc": place, "input": None}
                for place, problem, remedy in found
            ]
            raise pydantic.ValidationError.from_exception_data("File", details, hide_input=True)
        return self


_Faults = Iterator[tuple[_Path, str, str]]


def _nothing(file: File) -> _Faults:
    if not file.targets and not file.probe_modules and not file.discovery:
        yield ("targets",), "nothing to watch", "add a target or a probe module"


def _targets(file: File) -> _Faults:
    for index, target in enumerate(file.targets):
        place = ("targets", index)
        if target.name is None:
            yield (*place, "name"), "no name is set", "add `name`"
        if target.url is None:
            yield (*place, "url"), "no url is set", "add `url`"
        if target.allow_targets:
            yield (
                (*place, "allow_targets"),
                "is for probe modules only",
                "remove it; a target has its url",
            )
        yield from _times(file, target, place)
        budget = target.budget
        if budget and budget.skip_if_waiting_over is not None and target.native is None:
            yield (
                (*place, "budget", "skip_if_waiting_over"),
                "nobody tells how many wait",
                "add `native` or remove it",
            )


def _times(file: File, target: Target, place: _Path) -> _Faults:
    interval = target.interval or file.defaults.interval
    timeout = target.timeout or file.defaults.timeout
    if timeout > interval:
        yield (
            (*place, "timeout"),
            f"the timeout ({timeout:g} s) is over the interval ({interval:g} s)",
            "shorten it or run less often",
        )
    yield from _pace(target, place, interval, timeout)
    yield from _too_dear(target, place)


def _pace(target: Target, place: _Path, interval: float, timeout: float) -> _Faults:
    fastest = (target.pace and target.pace.fastest) or interval
    slowest = (target.pace and target.pace.slowest) or interval
    if not fastest <= interval <= slowest:
        bounds = f"{fastest:g} to {slowest:g} s"
        yield (*place, "pace"), f"the interval ({interval:g} s) is not in {bounds}", "widen them"
    elif timeout > fastest and timeout <= interval:
        yield (
            (*place, "pace", "fastest"),
            f"the timeout ({timeout:g} s) is over it ({fastest:g} s)",
            "shorten the timeout or run less often",
        )


def _too_dear(target: Target, place: _Path) -> _Faults:
    limit = target.budget.tokens_per_day if target.budget else None
    dearest = max((each.cost_tokens for each in probe_of(target).questions()), default=0)
    if limit is not None and dearest > limit:
        yield (
            (*place, "budget", "tokens_per_day"),
            f"one run may cost {dearest} tokens, so that none would be made",
            "raise it or lower max_tokens",
        )


def _duplicates(file: File) -> _Faults:
    first: dict[str, int] = {}
    for index, target in enumerate(file.targets):
        if target.name is not None and first.setdefault(target.name, index) != index:
            yield (
                ("targets", index, "name"),
                f"{target.name!r} is the name of targets[{first[target.name]}] too",
                "give each its own",
            )


def _modules(file: File) -> _Faults:
    for name, module in file.probe_modules.items():
        place = ("probe_modules", name)
        for field in _ONLY_IN_TARGETS:
            if field in module.model_fields_set:
                yield (*place, field), "is for targets only", "remove it from the module"
        if not module.allow_targets:
            yield (
                (*place, "allow_targets"),
                "no host is allowed",
                "list in `allow_targets` which may be asked, `*` for any part",
            )
        for index, pattern in enumerate(module.allow_targets):
            yield from _pattern(pattern, (*place, "allow_targets", index), module)


def _discoveries(file: File) -> _Faults:
    names = [each.name for each in file.discovery]
    for index, each in enumerate(file.discovery):
        place = ("discovery", index)
        if each.name in names[:index]:
            yield (*place, "name"), f"{each.name!r} is there twice", "give each its own"
        for field in ("name", "url"):
            if getattr(each.template, field) is not None:
                yield (*place, "template", field), "comes from the list", "remove it"
        for number, pattern in enumerate(each.template.allow_targets):
            allowed = (*place, "template", "allow_targets", number)
            yield from _pattern(pattern, allowed, each.template)
        yield from _times(file, each.template, (*place, "template"))
        budget = each.template.budget
        native = each.native or each.template.native
        if budget and budget.skip_if_waiting_over is not None and native is None:
            yield (*place, "native"), "nobody tells how many wait", "add `native`"


def _pattern(pattern: str, place: _Path, module: Target) -> _Faults:
    if not _PATTERN.fullmatch(pattern):
        yield place, "not a host pattern", "write host or host:port, `*` for any part"
    elif pattern.partition(":")[0] == "*" and _has_credentials(module):
        yield place, "credentials would go to any host", "name the hosts that may have them"


def _has_credentials(module: Target) -> bool:
    auth = module.auth or (module.native and module.native.auth)
    return auth is not None or bool(confidential(getattr(module, "headers", {})))


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The configuration as it is run: defaults filled in."""

    targets: tuple[Target, ...]
    modules: Mapping[str, Target]
    discoveries: tuple[Discovery, ...] = ()
    tokens_per_day: int | None = None
    max_series: int = MOST_SERIES

    def warnings(self) -> Iterator[str]:
        """Yield what is allowed but likely unwanted."""
        for target in self.targets:
            yield from _tls_warnings(target)
            planned = _planned_tokens_per_day(target)
            allowed = target.budget.tokens_per_day if target.budget else None
            if allowed is not None and planned > allowed:
                yield (
                    f"{target.name}: the runs planned may cost {planned} tokens a day, the budget"
                    f" is {allowed}; some will be skipped"
                )
        yield from self._total_warnings()

    def _total_warnings(self) -> Iterator[str]:
        planned = sum(_planned_tokens_per_day(target) for target in self.targets)
        if self.tokens_per_day is not None and planned > self.tokens_per_day:
            yield (
                f"all targets: the runs planned may cost {planned} tokens a day, the budget is"
                f" {self.tokens_per_day}; some will be skipped"
            )


def _tls_warnings(target: Target) -> Iterator[str]:
    """Tell of a CA file that is not there: others may write it later."""
    ca_file = target.tls.ca_file if target.tls else None
    if ca_file is not None and not ca_file.is_file():
        yield f"{target.name}: tls.ca_file {ca_file} is not there; its runs will fail"


def _planned_tokens_per_day(target: Target) -> int:
    costs = [question.cost_tokens for question in probe_of(target).questions()]
    runs = _DAY_SECONDS / target.interval_seconds
    return round(runs * sum(costs) / len(costs))


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Load the file.

    Raises ConfigError with every problem in it.
    """
    return _filled_in(settings.load(path, File, environ=environ))


def parse(text: str, name: str, *, environ: Mapping[str, str]) -> Config:
    """Load the file's text; *name* stands for it in errors, which are raised as by `load`."""
    return _filled_in(settings.parse(text, name, File, environ=environ))


def _filled_in(file: File) -> Config:
    return Config(
        targets=tuple(_filled(target, file.defaults) for target in file.targets),
        modules={name: _filled(each, file.defaults) for name, each in file.probe_modules.items()},
        discoveries=tuple(_as_discovery(each, file.defaults) for each in file.discovery),
        tokens_per_day=file.budget.tokens_per_day,
        max_series=file.max_series,
    )


def _as_discovery(place: Place, defaults: Defaults) -> Discovery:
    """Fill in a place's template; raises TypeError for a kind that does not hold the contract."""
    filled = place.model_copy(update={"template": _filled(place.template, defaults)})
    if not isinstance(filled, Discovery):
        raise TypeError(f"{type(place).__name__}: no discovery; give it the methods of Discovery")
    return filled


def _filled(target: Target, defaults: Defaults) -> Target:
    return target.model_copy(
        update={
            "interval": target.interval or defaults.interval,
            "timeout": target.timeout or defaults.timeout,
        }
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return File.model_json_schema()
