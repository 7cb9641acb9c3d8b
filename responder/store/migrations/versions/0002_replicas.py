"""Replicas and their leases, merged incidents, quarantine read again, destinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forwards."""
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("heartbeat_at", sa.Float(), nullable=False),
        sa.Column("steady_since", sa.Float(), nullable=False, server_default="0"),
        sa.Column("dead_after_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replicas")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("taken_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.add_column("deliveries", sa.Column("requeued_at", sa.Float(), nullable=True))
    # Columns are added, never tables copied: on SQLite what refers to a table forbids its copying.
    op.execute(
        "ALTER TABLE incidents ADD COLUMN merged_into VARCHAR"
        " CONSTRAINT fk_incidents_merged_into REFERENCES incidents (id)"
    )
    op.create_index("ix_incidents_merged_into", "incidents", ["merged_into"], unique=False)
    # What is deleted is looked for by whatever refers to it.
    for table, column in (
        ("incidents", "occurrence_of"),
        ("outbox", "report_id"),
        ("episode_facts", "delivery_id"),
        ("changes", "delivery_id"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column], unique=False)
    op.create_index("ix_incident_keys_incident_id", "incident_keys", ["incident_id"], unique=False)
    op.add_column("incidents", sa.Column("flaps", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(
        "incidents", sa.Column("recurs", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.drop_index("ix_episodes_latest", table_name="episodes")
    op.drop_index("ix_episodes_incident_id", table_name="episodes")
    op.create_index("ix_episodes_latest", "episodes", ["fingerprint", "resolved_at"], unique=False)
    op.create_index(
        "ix_episodes_incident_id", "episodes", ["incident_id", "alertname"], unique=False
    )
    op.create_index("ix_episodes_first_seen_at", "episodes", ["first_seen_at", "id"], unique=False)
    is_open, was_cut = sa.text("resolved_at IS NULL"), sa.text("truncated > 0")
    op.create_index(
        "ix_episodes_open",
        "episodes",
        ["incident_id"],
        unique=False,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index(
        "ix_deliveries_truncated",
        "deliveries",
        ["received_at"],
        unique=False,
        sqlite_where=was_cut,
        postgresql_where=was_cut,
    )
    op.add_column("episodes", sa.Column("resent", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("work", sa.Column("owner", sa.String(), nullable=False, server_default=""))
    op.add_column("work", sa.Column("due_set_at", sa.Float(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("destination", sa.Text(), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("due_set_at", sa.Float(), nullable=False, server_default="0"))
