"""Watching: alarms, incidents and a challenger's answers; events that concern a region and no case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Let an event have no case, and add the tables."""
    # SQLite can't change a column: the table is written anew, with its indexes.
    with op.batch_alter_table("events") as table:
        table.alter_column("case_id", existing_type=sa.String(36), nullable=True)
    op.create_table(
        "drift_references",
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("region", "model_version", name="pk_drift_references"),
    )
    op.create_table(
        "alarms",
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("signal", sa.String(16), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("is_on", sa.Boolean, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("looked_at", sa.DateTime, nullable=False),
        sa.Column("size", sa.Float, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("usual", sa.Float, nullable=False),
        sa.Column("now", sa.Float, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("region", "signal", name="pk_alarms"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("place", sa.String(128), nullable=False),
        sa.Column("sector", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(36), nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("last_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.ForeignKeyConstraint(["parent"], ["cases.id"], name="fk_incidents_parent"),
    )
    op.create_index("ix_incidents_region_last_at", "incidents", ["region", "last_at"])
    op.create_table(
        "incident_members",
        sa.Column("case_id", sa.String(36), nullable=False),
        sa.Column("incident_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_incident_members"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_incident_members_case_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_incident_members_incident_id"),
    )
    op.create_index("ix_incident_members_incident_id", "incident_members", ["incident_id"])
    op.create_table(
        "shadow_answers",
        sa.Column("case_id", sa.String(36), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("sector", sa.String(64), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("agency", sa.String(128)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("urgency", sa.Integer),
        sa.Column("answered_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "model_version", name="pk_shadow_answers"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_shadow_answers_case_id"),
    )
    op.create_index("ix_shadow_answers_model_version_answered_at", "shadow_answers", ["model_version", "answered_at"])
