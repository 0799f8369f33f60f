"""The tables: what of a case, its events, who may do what, and what was looked at is kept on disk."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite itself would forget the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


# SQLite numbers rows by itself only under the exact type INTEGER.
Numbered = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# `agency` and `urgency` are the case's own now: the verdict's, or until there is one what the program said.
cases = Table(
    "cases",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("region", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("confidentiality", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("agency", String(128)),
    Column("urgency", Integer),
    Column("intake_id", String(128)),
    Column("reporter", String(128)),
    Column("closed_at", UtcDateTime),
    Column("emptied_at", UtcDateTime),
    # A moderator has something to do, and when it is this case's turn (`serving.review_order`).
    Column("queued", Boolean, nullable=False, server_default=false()),
    Column("turn", Float, nullable=False, server_default="0"),
    Column("reason", String(32), nullable=False, server_default=text("''")),
    Column("due_at", UtcDateTime, nullable=False, server_default=text("'2000-01-01 00:00:00'")),
    Column("check", String(8), nullable=False, server_default=text("''")),
    # Each holds all that the queue is chosen by: a page or a count of it reads no case.
    Index("ix_cases_queue", "queued", "turn", "id", "region", "agency", "urgency", "reason", "check", "due_at"),
    Index(
        "ix_cases_queue_of_region", "queued", "region", "turn", "id", "agency", "urgency", "reason", "check", "due_at"
    ),
    Index("ix_cases_queue_counts", "queued", "region", "agency", "urgency", "reason", "check", "due_at"),
    Index(None, "status", "created_at"),
    Index(None, "region", "created_at", "id"),
    Index(None, "received_at"),
    Index(None, "reporter"),
    Index(None, "closed_at"),
    Index(None, "emptied_at"),
    Index(None, "region", "intake_id", unique=True),
)
answers = Table(
    "answers",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("model_version", String(64), nullable=False),
    Column("sector", String(64), nullable=False),
    Column("probability", Float, nullable=False),
    Column("agency", String(128)),
    Column("area", String(128)),
    Column("outcome", String(16), nullable=False),
    Column("urgency", Integer),
    Column("urgency_probability", Float),
    Column("detail", JSON, nullable=False),
)
reviews = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("sector", String(64), nullable=False),
    Column("agency", String(128), nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("label_source", String(32), nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("reviewer", String(80), nullable=False, server_default=text("''")),
    Column("kind", String(16), nullable=False, server_default=text("'dispose'")),
    Column("parts", JSON, nullable=False, server_default=text("'[]'")),
    Column("reason", String(32), nullable=False, server_default=text("''")),
    Column("reply", Text, nullable=False, server_default=text("''")),
    Column("merged_into", String(36), nullable=False, server_default=text("''")),
    Column("seconds", Float),
    # The case as it was before, for who takes the verdict back.
    Column("before", JSON, nullable=False, server_default=text("'{}'")),
    Column("undone_at", UtcDateTime),
    Index(None, "decided_at"),
)
# An agency sent the case back: evidence against the disposition it had.
returns = Table(
    "returns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("agency", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("returned_at", UtcDateTime, nullable=False),
    Column("told_by", String(80), nullable=False),
)
# Who is at work on a case, until when; a row that has run out counts for nothing.
claims = Table(
    "claims",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("holder", String(80), nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("since", UtcDateTime),
)
# A moderator's own choice of cases, under a name of their own.
views = Table(
    "views",
    metadata,
    Column("moderator", ForeignKey("moderators.name"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("query", String(255), nullable=False),
)
# What the head of a desk decided about routing alone; the latest row of a region and agency counts. An empty agency is
# the region's target for all.
policies = Table(
    "policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("region", String(64), nullable=False),
    Column("agency", String(128), nullable=False),
    Column("target", Float),
    Column("routes_alone", Boolean, nullable=False),
    Column("reason", String(255), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(80), nullable=False),
)
# An Idempotency-Key's request: the same key with the same body is answered with the same case.
requests = Table(
    "requests",
    metadata,
    Column("owner", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)
# The outbox. `number` is the order in which events were committed: one writer at a time hands them out.
events = Table(
    "events",
    metadata,
    Column("number", Numbered, primary_key=True),
    Column("id", String(36), nullable=False),
    Column("type", String(64), nullable=False),
    # None of what concerns a region and no case.
    Column("case_id", ForeignKey("cases.id"), index=True),
    Column("region", String(64), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("data", JSON, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("given_up_at", UtcDateTime),
    Column("last_error", String(200), nullable=False, server_default=text("''")),
    Index(None, "delivered_at", "given_up_at", "number"),
)
# What a bundle is used to in a region (`model.drift.Reference`), of the cases that it answered first.
drift_references = Table(
    "drift_references",
    metadata,
    Column("region", String(64), primary_key=True),
    Column("model_version", String(64), primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("content", JSON, nullable=False),
)
# Each signal as it was last looked at (`model.drift.Effect`); `since` is when it last became an alarm, or ceased to be.
alarms = Table(
    "alarms",
    metadata,
    Column("region", String(64), primary_key=True),
    Column("signal", String(16), primary_key=True),
    Column("model_version", String(64), nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
    Column("size", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("usual", Float, nullable=False),
    Column("now", Float, nullable=False),
    Column("detail", JSON, nullable=False),
)
# Many similar cases of one place within hours. `place` is an area's name, empty where the region's file has none.
incidents = Table(
    "incidents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("region", String(64), nullable=False),
    Column("place", String(128), nullable=False),
    Column("sector", String(64), nullable=False),
    Column("parent", ForeignKey("cases.id"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index(None, "region", "last_at"),
)
incident_members = Table(
    "incident_members",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False, index=True),
)
# What a challenger said of a case beside the answer that counted; nobody who decides sees it.
shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("model_version", String(64), primary_key=True),
    Column("sector", String(64), nullable=False),
    Column("probability", Float, nullable=False),
    Column("agency", String(128)),
    Column("outcome", String(16), nullable=False),
    Column("urgency", Integer),
    Column("answered_at", UtcDateTime, nullable=False),
    Index(None, "model_version", "answered_at"),
)
# Only the hash of a key's secret is kept. `scopes` is a list; an empty region is every region.
keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("region", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)
moderators = Table(
    "moderators",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("password_hash", String(255), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("region", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", UtcDateTime),
)
# A signed-in browser; only the hash of what its cookie holds is kept.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("moderator", ForeignKey("moderators.name"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),
)
# Who looked at, exported or emptied what; rows are only ever added.
audit = Table(
    "audit",
    metadata,
    Column("id", Numbered, primary_key=True),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(32), nullable=False),
    # No foreign key: the record outlives the case.
    Column("case_id", String(36), index=True),
    Column("detail", JSON, nullable=False),
)
