"""The queue shows what waits, as it was chosen and in its order, counts it, and hands nobody what another holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.complaint import Complaint, Confidentiality
from serving.case import Case, Claim, LabelSource, Return, Review, Status, Verdict
from serving.checks import Check
from serving.queue import LATE, NO_AGENCY, SOON, Choice, Line, Queue
from serving.store import SENT_BACK, Addition, Store
from serving.tables import claims
from serving.working_time import ZONE, due_after
from tests.serving.test_store import ANSWER, CASE, keep

# A Wednesday noon.
NOW = datetime(2026, 2, 11, 12, tzinfo=ZONE)
DAY = timedelta(days=1)
REVIEW = Review(Verdict("environment", "dlhk", 1), LabelSource.HUMAN_CORRECTED, NOW, "siti")
ALL = 1_000


@dataclass
class Hand:
    """A clock that a test sets."""

    time: datetime = NOW

    def __call__(self) -> datetime:
        return self.time


def case(
    name: str,
    *,
    status: Status = Status.WAITING,
    region: str = "kab-tangerang",
    agency: str | None = "dlhk",
    urgency: int | None = 1,
    probability: float = 0.5,
    reason: str = "below-threshold",
    created_at: datetime = NOW - timedelta(hours=1),
    check: Check = Check.NONE,
    confidentiality: Confidentiality = Confidentiality.TERBUKA,
) -> Case:
    answer = replace(ANSWER, agency=agency, urgency=urgency, probability=probability, detail={"reasons": [reason]})
    return replace(
        CASE,
        id=name,
        status=status,
        complaint=replace(CASE.complaint, region=region),
        confidentiality=confidentiality,
        created_at=created_at,
        answer=answer,
        agency=agency,
        urgency=urgency,
        due_at=due_after(created_at),
        check=check,
    )


def ids(lines: list[Line]) -> list[str]:
    return [line.id for line in lines]


@pytest.fixture
def queue(any_store: Store) -> Queue:
    return Queue(any_store, Hand())


def test_a_line_tells_what_the_list_shows(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("a", agency=None, urgency=None, check=Check.BLIND))
    any_store.claim("a", Claim("siti", NOW + timedelta(minutes=15)), NOW)
    [line] = queue.lines(Choice(), 50)
    assert line == Line(
        id="a",
        region="kab-tangerang",
        opening="Sampah",
        is_secret=False,
        status=Status.WAITING,
        check=Check.BLIND,
        agency=None,
        sector="environment",
        probability=0.5,
        urgency=None,
        reason="below-threshold",
        received_at=CASE.received_at,
        due_at=datetime(2026, 2, 18, 9, tzinfo=UTC),
        holder="siti",
    )


def test_a_case_without_a_title_shows_how_its_text_begins_on_one_line(any_store: Store, queue: Queue) -> None:
    keep(any_store, replace(case("a"), complaint=Complaint("Got\r\n\tmampet  di " + "y" * 900, region="kab-bandung")))
    [line] = queue.lines(Choice(), 50)
    assert line.opening.startswith("Got mampet di yyy")
    assert len(line.opening) <= 400


def test_the_queue_has_the_order_of_the_review_list_and_pages_that_hold_each_case_once(
    any_store: Store, queue: Queue
) -> None:
    for n in range(25):
        created_at = NOW - timedelta(hours=7 * n)
        keep(any_store, case(f"k{n}", urgency=n % 4, probability=n % 3 / 3, created_at=created_at))
    pages = [queue.lines(Choice(), 10, offset) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    listed = [line.id for page in pages for line in page]
    assert listed == [each.id for each in any_store.waiting(50)]
    assert {line.urgency for line in pages[0][:6]} == {3}


def test_only_what_a_moderator_has_to_look_at_is_in_the_queue(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("waiting"))
    keep(any_store, case("routed", status=Status.ROUTED))
    keep(any_store, case("audited", status=Status.ROUTED, check=Check.AUDIT))
    keep(any_store, case("decided"))
    any_store.decide("decided", REVIEW)
    keep(any_store, case("back", status=Status.ROUTED))
    any_store.give_back("back", Return("dlhk", "bukan kami", NOW, "key:1"))
    assert set(ids(queue.lines(Choice(), 50))) == {"waiting", "audited", "back"}
    assert (queue.counts("").all, queue.counts("").checks, queue.count(Choice())) == (2, 1, 3)


def test_an_emergency_that_went_by_itself_is_shown_all_the_same(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("waiting"))
    keep(any_store, case("fire", status=Status.ROUTED, urgency=3))
    assert ids(queue.lines(Choice(), 50)) == ["fire", "waiting"]
    assert any_store.count(Status.WAITING) == 1
    any_store.decide("fire", REVIEW)
    assert ids(queue.lines(Choice(), 50)) == ["waiting"]


def test_a_choice_never_tells_what_a_blind_case_was_suggested_for(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("open", agency="dlhk"))
    keep(any_store, case("blind", agency="dinkes", check=Check.BLIND))
    for choice in (Choice(agency="dlhk"), Choice(urgency=1), Choice(agency="dishub"), Choice(reason="unreadable")):
        assert "blind" in ids(queue.lines(choice, 50))
    assert "dinkes" not in {code for _, code in queue.counts("").by_agency}


def test_a_routed_case_that_is_checked_is_the_desks_own_business(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("audited", status=Status.ROUTED, check=Check.AUDIT))
    [line] = queue.lines(Choice(), 50)
    assert (line.status, line.check) == (Status.ROUTED, Check.AUDIT)
    assert any_store.waiting(50) == []
    assert any_store.waiting_after(None, 50) == ([], None)
    assert any_store.count(Status.WAITING) == 0
    any_store.decide("audited", REVIEW)
    assert queue.lines(Choice(), 50) == []


def test_what_was_sent_back_waits_for_that_reason_with_a_clock_of_its_own(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("sure", probability=0.99, created_at=NOW - 30 * DAY))
    keep(any_store, case("other", probability=0.6))
    any_store.decide("sure", replace(REVIEW, decided_at=NOW - 20 * DAY))
    any_store.give_back("sure", Return("dlhk", "bukan kami", NOW, "key:1"))
    first, second = queue.lines(Choice(), 50)
    assert (first.id, first.reason, second.id) == ("sure", SENT_BACK, "other")
    assert first.due_at == due_after(NOW)
    assert queue.counts("").by_reason == {SENT_BACK: 1, "below-threshold": 1}


MIXED = [
    case("a", agency="dlhk", urgency=3, reason="no-threshold"),
    case("b", agency="dishub", urgency=0),
    case("c", agency=None, urgency=None, reason="no-area"),
    case("d", agency="dishub", urgency=1, region="kota-surabaya"),
    case("e", agency="dlhk", urgency=2, created_at=NOW - 30 * DAY),
    case("f", agency="dlhk", urgency=1, created_at=datetime(2026, 2, 6, 9, tzinfo=ZONE)),
    case("g", agency=None, urgency=1, region="kota-surabaya", created_at=NOW - 30 * DAY),
]


CHOSEN = [
    (Choice(), "abcdefg"),
    (Choice("kab-tangerang"), "abcef"),
    (Choice("kota-surabaya"), "dg"),
    (Choice("kab-bandung"), ""),
    (Choice(agency="dishub"), "bd"),
    (Choice(agency=NO_AGENCY), "cg"),
    (Choice(agency="tidak-ada"), ""),
    (Choice(urgency=0), "b"),
    (Choice(urgency=1), "cdfg"),  # an unknown urgency counts as the ordinary one
    (Choice(urgency=3), "a"),
    (Choice(reason="no-area"), "c"),
    (Choice(age=LATE), "eg"),
    (Choice(age=SOON), "f"),  # came in on Friday, due today at four
    (Choice(age="kapan-kapan"), ""),
    (Choice("kota-surabaya", agency=NO_AGENCY, urgency=1, reason="below-threshold", age=LATE), "g"),
    (Choice("kab-tangerang", agency="dishub", age=LATE), ""),
]


def test_a_choice_holds_what_fits_all_that_was_asked_for(any_store: Store, queue: Queue) -> None:
    for each in MIXED:
        keep(any_store, each)
    for choice, wanted in CHOSEN:
        found = ids(queue.lines(choice, 50))
        assert sorted(found) == sorted(wanted), choice
        assert queue.count(choice) == len(wanted), choice
        assert queue.next_free(choice, "siti") == (found[0] if wanted else None), choice


def test_a_case_is_late_from_the_moment_its_clock_has_run_out(any_store: Store) -> None:
    hand = Hand()
    queue = Queue(any_store, hand)
    keep(any_store, case("a"))
    due_at = due_after(NOW)
    for time, age in ((due_at - DAY - timedelta(seconds=1), ""), (due_at - DAY + timedelta(seconds=1), SOON),
                      (due_at, SOON), (due_at + timedelta(seconds=1), LATE)):  # fmt: skip
        hand.time = time
        queue.forget_counts()
        assert [each for each in (LATE, SOON) if queue.count(Choice(age=each))] == ([age] if age else [])
        assert queue.counts("").late == (age == LATE)


def test_secret_cases_wait_like_others_and_are_marked(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("a"))
    keep(any_store, case("b", confidentiality=Confidentiality.RAHASIA, urgency=2))
    assert [(line.id, line.is_secret) for line in queue.lines(Choice(), 50)] == [("b", True), ("a", False)]
    assert queue.next_free(Choice(), "siti") == "b"


# Who is at work on what


def test_what_others_hold_is_shown_as_theirs_and_not_handed_out(any_store: Store) -> None:
    hand = Hand()
    queue = Queue(any_store, hand)
    for number, name in enumerate("abc"):
        keep(any_store, case(name, urgency=2 - number))
    any_store.claim("a", Claim("budi", NOW + timedelta(minutes=15)), NOW)
    assert [(line.id, line.holder) for line in queue.lines(Choice(), 50)] == [("a", "budi"), ("b", None), ("c", None)]
    assert queue.next_free(Choice(), "siti") == "b"
    assert queue.next_free(Choice(), "budi") == "a"
    assert queue.next_free(Choice(), "siti", after="b") == "c"
    assert queue.next_free(Choice(), "siti", after="c") == "b"
    hand.time = NOW + timedelta(minutes=15)
    assert [line.holder for line in queue.lines(Choice(), 50)] == [None, None, None]
    assert queue.next_free(Choice(), "siti") == "a"


def test_a_case_that_was_let_go_is_free_at_once(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("a"))
    any_store.claim("a", Claim("budi", NOW + timedelta(minutes=15)), NOW)
    assert queue.next_free(Choice(), "siti") is None
    any_store.release("a", "budi")
    assert queue.next_free(Choice(), "siti") == "a"


# Counts


def test_counts_agree_with_the_lines(any_store: Store, queue: Queue) -> None:
    for each in MIXED:
        keep(any_store, each)
    for region in ("", "kab-tangerang", "kota-surabaya", "kab-bandung"):
        lines, counts = queue.lines(Choice(region), ALL), queue.counts(region)
        waiting = [line for line in lines if line.check is not Check.AUDIT]
        shown = [line for line in lines if line.check is Check.NONE]
        assert (counts.all, counts.checks) == (len(waiting), len(lines) - len(waiting))
        assert counts.by_agency == Counter((line.region, line.agency or NO_AGENCY) for line in shown)
        assert counts.by_urgency == Counter(1 if line.urgency is None else line.urgency for line in shown)
        assert counts.by_reason == Counter(line.reason for line in shown)
        assert counts.emergencies == sum(line.urgency == 3 for line in shown)
        assert counts.late == sum(line.due_at < NOW for line in waiting)


def test_an_empty_queue_counts_nothing(any_store: Store, queue: Queue) -> None:
    keep(any_store, case("a", status=Status.ROUTED))
    counts = queue.counts("")
    assert (counts.all, counts.emergencies, counts.late) == (0, 0, 0)
    assert counts.by_agency == counts.by_urgency == counts.by_reason == {}


def test_counts_are_at_most_five_seconds_old_or_as_new_as_is_asked_for(store: Store) -> None:
    hand = Hand()
    queue = Queue(store, hand)
    keep(store, case("a"))
    assert queue.counts("").all == 1
    keep(store, case("b"))
    hand.time = NOW + timedelta(seconds=4.9)
    assert queue.counts("").all == 1
    hand.time = NOW + timedelta(seconds=5)
    assert queue.counts("").all == 2
    keep(store, case("c"))
    queue.forget_counts()
    assert queue.counts("").all == 3


def test_counts_are_made_anew_though_the_machines_clock_was_put_back(store: Store) -> None:
    hand = Hand()
    queue = Queue(store, hand)
    queue.counts("")
    keep(store, case("a"))
    hand.time = NOW - timedelta(hours=1)
    assert queue.counts("").all == 1


CASES = st.builds(
    case,
    st.just(""),
    status=st.sampled_from([Status.WAITING, Status.ROUTED]),
    region=st.sampled_from(["kab-tangerang", "kota-surabaya"]),
    agency=st.sampled_from([None, "dlhk", "dishub"]),
    urgency=st.sampled_from([None, 0, 1, 2, 3]),
    probability=st.floats(0, 1),
    reason=st.sampled_from(["no-area", "below-threshold"]),
    created_at=st.datetimes(datetime(2026, 1, 20), datetime(2026, 2, 11), timezones=st.just(ZONE)),
    check=st.sampled_from(Check),
)
CHOICES = st.builds(
    Choice,
    st.sampled_from(["", "kab-tangerang", "kota-surabaya"]),
    st.sampled_from(["", NO_AGENCY, "dlhk"]),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.sampled_from(["", "no-area"]),
    st.sampled_from(["", LATE, SOON]),
)


def fits(each: Case, choice: Choice) -> bool:
    """What a choice means, said once more in plain Python."""
    urgency = 1 if each.urgency is None else each.urgency
    assert each.due_at is not None
    is_hidden = each.check is not Check.NONE
    return (
        (each.status is Status.WAITING or each.check is Check.AUDIT or urgency == 3)
        and choice.region in ("", each.complaint.region)
        and (is_hidden or choice.agency in ("", each.agency or NO_AGENCY))
        and (is_hidden or choice.urgency in (None, urgency))
        and (is_hidden or choice.reason in ("", each.answer.detail["reasons"][0]))
        and (not choice.age or each.check is not Check.AUDIT)
        and choice.age in ("", LATE if each.due_at < NOW else SOON if each.due_at < NOW + DAY else "-")
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(made=st.lists(CASES, max_size=12), choices=st.lists(CHOICES, min_size=1, max_size=4))
def test_whatever_waits_and_whatever_is_chosen_lines_and_count_are_those_that_fit(
    any_store: Store, queue: Queue, made: list[Case], choices: list[Choice]
) -> None:
    # Each example has an empty queue: what the one before left is decided.
    for line in queue.lines(Choice(), ALL):
        any_store.decide(line.id, REVIEW)
    # Hypothesis makes Python's own chance, which `new_id` draws from, the same in each example.
    made = [replace(each, id=str(uuid4())) for each in made]
    for future in [any_store.add(Addition(each, ())) for each in made]:
        future.result()
    for choice in choices:
        wanted = {each.id for each in made if fits(each, choice)}
        assert set(ids(queue.lines(choice, ALL))) == wanted
        assert queue.count(choice) == len(wanted)


def test_claims_alone_decide_who_is_handed_what(any_store: Store, queue: Queue) -> None:
    """Ten moderators take one after the other what is next for them: each another case."""
    for number in range(10):
        keep(any_store, case(f"k{number}"))
    taken = []
    for number in range(10):
        found = queue.next_free(Choice(), f"m{number}")
        assert found is not None
        any_store.claim(found, Claim(f"m{number}", NOW + timedelta(minutes=15)), NOW)
        taken.append(found)
    assert len(set(taken)) == 10
    assert queue.next_free(Choice(), "siti") is None
    with any_store.reading() as connection:
        assert len(connection.execute(claims.select()).all()) == 10
