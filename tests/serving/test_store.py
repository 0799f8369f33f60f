"""The store gives back what it was given, takes one verdict per case, and keeps its tables up to date."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from data.complaint import Complaint, Confidentiality
from data.errors import DisposisiError
from serving.case import Answer, Case, LabelSource, Review, Status, Verdict
from serving.database import open_store
from serving.store import Addition, AlreadyDecided, NoSuchCase, Store
from serving.tables import metadata

NOON = datetime(2026, 2, 3, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=7)))
ANSWER = Answer(
    model_version="0123456789ab",
    sector="environment",
    probability=0.123456789012345,
    agency="dlhk",
    area="Curug",
    outcome="review",
    urgency=2,
    urgency_probability=0.75,
    detail={"reasons": ["no-threshold"], "alternatives": [], "explanation": {"words": [{"word": "sampah"}]}},
)
CASE = Case(
    id="kasus-1",
    status=Status.WAITING,
    complaint=Complaint(
        "Sampah menumpuk 😡\r\n\tdi \u202etepi\u202c kali; -- 'x'", "Sampah", "Desa Curug", "kab-tangerang"
    ),
    channel="WhatsApp",
    confidentiality=Confidentiality.ANONIM,
    received_at=NOON,
    created_at=NOON + timedelta(seconds=1),
    answer=ANSWER,
)
REVIEW = Review(Verdict("environment", "dlhk", 1, "sudah benar"), LabelSource.HUMAN_CORRECTED, NOON)


def keep(store: Store, case: Case) -> None:
    """Add a case and wait until it is on disk."""
    store.add(Addition(case, ())).result()


def decided(case: Case, review: Review) -> Case:
    """The case as a review leaves it."""
    verdict, at = review.verdict, review.decided_at
    return replace(
        case, status=Status.DECIDED, review=review, agency=verdict.agency, urgency=verdict.urgency, closed_at=at
    )


def dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def waiting_case(number: int, urgency: int | None = 1, probability: float = 0.5, minute: int = 0) -> Case:
    answer = replace(ANSWER, urgency=urgency, probability=probability)
    created_at = NOON + timedelta(minutes=minute)
    return replace(CASE, id=f"kasus-{number}", answer=answer, urgency=urgency, created_at=created_at)


@pytest.mark.parametrize(
    "case",
    [
        CASE,
        replace(CASE, status=Status.ROUTED, confidentiality=Confidentiality.RAHASIA, channel=""),
        replace(CASE, complaint=Complaint("x", region="kab-tangerang"), received_at=datetime(1999, 1, 1, tzinfo=UTC)),
        replace(CASE, answer=replace(ANSWER, agency=None, area=None, urgency=None, urgency_probability=None)),
    ],
    ids=["all-filled", "routed-and-secret", "bare-complaint", "answer-without-agency"],
)
def test_what_was_added_is_read_back_equal_also_after_reopening(database: Path, case: Case) -> None:
    with closing(open_store(str(database))) as store:
        keep(store, case)
        assert store.get(case.id) == case
    with closing(open_store(str(database))) as store:
        assert store.get(case.id) == case


def test_a_verdict_is_appended_and_the_answer_stays_as_it_was(store: Store) -> None:
    keep(store, CASE)
    store.decide(CASE.id, REVIEW)
    assert store.get(CASE.id) == decided(CASE, REVIEW)
    assert list(store.reviewed()) == [store.get(CASE.id)]
    assert store.count(Status.WAITING) == 0


def test_an_unknown_case_is_refused_and_changes_nothing(store: Store, database: Path) -> None:
    keep(store, CASE)
    before = dump(database)
    with pytest.raises(NoSuchCase, match="kasus-9"):
        store.decide("kasus-9", REVIEW)
    with pytest.raises(NoSuchCase, match="kasus-9"):
        store.get("kasus-9")
    assert dump(database) == before


def test_a_decided_case_takes_no_verdict(store: Store, database: Path) -> None:
    keep(store, replace(CASE, status=Status.DECIDED))
    before = dump(database)
    with pytest.raises(AlreadyDecided, match=Status.DECIDED.value):
        store.decide(CASE.id, REVIEW)
    assert dump(database) == before


def test_a_routed_case_takes_one_verdict(store: Store, database: Path) -> None:
    keep(store, replace(CASE, status=Status.ROUTED))
    store.decide(CASE.id, REVIEW)
    assert store.get(CASE.id) == decided(CASE, REVIEW)
    assert list(store.reviewed()) == [store.get(CASE.id)]
    assert (store.routed(50), store.count(Status.ROUTED), store.count(Status.DECIDED)) == ([], 0, 1)
    before = dump(database)
    with pytest.raises(AlreadyDecided, match=Status.DECIDED.value):
        store.decide(CASE.id, REVIEW)
    assert dump(database) == before


def test_a_second_verdict_leaves_the_first_as_it_was(store: Store, database: Path) -> None:
    keep(store, CASE)
    store.decide(CASE.id, REVIEW)
    before = dump(database)
    with pytest.raises(AlreadyDecided):
        store.decide(CASE.id, replace(REVIEW, verdict=Verdict("health", "dinkes", 3)))
    assert dump(database) == before


def test_of_two_moderators_on_one_case_exactly_one_wins(store: Store) -> None:
    numbers = range(100)
    for number in numbers:
        keep(store, waiting_case(number))
    together = Barrier(2)

    def decide_all(urgency: int) -> list[bool]:
        won = []
        for number in numbers:
            together.wait(30)
            try:
                store.decide(f"kasus-{number}", replace(REVIEW, verdict=replace(REVIEW.verdict, urgency=urgency)))
                won.append(True)
            except AlreadyDecided:
                won.append(False)
        return won

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(decide_all, (0, 3))
    assert [a != b for a, b in zip(first, second, strict=True)] == [True] * 100
    kept = {case.id: case.review.verdict.urgency for case in store.reviewed() if case.review}
    assert kept == {f"kasus-{n}": 0 if first[n] else 3 for n in numbers}


def test_many_threads_that_add_at_once_lose_nothing(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: keep(store, waiting_case(number)), range(200)))
    assert store.count(Status.WAITING) == 200


def test_the_most_urgent_waits_first_then_the_least_sure_then_the_oldest(store: Store) -> None:
    wanted = [
        waiting_case(1, urgency=3, probability=0.9, minute=9),
        waiting_case(2, urgency=2, probability=0.1, minute=8),
        waiting_case(3, urgency=2, probability=0.2, minute=1),
        waiting_case(4, urgency=1, probability=0.3, minute=4),
        waiting_case(5, urgency=None, probability=0.4, minute=2),
        waiting_case(6, urgency=1, probability=0.4, minute=3),
        waiting_case(7, urgency=0, probability=0.0, minute=0),
    ]
    for number in (4, 7, 1, 6, 3, 5, 2):
        keep(store, wanted[number - 1])
    keep(store, replace(waiting_case(8, urgency=3), status=Status.ROUTED))
    keep(store, waiting_case(9, urgency=3))
    store.decide("kasus-9", REVIEW)
    assert store.waiting(50) == wanted
    assert store.count(Status.WAITING) == 7


def test_pages_of_the_queue_hold_each_case_once(store: Store) -> None:
    for number in range(25):
        keep(store, waiting_case(number, urgency=number % 4, probability=number % 3 / 10, minute=number))
    pages = [store.waiting(10, offset) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert [case for page in pages for case in page] == store.waiting(25)
    assert set(Counter(case.id for page in pages for case in page).values()) == {1}


def test_routed_cases_are_listed_the_newest_first_page_by_page(store: Store) -> None:
    wanted = [replace(waiting_case(n, minute=-n, urgency=n % 4), status=Status.ROUTED) for n in range(25)]
    for number in sorted(range(25), key=lambda n: (n % 7, n)):
        keep(store, wanted[number])
    keep(store, waiting_case(98, minute=99))
    keep(store, replace(waiting_case(99, minute=99), status=Status.ROUTED))
    store.decide("kasus-99", REVIEW)
    assert [case for offset in (0, 10, 20, 30) for case in store.routed(10, offset)] == wanted
    assert {status: store.count(status) for status in Status} == {
        Status.ROUTED: 25,
        Status.WAITING: 1,
        Status.DECIDED: 1,
        Status.RETURNED: 0,
        Status.FORGOTTEN: 0,
    }


def test_all_cases_come_out_the_one_received_last_first(store: Store) -> None:
    received = {"kasus-1": 1, "kasus-2": 3, "kasus-3": 2}
    for case_id, hour in received.items():
        keep(store, replace(CASE, id=case_id, received_at=NOON + timedelta(hours=hour), created_at=NOON))
    store.decide("kasus-3", REVIEW)
    listed = list(store.newest())
    assert [case.id for case in listed] == ["kasus-2", "kasus-3", "kasus-1"]
    assert [case.review for case in listed] == [None, REVIEW, None]


def test_cases_can_be_added_while_all_are_being_read(store: Store) -> None:
    keep(store, waiting_case(1))
    reading = store.newest()
    first = next(reading)
    keep(store, waiting_case(2))
    assert [first.id, *(case.id for case in reading)] == ["kasus-1"]


def test_reviews_come_out_in_the_order_they_were_given(store: Store) -> None:
    order = [3, 1, 4, 0, 2]
    for number in sorted(order):
        keep(store, waiting_case(number))
    for number in order:
        store.decide(f"kasus-{number}", REVIEW)
    assert [case.id for case in store.reviewed()] == [f"kasus-{number}" for number in order]


def test_the_migrations_make_the_very_tables_that_the_code_expects(store: Store, database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_opening_twice_changes_nothing(store: Store, database: Path) -> None:
    keep(store, CASE)
    store.decide(CASE.id, REVIEW)
    before = dump(database)
    with closing(open_store(str(database))) as second:
        assert second.get(CASE.id) == store.get(CASE.id)
    assert dump(database) == before


def test_a_file_name_and_its_url_open_the_same_database(store: Store, database: Path) -> None:
    keep(store, CASE)
    with closing(open_store(f"sqlite:///{database}")) as second:
        assert second.get(CASE.id) == CASE


def test_folders_on_the_way_to_a_new_database_are_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "data" / "cases.db"
    with closing(open_store(str(path))) as store:
        assert store.is_ready()
    assert path.is_file()


def test_the_files_of_a_new_database_are_for_its_owner_only(database: Path) -> None:
    mask = os.umask(0)
    try:
        with closing(open_store(str(database))) as store:
            keep(store, CASE)
            modes = {path.name: path.stat().st_mode & 0o777 for path in database.parent.iterdir()}
    finally:
        os.umask(mask)
    assert {database.name, f"{database.name}-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize("name", ["sqlite://", "sqlite:///:memory:", "sqlite:///", ":memory:", ""])
@pytest.mark.parametrize("must_exist", [False, True])
def test_a_database_in_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, must_exist: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisposisiError, match="must be a file"):
        open_store(name, must_exist=must_exist)
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_its_table_is_not_ready(store: Store, database: Path) -> None:
    assert store.is_ready()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE cases")
    assert not store.is_ready()


def test_a_database_that_must_exist_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    with pytest.raises(DisposisiError, match=r"cases\.db"):
        open_store(str(path), must_exist=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"This is a letter to the regent, not a database.\n" * 100, b"SQLite format 3\0" * 9]
)
def test_a_file_that_is_not_a_database_is_refused_and_left_alone(database: Path, content: bytes) -> None:
    database.write_bytes(content)
    with pytest.raises(DisposisiError, match=r"cases\.db"):
        open_store(str(database))
    assert database.read_bytes() == content


def test_a_folder_in_the_place_of_a_database_is_refused(database: Path) -> None:
    database.mkdir()
    with pytest.raises(DisposisiError, match=r"cases\.db"):
        open_store(str(database))


def test_a_database_under_a_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "surat").write_text("not a folder", encoding="utf-8")
    with pytest.raises(DisposisiError, match="surat"):
        open_store(str(tmp_path / "surat" / "cases.db"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_database_in_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(DisposisiError, match="closed"):
        open_store(str(closed / "cases.db"))


def test_a_database_in_a_place_where_no_file_can_be_made_is_refused() -> None:
    with pytest.raises(DisposisiError, match="/proc/"):
        open_store("/proc/cases.db")


@pytest.mark.parametrize("url", ["nosuch://127.0.0.1/cases", "://cases", "postgresql://warga:RahasiaBenar@:x/cases"])
def test_a_url_that_names_no_database_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(DisposisiError) as refused:
        open_store(url)
    assert "RahasiaBenar" not in str(refused.value)


def test_commits_are_synced_and_readers_never_wait_for_a_writer(store: Store) -> None:
    for engine in (store._engine, store._reader):
        with engine.connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_does_not_wait_while_another_process_writes(store: Store, database: Path) -> None:
    keep(store, CASE)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE cases SET channel = 'surat'")
        assert store.get(CASE.id) == CASE
        assert store.count(Status.WAITING) == 1
        other.execute("ROLLBACK")
