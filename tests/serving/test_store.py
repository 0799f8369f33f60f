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
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, insert, select

import serving
from data.complaint import Complaint, Confidentiality
from data.errors import DisposisiError
from serving.case import Answer, Case, Claim, Kind, LabelSource, Part, Return, Review, Status, Verdict
from serving.checks import Check
from serving.database import open_store
from serving.events import EventType
from serving.privacy import forget
from serving.queue import Choice, Queue
from serving.store import (
    Addition,
    AlreadyDecided,
    BadMerge,
    CannotUndo,
    ClaimGone,
    NoSuchCase,
    Store,
    Taken,
    review_of,
)
from serving.tables import events, metadata, reviews

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
    # Tuesday's: three working days after it.
    due_at=datetime(2026, 2, 6, 9, tzinfo=UTC),
)
REVIEW = Review(Verdict("environment", "dlhk", 1, "sudah benar"), LabelSource.HUMAN_CORRECTED, NOON)


def keep(store: Store, case: Case) -> None:
    """Add a case and wait until it is on disk."""
    store.add(Addition(case, ())).result()


def keep_original(store: Store) -> None:
    """The case that others are merged into; nobody waits for it."""
    keep(store, replace(CASE, id="kasus-2", status=Status.ROUTED))


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
        replace(CASE, status=Status.ROUTED, check=Check.AUDIT),
        replace(CASE, check=Check.BLIND, due_at=datetime(2026, 3, 2, 9, tzinfo=UTC)),
    ],
    ids=["all-filled", "routed-and-secret", "bare-complaint", "answer-without-agency", "audited", "blind"],
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


def test_the_case_that_waiting_harms_most_comes_first(any_store: Store) -> None:
    wanted = [
        waiting_case(1, urgency=3, probability=0.9, minute=9),
        waiting_case(2, urgency=2, probability=0.1, minute=2),
        waiting_case(3, urgency=2, probability=0.4, minute=1),
        waiting_case(4, urgency=1, probability=0.3, minute=4),
        waiting_case(5, urgency=None, probability=0.4, minute=2),
        waiting_case(6, urgency=1, probability=0.4, minute=3),
        waiting_case(7, urgency=0, probability=0.0, minute=0),
    ]
    for number in (4, 7, 1, 6, 3, 5, 2):
        keep(any_store, wanted[number - 1])
    keep(any_store, replace(waiting_case(8, urgency=3), status=Status.ROUTED))
    keep(any_store, waiting_case(9, urgency=3))
    any_store.decide("kasus-9", REVIEW)
    assert any_store.waiting(50) == wanted
    assert any_store.count(Status.WAITING) == 7


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
        Status.ASKED: 0,
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


# Kinds of verdict


