"""The responder's configuration file: strict, every fault at once with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import pydantic
from pydantic import AfterValidator, Field
from yarl import URL

import responder.channels
import responder.sources  # noqa: F401 - its plug-ins register themselves
from responder.channel import Channel, channels
from responder.incident import Policy
from responder.investigation.mistral import MistralSettings
from responder.source import Source, Topology, sources
from toolkit.plugins import Registry
from toolkit.problem import fault
from toolkit.secrets import Secret
from toolkit.settings import Duration, Settings, load


class EmbeddedSettings(Settings):
    """The analyst that writes from code alone."""

    deadline: Duration = 20.0


analysts: Registry[Settings] = Registry("analyst")
analysts.register("embedded")(EmbeddedSettings)
analysts.register("mistral")(MistralSettings)

AnyAnalyst = Annotated[EmbeddedSettings | MistralSettings, analysts.by_kind()]
AnySource = Annotated[Source, sources.by_kind()]
AnyChannel = Annotated[Channel, channels.by_kind()]

LARGEST_BODY_BYTES = 32 * 1024 * 1024
ANALYST_GRACE_SECONDS = 1.0
"""How much longer than its own deadline an analyst may take before it is cut off."""


def _base_url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise fault("not a URL", "write it like http://responder.example.org:10918") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise fault("not a web URL", "write it like http://responder.example.org:10918")
    return value.rstrip("/")


def _sqlite(value: str) -> str:
    scheme, separator, _ = value.partition("://")
    if separator and scheme.partition("+")[0] != "sqlite":
        raise fault(
            "not SQLite; PostgreSQL is not supported yet", "give a file's path or a sqlite:// URL"
        )
    return value


class WebhookSettings(Settings):
    """Who may post to the webhooks: whoever knows one of the tokens; without tokens, anyone."""

    bearer: tuple[Secret, ...] = ()


class LimitSettings(Settings):
    """The bounds of what waits, and the deadlines of what runs."""

    body_deadline: Duration = 10.0
    """How long a post may take to arrive."""
    waiting_posts: int = Field(default=1000, ge=1, le=100_000)
    """Posts that wait for the disk; more are answered 503."""
    pending_investigations: int = Field(default=10_000, ge=1)
    """Investigations that wait; posts are answered 503 while there are as many."""
    source: Duration = 15.0
    """How long one source may take."""
    look_back: Duration = 6 * 3600.0
    """How far before the alert anything is looked at."""
    stage: Duration = 120.0
    """How long one stage of an investigation may take."""
    investigation: Duration = 600.0
    """How long the whole of an investigation may take."""

    @pydantic.model_validator(mode="after")
    def _fit(self) -> Self:
        if self.source > self.stage or self.stage > self.investigation:
            raise fault(
                "source, stage and investigation do not fit", "give each more than the last"
            )
        return self


class IncidentSettings(Settings):
    """How alerts become incidents, and when those are investigated."""

    join_within: Duration = 120.0
    """Alerts on the same target within this time are one incident."""
    quiet: Duration = 15.0
    """How long an incident that is not critical must be quiet before its investigation."""
    occurrence_within: Duration = 3600.0
    """The same condition again within this time has no investigation of its own; 0 for always."""


class TopologySettings(Settings):
    """Who calls whom, and which label names a component."""

    component_label: str = Field(default="service", min_length=1)
    calls: tuple[tuple[str, str], ...] = ()
    """Pairs of caller and callee."""


class Config(Settings):
    """The whole file; everything has a default."""

    database: Annotated[str, AfterValidator(_sqlite)] = Field(
        default="state/vigie.db", min_length=1
    )
    """A SQLite file's path, or its URL."""
    external_url: Annotated[str, AfterValidator(_base_url)] = "http://localhost:10918"
    """Where people reach the pages: the base of every link."""
    webhook: WebhookSettings = WebhookSettings()
    limits: LimitSettings = LimitSettings()
    incidents: IncidentSettings = IncidentSettings()
    topology: TopologySettings = TopologySettings()
    sources: tuple[AnySource, ...] = ()
    channels: tuple[AnyChannel, ...] = ()
    analyst: AnyAnalyst = EmbeddedSettings()
    """Who writes the report; the embedded analyst takes over when another cannot."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Investigations that run at once."""

    @pydantic.field_validator("channels")
    @classmethod
    def _named_apart(cls, value: tuple[Channel, ...]) -> tuple[Channel, ...]:
        names = [channel.name for channel in value]
        for name in names:
            if not name.strip():
                raise fault("a channel without a name", "give it a `name`")
            if names.count(name) > 1:
                raise fault(f"two channels named {name[:40]!r}", "give each its own `name`")
        return value

    @pydantic.model_validator(mode="after")
    def _fit(self) -> Self:
        if self.analyst.deadline + ANALYST_GRACE_SECONDS >= self.limits.stage:
            raise fault(
                f"analyst.deadline and {ANALYST_GRACE_SECONDS:g}s of grace do not fit into"
                " limits.stage",
                "shorten analyst.deadline or lengthen limits.stage",
            )
        return self

    def policy(self) -> Policy:
        """Give what incidents go by."""
        return Policy(
            join_within_seconds=self.incidents.join_within,
            quiet_seconds=self.incidents.quiet,
            occurrence_within_seconds=self.incidents.occurrence_within,
            component_label=self.topology.component_label,
        )

    def topology_record(self) -> Topology:
        """Give the topology as the investigation knows it."""
        return Topology(component_label=self.topology.component_label, calls=self.topology.calls)

    def runbooks(self) -> Path | None:
        """Give the folder of the runbooks, where there is a source of that kind."""
        for source in self.sources:
            folder = getattr(source, "folder", None)
            if sources.kind_of(source) == "runbooks" and folder is not None:
                return Path(folder)
        return None


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the file at *path*; raises ConfigError with every fault."""
    return load(path, Config, environ=environ)
