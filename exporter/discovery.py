"""The contract of target discovery and its registry; one way each in discoveries/.

What is found has the form of Prometheus's file_sd and http_sd (prometheus.io, docs, configuration,
http_sd_config): a list of `{"targets": [...], "labels": {...}}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

import pydantic
from pydantic import Field

from exporter.access import Url
from exporter.probe import probes
from exporter.target import Interval, Labels, Name, Target
from exporter.transport import Transport
from toolkit.plugins import Registry
from toolkit.settings import Settings

MOST_TARGETS = 50_000
_META = "__"
_MODEL, _NAME = "__vigie_model", "__vigie_name"


class DiscoveryError(Exception):
    """Targets could not be found just now; the text says why, without a secret."""


@runtime_checkable
class Discovery(Protocol):
    """One place where targets are listed; implemented by the kinds, which are frozen settings."""

    @property
    def name(self) -> str:
        """The label `discovery` of its metrics."""
        ...

    @property
    def refresh(self) -> float:
        """Seconds between two looks."""
        ...

    @property
    def template(self) -> Target:
        """What each target is, but for its name, address and labels."""
        ...

    async def documents(self, transport: Transport) -> Sequence[Any]:
        """Give the lists that are there now, each as it was parsed; raises DiscoveryError."""
        ...


discoveries: Registry[Discovery] = Registry("discovery")


class Place(Settings):
    """What all kinds have in common."""

    name: Name = Field(description="the label `discovery` of its metrics")
    refresh: Interval = Field(60.0, description="between two looks")
    template: Annotated[Target, probes.by_kind()] = Field(
        description="a target without name and url: what each of those that are found is"
    )


class _Entry(Settings):
    """What the list itself says of one target."""

    name: Name
    url: Url
    labels: Labels


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What a list came to: the targets, and why others of it are none."""

    targets: tuple[Target, ...]
    problems: tuple[str, ...]


def read(documents: Sequence[Any], template: Target) -> Listed:
    """Make targets of lists; an entry that cannot be one is named and left out."""
    targets: dict[str, Target] = {}
    problems: list[str] = []
    for address, labels in _addresses(documents, problems):
        try:
            target = _made(address, labels, template)
        except ValueError as error:
            problems.append(f"{address[:100]!r}: {_first(error)}")
            continue
        name = target.name or ""
        if len(targets) >= MOST_TARGETS:
            problems.append(f"over {MOST_TARGETS} targets; the rest is left out")
            break
        if targets.setdefault(name, target) is not target:
            problems.append(f"{name!r} is there twice; the first counts")
    return Listed(targets=tuple(targets.values()), problems=tuple(problems))


def _addresses(
    documents: Sequence[Any], problems: list[str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    for document in documents:
        if not isinstance(document, list):
            problems.append("not a list of target groups")
            continue
        for group in document:
            addresses = group.get("targets") if isinstance(group, dict) else None
            labels = group.get("labels") or {} if isinstance(group, dict) else {}
            if not isinstance(addresses, list) or not isinstance(labels, dict):
                problems.append("a group is not of the form {targets: [...], labels: {...}}")
                continue
            texts = {str(name): str(value) for name, value in labels.items()}
            yield from ((str(address), texts) for address in addresses)


def _made(address: str, labels: Mapping[str, str], template: Target) -> Target:
    url = address if "://" in address else f"http://{address}"
    entry = _Entry(
        name=labels.get(_NAME) or address.partition("://")[2] or address,
        url=url,
        labels={
            **template.labels,
            **{name: text for name, text in labels.items() if not name.startswith(_META)},
        },
    )
    own = {"name": entry.name, "url": entry.url, "labels": entry.labels}
    if labels.get(_MODEL) and "model" in type(template).model_fields:
        own["model"] = labels[_MODEL]
    return template.model_copy(update=own)


def _first(error: ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])[:200]
    return str(error)[:200]
