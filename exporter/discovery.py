"""The contract of target discovery and its registry; one way each in discoveries/.

What is found has the form of Prometheus's file_sd and http_sd (prometheus.io, docs, configuration,
http_sd_config): a list of `{"targets": [...], "labels": {...}}`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import Field, field_validator

from exporter.native.names import Server
from exporter.probe import probes
from exporter.relabel import Rule
from exporter.target import Interval, Name, Target, between
from exporter.transport import Transport
from toolkit.plugins import Registry
from toolkit.settings import Settings

MOST_TARGETS = 50_000


class DiscoveryError(Exception):
    """Targets could not be found just now; the text says why, without a secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One list of target groups as it was parsed, and the labels that say where it is from.

    `stamp` changes when the place has to be read again; `problem` says why this is not what is
    there now, but what was there before.
    """

    origin: str
    groups: Sequence[Any]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stamp: Hashable = None
    problem: str = ""


class FoundNative(Settings):
    """Where the metrics of a model server that was found are: on the target's host."""

    server: Server = Field(description="whose names to read")
    path: str = Field("/metrics", pattern=r"^/[!-~]*$", description="where on the target's host")
    port: Annotated[int, between(1, 65_535)] | None = Field(
        None, description="where it is not the target's own"
    )


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
    def relabel(self) -> tuple[Rule, ...]:
        """What is done with the labels of each entry."""
        ...

    @property
    def template(self) -> Target:
        """What each target is, but for its name, address and labels."""
        ...

    @property
    def native(self) -> FoundNative | None:
        """Where the targets' own metrics are."""
        ...

    async def documents(
        self, transport: Transport, before: Mapping[str, Document]
    ) -> Sequence[Document]:
        """Give the lists that are there now; raises DiscoveryError.

        `before` holds, by origin, those of the last time, to be given again where nothing changed.
        """
        ...


discoveries: Registry[Discovery] = Registry("discovery")


class Place(Settings):
    """What all kinds have in common."""

    name: Name = Field(description="the label `discovery` of its metrics")
    refresh: Interval = Field(60.0, description="between two looks")
    relabel: tuple[Rule, ...] = Field(
        (), max_length=100, description="Prometheus's relabelling rules for what is found"
    )
    native: FoundNative | None = Field(
        None, description="the metrics of the model servers that are found"
    )
    template: Annotated[Target, probes.by_kind()] = Field(
        description="a target without name and url: what each of those that are found is"
    )

    @field_validator("template")
    @classmethod
    def _bounded(cls, template: Target) -> Target:
        """Let a list name any host, but none that is refused unless it is named here."""
        if template.allow_targets:
            return template
        return template.model_copy(update={"allow_targets": ("*",)})


def groups_of(data: Any) -> Sequence[Any]:
    """Return the list of groups that was parsed; raises DiscoveryError when it is none."""
    if not isinstance(data, list):
        raise DiscoveryError("not a list of target groups")
    return data
