"""The rounds: what stands, and their reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forwards."""
    op.create_table(
        "patrol_concerns",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("standing", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_patrol_concerns")),
    )
    op.create_table(
        "patrol_rounds",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patrol_rounds")),
    )
    op.create_index(op.f("ix_patrol_rounds_at"), "patrol_rounds", ["at"])