KINDS = {
    Kind.DISPOSE: Verdict("health", "dinkes", 2, "dua perkara", Kind.DISPOSE,
                          (Part("environment", "dlhk", 1), Part("public-works", "dbmsda", 0)), "other-matter"),
    Kind.ASK: Verdict("", "", 1, kind=Kind.ASK, reply="Mohon sebutkan nama jalannya."),
    Kind.REFUSE: Verdict("energy", "pln", 2, kind=Kind.REFUSE, reason="other-government", reply="Kami teruskan."),
    Kind.ARCHIVE: Verdict("", "", 1, kind=Kind.ARCHIVE, reason="no-complaint"),
    Kind.MERGE: Verdict("", "", 1, kind=Kind.MERGE, merged_into="kasus-2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_verdict_leaves_the_case_as_it_says(any_store: Store, kind: Kind) -> None:
    case = replace(CASE, agency="dlhk", urgency=1)
    keep(any_store, case)
    keep_original(any_store)
    review = replace(REVIEW, verdict=KINDS[kind], reviewer="siti")
    any_store.decide(case.id, review)
    names_agency = kind in (Kind.DISPOSE, Kind.REFUSE)
    assert any_store.get(case.id) == replace(
        case,
        status=Status.ASKED if kind is Kind.ASK else Status.DECIDED,
        agency=KINDS[kind].agency if names_agency else "dlhk",
        urgency=2 if names_agency else 1,
        closed_at=NOON,
        review=review,
    )
    assert any_store.waiting(50) == []
    assert any_store.count(Status.WAITING) == 0


def test_a_case_that_was_asked_about_may_be_asked_about_again_and_decided_and_all_stays_on_record(
    any_store: Store,
) -> None:
    keep(any_store, CASE)
    for minute, kind in enumerate((Kind.ASK, Kind.ASK, Kind.ARCHIVE)):
        any_store.decide(CASE.id, replace(REVIEW, verdict=KINDS[kind], decided_at=NOON + timedelta(minutes=minute)))
    assert any_store.get(CASE.id).status is Status.DECIDED
    with pytest.raises(AlreadyDecided):
        any_store.decide(CASE.id, replace(REVIEW, verdict=KINDS[Kind.ASK]))
    with any_store.reading() as connection:
        rows = [review_of(row) for row in connection.execute(select(reviews).order_by(reviews.c.id)).mappings()]
    assert [row.verdict for row in rows] == [KINDS[kind] for kind in (Kind.ASK, Kind.ASK, Kind.ARCHIVE)]
    assert [case.review for case in any_store.reviewed()] == rows[-1:]


def test_an_agency_cannot_send_back_what_only_waits_for_the_citizen(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.decide(CASE.id, replace(REVIEW, verdict=KINDS[Kind.ASK]))
    with pytest.raises(AlreadyDecided):
        any_store.give_back(CASE.id, Return("dlhk", "bukan kami", NOON, "key:1"))


# Claims


LATER = NOON + timedelta(minutes=15)
HELD = Claim("siti", LATER)


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All that is kept."""
    with store.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def verdict_of(holder: str, seconds: float = 0) -> Review:
    return replace(REVIEW, reviewer=holder, decided_at=NOON + timedelta(seconds=seconds))


def test_a_verdict_at_the_desk_needs_the_case_in_hand_and_else_changes_nothing(any_store: Store) -> None:
    keep(any_store, CASE)
    before = tables(any_store)
    with pytest.raises(ClaimGone):
        any_store.decide(CASE.id, verdict_of("siti"), claimed=True)
    assert tables(any_store) == before
    any_store.claim(CASE.id, HELD, NOON)
    before = tables(any_store)
    for late in (900, 901, 90_000):
        with pytest.raises(ClaimGone):
            any_store.decide(CASE.id, verdict_of("siti", late), claimed=True)
    for claimed in (True, False):
        with pytest.raises(Taken, match="siti"):
            any_store.decide(CASE.id, verdict_of("budi", 60), claimed=claimed)
    assert tables(any_store) == before
    any_store.decide(CASE.id, verdict_of("siti", 899), claimed=True)
    assert any_store.get(CASE.id).status is Status.DECIDED


def test_a_claim_that_ran_out_and_was_taken_by_another_gives_way_to_them(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.claim(CASE.id, HELD, NOON)
    with pytest.raises(Taken):
        any_store.claim(CASE.id, Claim("budi", LATER), NOON + timedelta(minutes=14))
    any_store.claim(CASE.id, Claim("budi", LATER + timedelta(minutes=15)), LATER)
    with pytest.raises(Taken, match="budi"):
        any_store.decide(CASE.id, verdict_of("siti", 901), claimed=True)
    any_store.release(CASE.id, "siti")
    assert any_store.claims_of([CASE.id], LATER)[CASE.id].holder == "budi"


def test_who_goes_on_with_a_case_has_held_it_since_they_took_it(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.claim(CASE.id, HELD, NOON)
    again = NOON + timedelta(minutes=10)
    any_store.claim(CASE.id, Claim("siti", again + timedelta(minutes=15)), again)
    kept = any_store.claims_of([CASE.id], again)[CASE.id]
    assert (kept.since, kept.until) == (NOON, again + timedelta(minutes=15))
    # One that ran out doesn't count: the time in between wasn't spent on the case.
    anew = NOON + timedelta(hours=3)
    any_store.claim(CASE.id, Claim("siti", anew + timedelta(minutes=15)), anew)
    assert any_store.claims_of([CASE.id], anew)[CASE.id].since == anew


def test_a_review_tells_the_seconds_that_the_case_was_held(any_store: Store) -> None:
    for case_id in ("a", "b"):
        keep(any_store, replace(CASE, id=case_id))
    any_store.claim("a", HELD, NOON)
    any_store.claim("a", HELD, NOON + timedelta(seconds=20))
    any_store.decide("a", verdict_of("siti", 42.5), claimed=True)
    any_store.decide("b", verdict_of("siti", 42.5))
    seconds = {case.id: case.review.seconds for case in any_store.reviewed() if case.review}
    assert seconds == {"a": 42.5, "b": None}


def test_a_verdict_ends_the_claim(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.claim(CASE.id, HELD, NOON)
    any_store.decide(CASE.id, verdict_of("siti", 1), claimed=True)
    assert any_store.claims_of([CASE.id], NOON) == {}
    with pytest.raises(AlreadyDecided):
        any_store.claim(CASE.id, HELD, NOON)


def test_a_webhook_hears_of_a_verdict_at_the_desk_once_it_can_no_longer_be_taken_back(any_store: Store) -> None:
    for case_id in ("desk", "api"):
        keep(any_store, replace(CASE, id=case_id))
    any_store.claim("desk", HELD, NOON)
    any_store.decide("desk", verdict_of("siti", 1), claimed=True)
    any_store.decide("api", verdict_of("siti", 1))
    with any_store.reading() as connection:
        told = {row.case_id: row.next_attempt_at for row in connection.execute(select(events))}
    assert told == {"desk": NOON + timedelta(seconds=31), "api": None}


def test_of_many_moderators_on_the_same_cases_each_case_gets_one_verdict(any_store: Store) -> None:
    """Eight at once go through the same fifty, as the desk does: take it, decide, or go on if somebody else has it."""
    numbers = range(50)
    for number in numbers:
        keep(any_store, waiting_case(number))
    together = Barrier(8)

    def work(holder: str) -> list[str]:
        won = []
        for number in numbers:
            together.wait(60)
            try:
                any_store.claim(f"kasus-{number}", Claim(holder, LATER), NOON)
                any_store.decide(f"kasus-{number}", verdict_of(holder, 5), claimed=True)
                won.append(f"kasus-{number}")
            except (Taken, ClaimGone, AlreadyDecided):
                pass
        return won

    with ThreadPoolExecutor(8) as pool:
        won = dict(zip("abcdefgh", pool.map(work, "abcdefgh"), strict=True))
    said = {case_id: holder for holder, each in won.items() for case_id in each}
    assert sum(map(len, won.values())) == len(said) == 50
    with any_store.reading() as connection:
        kept = connection.execute(select(reviews.c.case_id, reviews.c.reviewer)).all()
    assert len(kept) == 50
    assert {row.case_id: row.reviewer for row in kept} == said


# Taking a verdict back


def held_and_decided(store: Store, case: Case, review: Review = REVIEW) -> None:
    """A case that siti took and decided at the desk, at noon."""
    store.claim(case.id, HELD, NOON)
    store.decide(case.id, replace(review, reviewer="siti"), claimed=True)


def told_of(store: Store, case_id: str) -> list[tuple[str, str, str | None]]:
    """Type, status and agency of a case's events, in their order."""
    query = select(events.c.type, events.c.data).where(events.c.case_id == case_id).order_by(events.c.number)
    with store.reading() as connection:
        return [(row.type, row.data["status"], row.data["agency"]) for row in connection.execute(query)]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "case",
    [
        replace(CASE, agency=None, urgency=None),
        replace(CASE, agency="dlhk", urgency=1, check=Check.BLIND),
        replace(CASE, agency="dlhk", urgency=1, status=Status.ROUTED, closed_at=NOON - timedelta(days=2)),
        replace(CASE, agency="dlhk", urgency=3, status=Status.ROUTED, check=Check.AUDIT, closed_at=NOON),
    ],
    ids=["waiting", "blind", "routed", "audited"],
)
def test_a_verdict_taken_back_leaves_the_case_as_it_was_and_stays_on_record(
    any_store: Store, case: Case, kind: Kind
) -> None:
    keep(any_store, case)
    keep_original(any_store)
    before, queued = any_store.get(case.id), [line.id for line in Queue(any_store).lines(Choice(), 50)]
    assert before == case
    held_and_decided(any_store, case, replace(REVIEW, verdict=KINDS[kind]))
    assert Queue(any_store).lines(Choice(), 50) == []
    any_store.undo(case.id, "siti", NOON + timedelta(seconds=30))
    # Whoever has seen the suggestion in between checks nothing any more.
    assert any_store.get(case.id) == before
    assert [line.id for line in Queue(any_store).lines(Choice(), 50)] == queued
    assert list(any_store.reviewed()) == []
    with any_store.reading() as connection:
        [row] = connection.execute(select(reviews)).mappings()
    assert review_of(row).verdict == KINDS[kind]
    assert review_of(row).undone_at == NOON + timedelta(seconds=30)


def test_a_verdict_taken_back_is_told_as_what_the_case_is_again(any_store: Store) -> None:
    waits = replace(CASE, id="a", agency=None)
    goes_on = replace(CASE, id="b", agency="dlhk", status=Status.ROUTED)
    for case in (waits, goes_on):
        keep(any_store, case)
        held_and_decided(any_store, case, replace(REVIEW, verdict=KINDS[Kind.REFUSE]))
        any_store.undo(case.id, "siti", NOON + timedelta(seconds=9))
    decided_told = (EventType.REVIEW_DECIDED, "decided", "pln")
    assert told_of(any_store, "a") == [decided_told, (EventType.REVIEW_REQUESTED, "waiting", None)]
    assert told_of(any_store, "b") == [decided_told, (EventType.ROUTED, "routed", "dlhk")]
    with any_store.reading() as connection:
        times = set(connection.execute(select(events.c.happened_at)).scalars())
    assert times == {NOON, NOON + timedelta(seconds=9)}


def test_only_ones_own_verdict_is_taken_back_within_half_a_minute_and_once(any_store: Store) -> None:
    keep(any_store, CASE)
    with pytest.raises(CannotUndo):
        any_store.undo(CASE.id, "siti", NOON)
    held_and_decided(any_store, CASE)
    before = tables(any_store)
    for by, seconds in (("budi", 1.0), ("", 1.0), ("siti", 30.001), ("siti", 86_400.0)):
        with pytest.raises(CannotUndo):
            any_store.undo(CASE.id, by, NOON + timedelta(seconds=seconds))
    for case_id, region in ((CASE.id, "kota-surabaya"), ("kasus-9", ""), ("a\x00b", "")):
        with pytest.raises(NoSuchCase):
            any_store.undo(case_id, "siti", NOON, region)
    assert tables(any_store) == before
    any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=1), "kab-tangerang")
    with pytest.raises(CannotUndo):
        any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=2))


