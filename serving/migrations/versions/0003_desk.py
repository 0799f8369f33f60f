"""The moderators' desk: the queue's order, kinds of verdict, blind checks, saved views and what may be routed alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from serving.review_order import turn
from serving.working_time import due_after

revision = "0003"
down_revision = "0002"

_NOTHING = sa.text("''")
_TOGETHER = 1_000


def upgrade() -> None:
    """Add the columns and tables, and give the cases that wait their turn."""
    for column in (
        sa.Column("queued", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("turn", sa.Float, nullable=False, server_default="0"),
        sa.Column("reason", sa.String(32), nullable=False, server_default=_NOTHING),
        sa.Column("due_at", sa.DateTime, nullable=False, server_default=sa.text("'2000-01-01 00:00:00'")),
        sa.Column("check", sa.String(8), nullable=False, server_default=_NOTHING),
    ):
        op.add_column("cases", column)
    _fill_cases()
    # Each holds all that the queue is chosen by: a page or a count of it reads no case.
    for name, first in (
        ("queue", ("turn", "id", "region")),
        ("queue_of_region", ("region", "turn", "id")),
        ("queue_counts", ("region",)),
    ):
        columns = ["queued", *first, "agency", "urgency", "reason", "check", "due_at"]
        op.create_index(f"ix_cases_{name}", "cases", columns)
    for column in (
        sa.Column("kind", sa.String(16), nullable=False, server_default=sa.text("'dispose'")),
        sa.Column("parts", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("reason", sa.String(32), nullable=False, server_default=_NOTHING),
        sa.Column("reply", sa.Text, nullable=False, server_default=_NOTHING),
        sa.Column("merged_into", sa.String(36), nullable=False, server_default=_NOTHING),
        sa.Column("seconds", sa.Float),
        sa.Column("before", sa.JSON, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("undone_at", sa.DateTime),
    ):
        op.add_column("reviews", column)
    op.create_index("ix_reviews_decided_at", "reviews", ["decided_at"])
    op.add_column("claims", sa.Column("since", sa.DateTime))
    op.create_table(
        "views",
        sa.Column("moderator", sa.String(80), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("query", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("moderator", "name", name="pk_views"),
        sa.ForeignKeyConstraint(["moderator"], ["moderators.name"], name="fk_views_moderator"),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("agency", sa.String(128), nullable=False),
        sa.Column("target", sa.Float),
        sa.Column("routes_alone", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.Column("changed_by", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_policies"),
    )


def _fill_cases() -> None:
    """Turn, clock and reason of the cases there are: some hundred thousand take a minute."""
    connection = op.get_bind()
    told = sa.table("answers", *(sa.column(name) for name in ("case_id", "probability")), sa.column("detail", sa.JSON))
    kept = sa.table(
        "cases",
        *(sa.column(name) for name in ("id", "status", "urgency", "queued", "turn", "reason")),
        *(sa.column(name, sa.DateTime) for name in ("created_at", "due_at")),
    )
    back = sa.table("returns", sa.column("case_id"), sa.column("returned_at", sa.DateTime))
    sent_back_at = sa.select(sa.func.max(back.c.returned_at)).where(back.c.case_id == kept.c.id).scalar_subquery()
    query = (
        sa.select(*(kept.c[name] for name in ("id", "status", "urgency", "created_at")))
        .add_columns(told.c.probability, told.c.detail, sent_back_at.label("sent_back_at"))
        .join(told, told.c.case_id == kept.c.id)
        .order_by(kept.c.id)
        .limit(_TOGETHER)
    )
    change = sa.update(kept).where(kept.c.id == sa.bindparam("of")).values(
        queued=sa.bindparam("waits", type_=sa.Boolean), turn=sa.bindparam("new_turn"),
        reason=sa.bindparam("why"), due_at=sa.bindparam("due", type_=sa.DateTime),
    )  # fmt: skip
    rows = connection.execute(query).all()
    while rows:
        connection.execute(change, [_filled(row) for row in rows])
        rows = connection.execute(query.where(kept.c.id > rows[-1].id)).all()


def _filled(row: Any) -> dict[str, object]:
    sent_back = row.status == "returned"
    # What an agency sent back has a new clock, from then on.
    began: datetime = row.sent_back_at or row.created_at if sent_back else row.created_at
    since = began.replace(tzinfo=UTC)
    return {
        "of": row.id,
        "waits": row.status in ("waiting", "returned"),
        "new_turn": turn(row.probability, row.urgency, since, sent_back=sent_back),
        "why": "returned" if sent_back else next(iter(row.detail.get("reasons", [])), ""),
        "due": due_after(since).replace(tzinfo=None),
    }
