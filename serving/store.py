"""The store: cases, answers and reviews in SQLite (or any database SQLAlchemy speaks to), through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.util.exc import CommandError
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from data.complaint import Complaint, Confidentiality
from data.errors import DisposisiError
from serving.case import Answer, Case, LabelSource, Review, Status, Verdict
from serving.migrate import migrate


class AlreadyDecided(DisposisiError):
    """A verdict on a case that has one."""


class NoSuchCase(DisposisiError):
    """An id that no case has."""


class CannotOpen(DisposisiError):
    """A database that can't be opened or brought up to date."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite itself would forget the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
    Index(None, "status", "created_at"),
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
)

_CASE_COLUMNS = list(cases.c)
_ANSWER_COLUMNS = [column.label(f"answer_{column.name}") for column in answers.c if column.name != "case_id"]
_REVIEW_COLUMNS = [column.label(f"review_{column.name}") for column in reviews.c if column.name != "case_id"]


class Store:
    """Cases on disk. Each method is one transaction: what it returned from is kept, what it raised in never was."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._reader = engine.execution_options(only_reads=True)

    def add(self, case: Case) -> None:
        """Keep a new case with its answer."""
        with self._engine.begin() as connection:
            connection.execute(insert(cases), _case_values(case))
            connection.execute(insert(answers), {"case_id": case.id, **vars(case.answer)})

    def get(self, case_id: str) -> Case:
        """The case of that id, with its latest review; `NoSuchCase` if there is none."""
        query = _whole_cases().where(cases.c.id == case_id)
        with self._reader.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NoSuchCase(f"There is no case {case_id!r}.")
        return _case(row)

    def waiting(self, limit: int, offset: int = 0) -> list[Case]:
        """Cases that wait for a moderator: the most urgent first, among them the least sure, then the oldest."""
        order = (func.coalesce(answers.c.urgency, 1).desc(), answers.c.probability, cases.c.created_at, cases.c.id)
        return self._listed(Status.WAITING, order, limit, offset)

    def newest(self) -> Iterator[Case]:
        """Every case, the one received last first."""
        query = _whole_cases().order_by(cases.c.received_at.desc(), cases.c.id)
        with self._reader.connect() as connection:
            for row in connection.execution_options(yield_per=1_000).execute(query).mappings():
                yield _case(row)

    def routed(self, limit: int, offset: int = 0) -> list[Case]:
        """Cases that the program routed by itself and nobody has corrected, the newest first."""
        return self._listed(Status.ROUTED, (cases.c.created_at.desc(), cases.c.id), limit, offset)

    def _listed(self, status: Status, order: Sequence[Any], limit: int, offset: int) -> list[Case]:
        query = _whole_cases().where(cases.c.status == status).order_by(*order).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            return [_case(row) for row in connection.execute(query).mappings()]

    def count(self, status: Status) -> int:
        """How many cases have a status."""
        query = select(func.count()).select_from(cases).where(cases.c.status == status)
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def decide(self, case_id: str, review: Review) -> None:
        """Append a review to a case that nobody has decided. `NoSuchCase` or `AlreadyDecided` leave all as it was."""
        claim = (
            update(cases)
            .where(cases.c.id == case_id, cases.c.status != Status.DECIDED)
            .values(status=Status.DECIDED.value)
        )
        verdict = review.verdict
        with self._engine.begin() as connection:
            if connection.execute(claim).rowcount != 1:
                status = connection.execute(select(cases.c.status).where(cases.c.id == case_id)).scalar()
                if status is None:
                    raise NoSuchCase(f"There is no case {case_id!r}.")
                raise AlreadyDecided(f"Case {case_id!r} is {status} already.")
            connection.execute(
                insert(reviews),
                {
                    "case_id": case_id,
                    **vars(verdict),
                    "label_source": review.label_source.value,
                    "decided_at": review.decided_at,
                },
            )

    def reviewed(self) -> Iterator[Case]:
        """Every case that has a review, in the order of the reviews."""
        query = _whole_cases().where(reviews.c.id.is_not(None)).order_by(reviews.c.id)
        with self._reader.connect() as connection:
            for row in connection.execute(query).mappings():
                yield _case(row)

    def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            with self._reader.connect() as connection:
                connection.execute(select(cases.c.id).limit(1))
        except SQLAlchemyError:
            return False
        return True

    def close(self) -> None:
        self._engine.dispose()


def open_store(database: str, *, must_exist: bool = False) -> Store:
    """Open a database by file name or SQLAlchemy URL, and bring its tables up to date.

    Raises `CannotOpen`, which never repeats a URL's password.
    """
    try:
        url = make_url(database if "://" in database else f"sqlite:///{database}")
    except (ArgumentError, ValueError):
        raise CannotOpen("--database is neither a file name nor a database URL such as sqlite:///cases.db.") from None
    name = url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    try:
        if url.get_backend_name() == "sqlite":
            if not url.database or ":memory:" in url.database or url.query:
                raise CannotOpen("--database must be a file: what a database in memory holds is lost at each stop.")
            path = Path(url.database)
            if must_exist and not path.is_file():
                raise CannotOpen(f"There is no database at {path}. Start one with: disposisi serve --database {path}")
            path.parent.mkdir(parents=True, exist_ok=True)
            # Complaints are for the service's own user only; the files SQLite puts beside take the same mode.
            path.touch(mode=0o600)
        engine = create_engine(url, hide_parameters=True)
        if engine.dialect.name == "sqlite":
            _set_up_sqlite(engine)
        migrate(engine)
    except (SQLAlchemyError, ModuleNotFoundError, OSError, CommandError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise CannotOpen(f"Can't open the database {name}: {reason}.") from None
    return Store(engine, name)


def _set_up_sqlite(engine: Engine) -> None:
    """Write-ahead log, synced at each commit; writing takes the lock at once, so that no transaction fails half-way."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        reads = connection.get_execution_options().get("only_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _whole_cases() -> Any:
    latest = select(reviews.c.case_id, func.max(reviews.c.id).label("id")).group_by(reviews.c.case_id).subquery()
    return select(*_CASE_COLUMNS, *_ANSWER_COLUMNS, *_REVIEW_COLUMNS).select_from(
        cases.join(answers, answers.c.case_id == cases.c.id)
        .outerjoin(latest, latest.c.case_id == cases.c.id)
        .outerjoin(reviews, reviews.c.id == latest.c.id)
    )


def _case_values(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "status": case.status.value,
        **vars(case.complaint),
        "channel": case.channel,
        "confidentiality": case.confidentiality.value,
        "received_at": case.received_at,
        "created_at": case.created_at,
    }


def _case(row: RowMapping) -> Case:
    answer = Answer(**{column.removeprefix("answer_"): row[column] for column in row if column.startswith("answer_")})
    review = None
    if row["review_id"] is not None:
        verdict = Verdict(row["review_sector"], row["review_agency"], row["review_urgency"], row["review_note"])
        review = Review(verdict, LabelSource(row["review_label_source"]), row["review_decided_at"])
    return Case(
        id=row["id"],
        status=Status(row["status"]),
        complaint=Complaint(row["text"], row["title"], row["location"], row["region"]),
        channel=row["channel"],
        confidentiality=Confidentiality(row["confidentiality"]),
        received_at=row["received_at"],
        created_at=row["created_at"],
        answer=answer,
        review=review,
    )