def test_after_a_return_the_verdict_before_it_is_not_taken_back(any_store: Store) -> None:
    keep(any_store, CASE)
    held_and_decided(any_store, CASE)
    any_store.give_back(CASE.id, Return("dlhk", "bukan kami", NOON + timedelta(seconds=5), "key:1"))
    with pytest.raises(CannotUndo):
        any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=6))
    assert any_store.get(CASE.id).status is Status.RETURNED


def test_the_second_verdict_on_a_case_that_was_sent_back_is_taken_back_to_the_first(any_store: Store) -> None:
    keep(any_store, CASE)
    first = replace(REVIEW, reviewer="budi", verdict=KINDS[Kind.DISPOSE], decided_at=NOON - timedelta(days=1))
    any_store.decide(CASE.id, first)
    any_store.give_back(CASE.id, Return("dinkes", "bukan kami", NOON - timedelta(hours=2), "key:1"))
    before = any_store.get(CASE.id)
    held_and_decided(any_store, CASE, replace(REVIEW, verdict=KINDS[Kind.REFUSE]))
    any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=5))
    assert any_store.get(CASE.id) == before
    assert before.review == first
    assert [line.id for line in Queue(any_store).lines(Choice(reason="returned"), 50)] == [CASE.id]
    with any_store.reading() as connection:
        told = connection.execute(select(events.c.data).order_by(events.c.number.desc()).limit(1)).scalar_one()
    # What it stood at before is told: the first verdict's agency with its own sector.
    assert (told["status"], told["agency"], told["sector"]) == ("returned", "dinkes", "health")


