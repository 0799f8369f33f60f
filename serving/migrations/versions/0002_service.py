"""Intake ids, returns, claims, idempotency keys, the outbox, keys, moderators, sessions and the audit record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBERED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add what the service needs beside cases, answers and reviews."""
    _extend_cases()
    op.add_column("reviews", sa.Column("reviewer", sa.String(80), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "returns",
        sa.Column("id", sa.Integer, nullable=False),
        _of_case(),
        sa.Column("agency", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("returned_at", sa.DateTime, nullable=False),
        sa.Column("told_by", sa.String(80), nullable=False),
        *_keyed("returns", "id"),
    )
    op.create_index("ix_returns_case_id", "returns", ["case_id"])
    op.create_table(
        "claims",
        _of_case(),
        sa.Column("holder", sa.String(80), nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
        *_keyed("claims", "case_id"),
    )
    op.create_table(
        "requests",
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        _of_case(),
        sa.Column("created_at", sa.DateTime, nullable=False),
        *_keyed("requests", "owner", "key"),
    )
    op.create_index("ix_requests_case_id", "requests", ["case_id"])
    op.create_index("ix_requests_created_at", "requests", ["created_at"])
    _make_outbox()
    _make_people()
    op.create_table(
        "audit",
        sa.Column("id", _NUMBERED, nullable=False),
        sa.Column("happened_at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("case_id", sa.String(36)),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_case_id", "audit", ["case_id"])


def _extend_cases() -> None:
    for column in (
        sa.Column("agency", sa.String(128)),
        sa.Column("urgency", sa.Integer),
        sa.Column("intake_id", sa.String(128)),
        sa.Column("reporter", sa.String(128)),
        sa.Column("closed_at", sa.DateTime),
        sa.Column("emptied_at", sa.DateTime),
    ):
        op.add_column("cases", column)
    latest = "SELECT {} FROM reviews WHERE case_id = cases.id ORDER BY id DESC LIMIT 1"
    told = "SELECT {} FROM answers WHERE case_id = cases.id"
    for name in ("agency", "urgency"):
        op.execute(f"UPDATE cases SET {name} = COALESCE(({latest.format(name)}), ({told.format(name)}))")  # noqa: S608
    op.execute(
        f"UPDATE cases SET closed_at = COALESCE(({latest.format('decided_at')}), created_at) "  # noqa: S608
        "WHERE status IN ('decided', 'routed')"
    )
    op.create_index("ix_cases_region_created_at_id", "cases", ["region", "created_at", "id"])
    op.create_index("ix_cases_received_at", "cases", ["received_at"])
    op.create_index("ix_cases_reporter", "cases", ["reporter"])
    op.create_index("ix_cases_closed_at", "cases", ["closed_at"])
    op.create_index("ix_cases_emptied_at", "cases", ["emptied_at"])
    op.create_index("ix_cases_region_intake_id", "cases", ["region", "intake_id"], unique=True)


def _make_outbox() -> None:
    op.create_table(
        "events",
        sa.Column("number", _NUMBERED, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        _of_case(),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("happened_at", sa.DateTime, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("delivered_at", sa.DateTime),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.DateTime),
        sa.Column("given_up_at", sa.DateTime),
        sa.Column("last_error", sa.String(200), nullable=False, server_default=sa.text("''")),
        *_keyed("events", "number"),
    )
    op.create_index("ix_events_case_id", "events", ["case_id"])
    op.create_index("ix_events_delivered_at_given_up_at_number", "events", ["delivered_at", "given_up_at", "number"])


def _make_people() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
    )
    op.create_table(
        "moderators",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("disabled_at", sa.DateTime),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("locked_until", sa.DateTime),
        sa.PrimaryKeyConstraint("name", name="pk_moderators"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("moderator", sa.String(80), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(["moderator"], ["moderators.name"], name="fk_sessions_moderator"),
    )
    op.create_index("ix_sessions_moderator", "sessions", ["moderator"])


def _of_case() -> sa.Column[str]:
    return sa.Column("case_id", sa.String(36), nullable=False)


def _keyed(table: str, *primary: str) -> tuple[sa.Constraint, sa.Constraint]:
    """The primary key of a table that belongs to a case, and the reference to the case."""
    return (
        sa.PrimaryKeyConstraint(*primary, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=f"fk_{table}_case_id"),
    )
