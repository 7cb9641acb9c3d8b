"""The tables, once; times are seconds since the epoch, records are stored as JSON."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("received_at", Float, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("problem", Text),
    Column("group_key", Text, nullable=False, default=""),
    Column("receiver", Text, nullable=False, default=""),
    Column("external_url", Text, nullable=False, default=""),
    Column("truncated", Integer, nullable=False, default=0),
    Column("requeued_at", Float),
)
Index(
    "ix_deliveries_quarantined",
    deliveries.c.received_at,
    sqlite_where=deliveries.c.problem.is_not(None),
    postgresql_where=deliveries.c.problem.is_not(None),
)
Index(
    "ix_deliveries_truncated",
    deliveries.c.received_at,
    sqlite_where=deliveries.c.truncated > 0,
    postgresql_where=deliveries.c.truncated > 0,
)

changes = Table(
    "changes",
    metadata,
    Column("id", String, primary_key=True),
    Column("delivery_id", String, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("at", Float, nullable=False, index=True),
    Column("service", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("version", Text, nullable=False, default=""),
    Column("author", Text, nullable=False, default=""),
    Column("link", Text, nullable=False, default=""),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String, primary_key=True),
    Column("opened_at", Float, nullable=False, index=True),
    Column("joined_at", Float, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("severity_rank", Integer, nullable=False),
    Column("resolved_at", Float, index=True),
    Column("occurrence_of", String, ForeignKey("incidents.id"), index=True),
    Column("merged_into", String, ForeignKey("incidents.id"), index=True),
    # How often it was over and fired again at once; whether it was opened for coming too often.
    Column("flaps", Integer, nullable=False, default=0, server_default="0"),
    Column("recurs", Boolean, nullable=False, default=False, server_default=false()),
)

incident_keys = Table(
    "incident_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("incident_id", String, ForeignKey("incidents.id"), primary_key=True, index=True),
)

incident_log = Table(
    "incident_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident_id", String, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("event", String, nullable=False),
    Column("text", Text, nullable=False),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident_id", String, ForeignKey("incidents.id")),
    Column("fingerprint", Text, nullable=False),
    Column("alertname", Text, nullable=False, index=True),
    Column("first_seen_at", Float, nullable=False),
    Column("last_seen_at", Float, nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("resolved_at", Float),
    Column("resolved_seen_at", Float),
    Column("seen_late", Boolean, nullable=False, default=False),
    # How many deliveries said again that it fires.
    Column("resent", Integer, nullable=False, default=0, server_default="0"),
    Column("alert", JSON, nullable=False),
    Index("ix_episodes_latest", "fingerprint", "resolved_at"),
    Index("ix_episodes_incident_id", "incident_id", "alertname"),
    Index("ix_episodes_first_seen_at", "first_seen_at", "id"),
)
Index(
    "ix_episodes_open",
    episodes.c.incident_id,
    sqlite_where=episodes.c.resolved_at.is_(None),
    postgresql_where=episodes.c.resolved_at.is_(None),
)

episode_facts = Table(
    "episode_facts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("episode_id", String, ForeignKey("episodes.id"), nullable=False, index=True),
    Column("delivery_id", String, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("fact", String, nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("ends_at", Float),
)

work = Table(
    "work",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident_id", String, ForeignKey("incidents.id"), nullable=False, unique=True),
    Column("priority", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    # When `due_at` was set: a clock that has since been put back must not make it wait.
    Column("due_set_at", Float, nullable=False, default=0, server_default="0"),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("problem", Text, nullable=False, default=""),
    Column("owner", String, nullable=False, default="", server_default=""),
    Index("ix_work_turn", "state", "priority", "due_at"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    # Since when it has never been silent for so long that others held it for dead; 0: ever.
    Column("steady_since", Float, nullable=False, default=0, server_default="0"),
    Column("dead_after_seconds", Float, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("taken_at", Float, nullable=False),
)

# How far what runs again and again has come.
marks = Table(
    "marks",
    metadata,
    Column("name", String, primary_key=True),
    Column("at", Float, nullable=False),
)

stages = Table(
    "stages",
    metadata,
    Column("incident_id", String, ForeignKey("incidents.id"), primary_key=True),
    Column("stage", String, primary_key=True),
    Column("finished_at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
)

frames = Table(
    "frames",
    metadata,
    Column("investigation_id", String, primary_key=True),
    Column("packed", LargeBinary, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident_id", String, ForeignKey("incidents.id"), nullable=False, unique=True),
    Column("created_at", Float, nullable=False, index=True),
    Column("report", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("suspects", JSON, nullable=False),
    Column("disproofs", JSON, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("channel", String, nullable=False),
    Column("destination", Text, nullable=False, default="", server_default=""),
    Column("event", String, nullable=False),
    Column("incident_id", String, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("report_id", String, ForeignKey("reports.id"), nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("due_set_at", Float, nullable=False, default=0, server_default="0"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("finished_at", Float),
    Column("problem", Text, nullable=False, default=""),
    Column("reference", Text, nullable=False, default=""),
    # What is new since the message before, for who reads it.
    Column("note", Text, nullable=False, default="", server_default=""),
    Index("ix_outbox_turn", "status", "channel", "due_at"),
)

patrol_concerns = Table(
    "patrol_concerns",
    metadata,
    Column("key", Text, primary_key=True),
    Column("standing", JSON, nullable=False),
)

patrol_rounds = Table(
    "patrol_rounds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("report", JSON, nullable=False),
)

# What each call of a model reserved, then what it cost. Sums outlive the incidents they are of.
model_calls = Table(
    "model_calls",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident_id", String, nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("reserved_at", Float, nullable=False, index=True),
    Column("expires_at", Float, nullable=False),
    Column("settled_at", Float),
    Column("prompt_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("price", Float),
    Column("likely_prompt_tokens", Integer, nullable=False),
    Column("likely_price", Float),
    Column("currency", String, nullable=False),
)

model_turns = Table(
    "model_turns",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("data", Text, nullable=False),
)

# What operators said of reports; `component` and `kind` are the true cause as far as it is known.
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident_id", String, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("report_id", String, nullable=False),
    Column("ruling", String, nullable=False),
    Column("component", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("analyst", Text, nullable=False),
    Column("confidence", String, nullable=False),
)