def test_after_a_verdict_was_taken_back_the_case_is_decided_anew(any_store: Store) -> None:
    keep(any_store, CASE)
    held_and_decided(any_store, CASE)
    any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=1))
    second = replace(REVIEW, verdict=KINDS[Kind.REFUSE], reviewer="budi", decided_at=NOON + timedelta(seconds=2))
    any_store.decide(CASE.id, second)
    assert any_store.get(CASE.id).review == second
    assert [case.review for case in any_store.reviewed()] == [second]
    with pytest.raises(CannotUndo):
        any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=3))
    with any_store.reading() as connection:
        assert len(connection.execute(select(reviews)).all()) == 2


def test_a_verdict_on_a_case_whose_words_are_gone_is_not_taken_back(any_store: Store) -> None:
    keep(any_store, replace(CASE, answer=replace(ANSWER, detail={"reasons": []})))
    held_and_decided(any_store, CASE)
    forget(any_store, CASE.id, by="budi", reason="diminta", clock=lambda: NOON + timedelta(seconds=1))
    with pytest.raises(CannotUndo):
        any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=2))


# Tables


def test_the_migrations_make_the_very_tables_that_the_code_expects(store: Store, database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


OLD_TABLES = ("cases", "answers", "reviews", "returns", "claims")


def at_migration_2(database: str) -> None:
    """Tables as the version before the desk made them, with cases of each status."""
    engine = create_engine(database if "://" in database else f"sqlite:///{database}")
    config = Config()
    config.set_main_option("script_location", str(Path(serving.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        old = MetaData()
        old.reflect(connection, only=OLD_TABLES)
        cases, answers, reviews, returns, claims = (old.tables[name] for name in OLD_TABLES)
        for number, status in enumerate(("waiting", "routed", "returned", "decided", "forgotten")):
            at = OLD + timedelta(days=number)
            connection.execute(insert(cases), {
                "id": status, "status": status, "region": "kab-tangerang", "title": "", "text": "got mampet",
                "location": "", "channel": "web", "confidentiality": "terbuka", "received_at": at, "created_at": at,
                "agency": "dlhk", "urgency": number % 3,
                "closed_at": at if status in ("routed", "decided") else None,
            })  # fmt: skip
            connection.execute(insert(answers), {
                "case_id": status, "model_version": "0123456789ab", "sector": "environment", "probability": 0.75,
                "agency": "dlhk", "outcome": "review", "urgency": number % 3,
                "detail": {"reasons": ["below-threshold", "split"] if number else []},
            })  # fmt: skip
        for case_id in ("returned", "decided"):
            connection.execute(insert(reviews), {
                "case_id": case_id, "sector": "environment", "agency": "dlhk", "urgency": 2, "note": "lama",
                "label_source": "human-accepted", "decided_at": OLD + timedelta(days=5), "reviewer": "budi",
            })  # fmt: skip
        connection.execute(insert(returns), {
            "case_id": "returned", "agency": "dlhk", "reason": "bukan kami", "told_by": "key:1",
            "returned_at": OLD + timedelta(days=6),
        })  # fmt: skip
        connection.execute(insert(claims), {"case_id": "waiting", "holder": "budi", "until": OLD + timedelta(days=90)})
    engine.dispose()


# A Monday morning, as the old program wrote it: UTC, without a zone.
OLD = datetime(2026, 1, 5, 3)


def test_a_database_of_the_version_before_the_desk_gets_its_queue_and_goes_on(any_database: str) -> None:
    at_migration_2(any_database)
    with closing(open_store(any_database)) as store:
        lines = {line.id: line for line in Queue(store).lines(Choice(), 50)}
        assert set(lines) == {"waiting", "returned"} == {case.id for case in store.waiting(50)}
        assert (lines["waiting"].reason, lines["returned"].reason) == ("", "returned")
        assert lines["waiting"].holder == "budi" or datetime.now(UTC) > (OLD + timedelta(days=90)).replace(tzinfo=UTC)
        # Monday, due on Thursday; sent back on the Sunday after: due on Wednesday.
        assert lines["waiting"].due_at == datetime(2026, 1, 8, 9, tzinfo=UTC)
        assert lines["returned"].due_at == datetime(2026, 1, 14, 9, tzinfo=UTC)
        routed = store.get("routed")
        assert (routed.status, routed.check, routed.review) == (Status.ROUTED, Check.NONE, None)
        decided_review = store.get("decided").review
        assert decided_review == Review(
            Verdict("environment", "dlhk", 2, "lama"),
            LabelSource.HUMAN_ACCEPTED,
            (OLD + timedelta(days=5)).replace(tzinfo=UTC),
            "budi",
        )
        with pytest.raises(CannotUndo):
            store.undo("decided", "budi", (OLD + timedelta(days=5)).replace(tzinfo=UTC))
        store.decide("returned", REVIEW)
        # Held by the one who held it, since nobody knows when.
        store.decide("waiting", replace(REVIEW, reviewer="budi"), claimed=True)
        waiting_review = store.get("waiting").review
        assert waiting_review is not None
        assert waiting_review.seconds is None
        assert Queue(store).count(Choice()) == 0


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


# Merging, and what was seen


def merge_into(original: str) -> Review:
    return replace(REVIEW, verdict=Verdict("", "", 1, kind=Kind.MERGE, merged_into=original))


def test_cases_are_never_merged_into_each_other_or_in_a_row(any_store: Store) -> None:
    for name in ("a", "b", "c"):
        keep(any_store, replace(CASE, id=name))
    any_store.decide("a", merge_into("b"))
    for case_id, original in (("b", "a"), ("b", "c"), ("c", "a"), ("c", "c"), ("c", "nowhere")):
        with pytest.raises(BadMerge):
            any_store.decide(case_id, merge_into(original))
    any_store.decide("c", merge_into("b"))
    assert any_store.get("b").status is Status.WAITING


def test_two_that_merge_two_cases_into_each_other_at_once_leave_one_to_be_answered(any_store: Store) -> None:
    pairs = [(f"a{number}", f"b{number}") for number in range(10)]
    for name in [name for pair in pairs for name in pair]:
        keep(any_store, replace(CASE, id=name))
    refused: list[str] = []

    def merge(each: tuple[str, str]) -> None:
        try:
            any_store.decide(each[0], merge_into(each[1]))
        except BadMerge:
            refused.append(each[0])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(merge, [way for one, other in pairs for way in ((one, other), (other, one))]))
    assert len(refused) == len(pairs)


def test_a_verdict_on_what_has_changed_since_it_was_seen_is_refused(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.decide(CASE.id, replace(REVIEW, verdict=KINDS[Kind.ASK]), seen=0)
    with pytest.raises(AlreadyDecided):
        any_store.decide(CASE.id, REVIEW, seen=0)
    any_store.decide(CASE.id, REVIEW, seen=1)
    any_store.give_back(CASE.id, Return("dlhk", "bukan kami", NOON, "key:1"))
    with pytest.raises(AlreadyDecided):
        any_store.decide(CASE.id, REVIEW, seen=2)
    any_store.decide(CASE.id, REVIEW, seen=3)


def test_a_page_that_is_left_lets_go_of_its_own_claim_only(any_store: Store) -> None:
    keep(any_store, CASE)
    any_store.claim(CASE.id, HELD, NOON)
    any_store.claim(CASE.id, replace(HELD, until=LATER + timedelta(seconds=5)), NOON)
    any_store.release(CASE.id, "siti", LATER)
    assert CASE.id in any_store.claims_of([CASE.id], NOON)
    any_store.release(CASE.id, "siti", LATER + timedelta(seconds=5))
    assert any_store.claims_of([CASE.id], NOON) == {}
    any_store.claim(CASE.id, HELD, NOON)
    any_store.release_all("siti")
    assert any_store.claims_of([CASE.id], NOON) == {}


def test_a_webhook_is_never_told_of_a_verdict_that_was_taken_back_in_time(any_store: Store) -> None:
    keep(any_store, CASE)
    held_and_decided(any_store, CASE, REVIEW)
    any_store.undo(CASE.id, "siti", NOON + timedelta(seconds=20))
    with any_store.reading() as connection:
        told = {row.type: row.delivered_at for row in connection.execute(select(events))}
    assert told[EventType.REVIEW_DECIDED] is not None
    assert told[EventType.REVIEW_REQUESTED] is None
