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
from responder.patrol.settings import PatrolSettings
from responder.source import Source, Topology, sources
from responder.store.engine import StoreError, has_password, url_of
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


def _database(value: str | Secret) -> str | Secret:
    """Check a database's place; one with a password in it becomes a secret."""
    text = value.reveal() if isinstance(value, Secret) else value
    if not text.strip():
        raise fault("empty", "give a file's path, or leave the setting out")
    try:
        url = url_of(text, Path())
    except StoreError as error:
        problem, _, remedy = str(error).removeprefix("database: ").partition("; ")
        raise fault(problem, remedy) from None
    return Secret(place="database", value=text) if has_password(url) else value


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


class ReplicaSettings(Settings):
    """How the processes that share a PostgreSQL database know of each other."""

    name: str = Field(default="", max_length=200)
    """What the others call this one; without it, its host and port."""
    heartbeat: Duration = Field(default=3.0, gt=0)
    """How often a replica says that it is alive."""
    dead_after: Duration = Field(default=15.0, gt=0)
    """A replica silent for so long is held for dead, and its work is taken over."""

    @pydantic.model_validator(mode="after")
    def _fit(self) -> Self:
        if self.dead_after < 2 * self.heartbeat:
            raise fault("dead_after leaves no room for a heartbeat that is late", "at least double")
        return self


class RetentionSettings(Settings):
    """How long what is over is kept; what is open, or still to be told, always is."""

    incidents: Duration = Field(default=90 * 86400.0, gt=0)
    """Incidents, with their reports, that have been over for so long are deleted."""
    bodies: Duration = Field(default=14 * 86400.0, gt=0)
    """Posts older than this are emptied; what was read of them stays with the incident."""
    interval: Duration = Field(default=3600.0, gt=0)
    """How often that is looked at."""


class ComparisonSettings(Settings):
    """How what is stored is compared with Alertmanager and Prometheus, for what never came.

    It needs a source of kind alertmanager; one of kind prometheus tells what is over already.
    """

    interval: Duration = Field(default=60.0, gt=0)
    """How often."""
    grace: Duration = Field(default=120.0, gt=0)
    """How long an alert may be on its way; at least what the routes to us wait in any case."""
    look_back: Duration = Field(default=6 * 3600.0, gt=0)
    """How far back what was missed is looked for."""
    receiver: str = Field(default="", max_length=200)
    """Alertmanager's receiver that is us; without it, those that its posts named."""


class IncidentSettings(Settings):
    """How alerts become incidents, and when those are investigated."""

    join_within: Duration = 120.0
    """Alerts on the same target within this time are one incident."""
    quiet: Duration = 15.0
    """How long an incident that is not critical must be quiet before its investigation."""
    occurrence_within: Duration = 3600.0
    """The same condition again within this time has no investigation of its own; 0 for always."""
    recurrences: int = Field(default=3, ge=1, le=1000)
    """So many times within that time are too many: the condition is then investigated once more."""
    flaps: int = Field(default=3, ge=2, le=1000)
    """A condition that fires so many times within `flap_within` flaps: one message, not each."""
    flap_within: Duration = 900.0
    """Also how long what flaps must be quiet before its end is told."""
    merge_within: Duration = 300.0
    """Incidents with the same first cause that began within this time of each other are one."""


class TopologySettings(Settings):
    """Who calls whom, and which label names a component."""

    component_label: str = Field(default="service", min_length=1)
    calls: tuple[tuple[str, str], ...] = ()
    """Pairs of caller and callee."""


class Config(Settings):
    """The whole file; everything has a default."""

    database: Annotated[str | Secret, AfterValidator(_database)] = "state/vigie.db"
    """A SQLite file's path, or the URL of a PostgreSQL database, which may be a secret."""
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
    """Investigations that run at once on each replica, and one more for what is critical."""
    replica: ReplicaSettings = ReplicaSettings()
    retention: RetentionSettings = RetentionSettings()
    comparison: ComparisonSettings = ComparisonSettings()
    patrol: PatrolSettings = PatrolSettings()

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

    def database_location(self) -> str:
        """Give the database's path or URL, to be shown to nobody; raises SecretError."""
        return self.database.reveal() if isinstance(self.database, Secret) else self.database

    def policy(self) -> Policy:
        """Give what incidents go by."""
        return Policy(
            join_within_seconds=self.incidents.join_within,
            quiet_seconds=self.incidents.quiet,
            occurrence_within_seconds=self.incidents.occurrence_within,
            component_label=self.topology.component_label,
            recurrences_limit=self.incidents.recurrences,
            flaps_limit=self.incidents.flaps,
            flap_within_seconds=self.incidents.flap_within,
            merge_within_seconds=self.incidents.merge_within,
        )

    def topology_record(self) -> Topology:
        """Give the topology as the investigation knows it."""
        return Topology(component_label=self.topology.component_label, calls=self.topology.calls)

    def runbooks(self) -> tuple[Path, ...]:
        """Give the folders of the runbooks, where there are sources of that kind."""
        found = [each for each in self.sources if sources.kind_of(each) == "runbooks"]
        return tuple(folder for each in found for folder in getattr(each, "folders", ()))


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the file at *path*; raises ConfigError with every fault."""
    return load(path, Config, environ=environ)
