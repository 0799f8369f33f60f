"""Policies: the latest counts, every process follows soon, each bundle proves them anew, and checks count right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from data.complaint import Complaint
from data.region import load_region
from model.bundle import EVIDENCE, SECTOR, Bundle
from model.promise import make_promise
from model.routing import Outcome, Reason, Routers
from serving import policy
from serving.case import Case, Kind, Status, Verdict
from serving.checks import Check, CheckShares
from serving.database import open_store
from serving.policy import (
    LONGEST_REASON,
    LOOKS_EVERY_SECONDS,
    Audits,
    Policies,
    Rules,
    audits_of,
    changes,
    read_rules,
    set_target,
    switch_agency,
)
from serving.store import Store
from serving.tables import audit
from serving.triage import Intake, Triage
from tests.serving.conftest import REGION

ROAD = "jalan rusak berlubang dan aspal mengelupas"
ROADS = "dbmsda"
ELSEWHERE = "kab-bandung"
BY = "moderator:kepala"


def with_evidence(bundle: Bundle, rows: int, share_right: float, region: str = REGION) -> Bundle:
    """The bundle with evidence of a region: sure of all, of which that share is right, spread evenly."""
    evidence = np.zeros(rows, EVIDENCE)
    evidence["region"], evidence["found"] = region.encode(), np.arange(rows) % 2
    # Sure of all but ever so little apart, and not sure at all: the lowest threshold is of no complaint's reach.
    evidence["confidence"] = np.linspace(0.9, 0.001, rows)
    is_wrong = np.arange(rows) * 7_919 % 1_000 >= share_right * 1_000
    evidence["label"] = np.where(is_wrong, evidence["found"] + 1, evidence["found"])
    head = replace(bundle.heads[SECTOR], thresholds={region: 0.001})
    return replace(bundle, evidence=evidence, heads=bundle.heads | {SECTOR: head})


def reasons(triage: Triage) -> list[str]:
    """Why the next complaint about a road is routed alone or not."""
    found: list[str] = triage.receive(Intake(Complaint(ROAD))).answer.detail["reasons"]
    return found


def test_a_region_that_has_decided_nothing_has_no_rules(any_store: Store) -> None:
    assert read_rules(any_store) == {}
    assert changes(any_store, REGION, 10) == []


def test_the_latest_decision_on_each_thing_counts(any_store: Store) -> None:
    for target in (0.9, 0.97):
        set_target(any_store, REGION, target, by=BY, reason="uji")
    for agency, routes_alone in ((ROADS, False), ("dlh", False), (ROADS, True)):
        switch_agency(any_store, REGION, agency, routes_alone=routes_alone, by=BY, reason="uji")
    switch_agency(any_store, ELSEWHERE, ROADS, routes_alone=False, by=BY, reason="uji")
    assert read_rules(any_store) == {
        REGION: Rules(0.97, frozenset({"dlh"})),
        ELSEWHERE: Rules(None, frozenset({ROADS})),
    }


def test_decisions_are_told_newest_first_and_stand_in_the_audit_record(any_store: Store) -> None:
    at = datetime(2026, 11, 24, 1, 15, tzinfo=UTC)
    set_target(any_store, REGION, 0.97, by=BY, reason="terlalu banyak keliru", clock=lambda: at)
    switch_agency(
        any_store, REGION, ROADS, routes_alone=False, by=BY, reason="pindah", clock=lambda: at + timedelta(days=1)
    )
    found = changes(any_store, REGION, 10)
    assert [(each.agency, each.target, each.routes_alone, each.reason) for each in found] == [
        (ROADS, None, False, "pindah"),
        ("", 0.97, True, "terlalu banyak keliru"),
    ]
    assert (found[1].changed_at, found[1].changed_by) == (at, BY)
    assert len(changes(any_store, REGION, 1)) == 1
    with any_store.reading() as connection:
        lines = connection.execute(audit.select().order_by(audit.c.id)).all()
    assert [(line.actor, line.action, line.detail["agency"]) for line in lines] == [
        (BY, "change", ""),
        (BY, "change", ROADS),
    ]


def test_a_reason_keeps_no_citizens_number_and_never_outgrows_its_column(any_store: Store) -> None:
    set_target(any_store, REGION, 0.9, by=BY, reason="laporan dari 081234567890 keliru")
    assert "081234567890" not in changes(any_store, REGION, 1)[0].reason
    set_target(any_store, REGION, 0.9, by=BY, reason="0812345678901 " * 18)
    assert len(changes(any_store, REGION, 1)[0].reason) <= LONGEST_REASON


def test_a_target_is_followed_at_once_and_after_a_restart(bundle: Bundle, any_store: Store) -> None:
    proven = with_evidence(bundle, 6_000, 0.99)
    triage = Triage(proven, REGION, any_store)
    assert reasons(triage) == [Reason.CONFIDENT]
    set_target(any_store, REGION, 0.995, by=BY, reason="uji")
    triage.follow_policies()
    assert reasons(triage) == [Reason.NO_THRESHOLD]
    assert reasons(Triage(proven, REGION, any_store)) == [Reason.NO_THRESHOLD]
    set_target(any_store, REGION, 0.95, by=BY, reason="uji")
    triage.follow_policies()
    assert reasons(triage) == [Reason.CONFIDENT]


def test_an_agency_that_is_off_gets_nothing_alone_until_it_is_on_again(bold_bundle: Bundle, any_store: Store) -> None:
    triage = Triage(bold_bundle, REGION, any_store)
    switch_agency(any_store, REGION, ROADS, routes_alone=False, by=BY, reason="uji")
    triage.follow_policies()
    case = triage.receive(Intake(Complaint(ROAD)))
    assert (case.status, case.answer.outcome) == (Status.WAITING, Outcome.REVIEW)
    assert (case.agency, case.answer.detail["reasons"]) == (ROADS, [Reason.AGENCY_OFF])
    switch_agency(any_store, REGION, ROADS, routes_alone=True, by=BY, reason="uji")
    triage.follow_policies()
    assert reasons(triage) == [Reason.CONFIDENT]


def test_a_target_is_proven_anew_by_each_bundle(bundle: Bundle, store: Store) -> None:
    good, bad = with_evidence(bundle, 6_000, 0.99), with_evidence(bundle, 6_000, 0.9)
    triage = Triage(good, REGION, store)
    set_target(store, REGION, 0.95, by=BY, reason="uji")
    triage.follow_policies()
    # Each of these bundles would let all go alone by thresholds of its own.
    for renewed, reason in (
        (bad, Reason.NO_THRESHOLD),
        (good, Reason.CONFIDENT),
        (with_evidence(bundle, 6_000, 0.99, ELSEWHERE), Reason.NO_THRESHOLD),
        (replace(good, evidence=np.zeros(0, EVIDENCE)), Reason.NO_THRESHOLD),
    ):
        triage.renew(renewed)
        assert reasons(triage) == [reason]


def test_predictions_that_keep_nothing_follow_the_policy_too(bold_bundle: Bundle, store: Store) -> None:
    triage = Triage(bold_bundle, REGION, store)
    switch_agency(store, REGION, ROADS, routes_alone=False, by=BY, reason="uji")
    triage.follow_policies()
    assert triage.at_work.route(Complaint(ROAD, region=REGION)).disposition.reasons == (Reason.AGENCY_OFF,)


def test_a_policy_with_an_agency_that_the_region_file_has_dropped_is_harmless(
    bold_bundle: Bundle, store: Store
) -> None:
    switch_agency(store, REGION, "dinas-lama", routes_alone=False, by=BY, reason="uji")
    switch_agency(store, "kab-antah-berantah", ROADS, routes_alone=False, by=BY, reason="uji")
    assert reasons(Triage(bold_bundle, REGION, store)) == [Reason.CONFIDENT]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([0.8, 0.85, 0.9, 0.95, 0.99]), st.integers(0, 5_000))
def test_the_thresholds_of_a_target_are_those_of_its_promise(bundle: Bundle, target: float, rows: int) -> None:
    proven = with_evidence(bundle, rows, 0.96)
    rules = policy._policy(proven, REGION, Rules(target), None)  # the one place where a target becomes thresholds
    promise = make_promise(proven.evidence, proven.heads[SECTOR].labels, target)
    assert (rules.head.thresholds, rules.head.label_thresholds) == (promise.thresholds, promise.label_thresholds)
    assert rules.head.threshold(ELSEWHERE, "public-works") is None


class Watch:
    """A timer that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, read: Callable[[Store], object]) -> Iterator[list[int]]:
    """How often the store is asked for rules while `read` stands in the place of `read_rules`."""
    asked: list[int] = []

    def counting(store: Store) -> object:
        asked.append(1)
        return read(store)

    with monkeypatch.context() as patched:
        patched.setattr(policy, "read_rules", counting)
        yield asked


def test_another_process_follows_after_five_seconds_and_asks_no_oftener(
    bold_bundle: Bundle, any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(any_database)) as here, closing(open_store(any_database)) as there:
        watch, routers = Watch(), Routers(bold_bundle, load_region(REGION))
        policies = Policies(there, timer=watch)
        switch_agency(here, REGION, ROADS, routes_alone=False, by=BY, reason="uji")
        with counted(monkeypatch, read_rules) as asked:
            for _ in range(100):
                watch.at += LOOKS_EVERY_SECONDS / 101
                policies.look(routers)
            assert (routers.policies, asked) == ({}, [])
            watch.at = LOOKS_EVERY_SECONDS
            for _ in range(100):
                policies.look(routers)
            assert len(asked) == 1
    assert routers.policies[REGION].off == {ROADS}


def test_what_was_known_goes_on_while_the_store_fails(
    bold_bundle: Bundle, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Store) -> object:
        raise OperationalError("select", {}, Exception("away"))

    switch_agency(store, REGION, ROADS, routes_alone=False, by=BY, reason="uji")
    watch, routers = Watch(), Routers(bold_bundle, load_region(REGION))
    policies = Policies(store, timer=watch)
    policies.apply(routers)
    with counted(monkeypatch, failing) as asked:
        for _ in range(3):
            watch.at += LOOKS_EVERY_SECONDS
            policies.look(routers)
        assert len(asked) == 3
    assert routers.policies[REGION].off == {ROADS}


def test_a_store_that_hangs_is_waited_for_once(
    bold_bundle: Bundle, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Event()
    monkeypatch.setattr(policy, "_PATIENCE_SECONDS", 0.01)
    watch, routers = Watch(), Routers(bold_bundle, load_region(REGION))
    policies = Policies(store, timer=watch)
    with counted(monkeypatch, lambda _: answers.wait() and {}) as asked:
        for _ in range(5):
            watch.at += LOOKS_EVERY_SECONDS
            policies.look(routers)
        assert len(asked) == 1
        answers.set()
        policies._thread.shutdown()


def test_a_process_that_cannot_read_the_policies_does_not_start(
    bold_bundle: Bundle, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Store) -> object:
        raise OperationalError("select", {}, Exception("away"))

    with counted(monkeypatch, failing), pytest.raises(OperationalError):
        Triage(bold_bundle, REGION, store)


def routed(triage: Triage, check: Check = Check.AUDIT) -> Case:
    """A case that went to the office for roads alone, to be checked or not."""
    triage._checks = CheckShares(audit=1.0 if check is Check.AUDIT else 0.0)
    case = triage.receive(Intake(Complaint(ROAD)))
    assert (case.status, case.agency, case.check) == (Status.ROUTED, ROADS, check)
    return case


def verdict(
    triage: Triage, case: Case, agency: str = ROADS, kind: Kind = Kind.DISPOSE, *, claimed: bool = True
) -> None:
    labels = Verdict("public-works", agency, 1, kind=kind) if agency else Verdict("", "", 1, kind=kind)
    if claimed:
        triage.claim(case.id, by=BY)
    triage.decide(case.id, labels, by=BY, claimed=claimed)


def test_only_blind_verdicts_that_judge_the_suggestion_count_as_checks(bold_bundle: Bundle, any_store: Store) -> None:
    triage = Triage(bold_bundle, REGION, any_store)
    verdict(triage, routed(triage))
    verdict(triage, routed(triage), "dlh")
    verdict(triage, routed(triage), "pemprov", Kind.REFUSE)
    # What nobody needs to answer was no agency's business; what the agency sent back before it was checked counts too.
    verdict(triage, routed(triage), "", Kind.ARCHIVE)
    returned = routed(triage)
    triage.give_back(returned.id, ROADS, "bukan kami", by="key:1")
    verdict(triage, returned, "dlh")
    # None of these tells anything: nobody looked, it wasn't blind, it was taken back.
    routed(triage)
    verdict(triage, routed(triage, Check.NONE), "dlh")
    verdict(triage, routed(triage), "dlh", claimed=False)
    undone = routed(triage)
    verdict(triage, undone, "dlh")
    triage.undo(undone.id, by=BY)
    assert audits_of(any_store, REGION) == {ROADS: Audits(routed=9, checked=5, right=1)}
    assert audits_of(any_store, ELSEWHERE) == {}


def test_a_check_that_was_taken_back_counts_no_more_since_the_suggestion_could_be_seen(
    bold_bundle: Bundle, any_store: Store
) -> None:
    triage = Triage(bold_bundle, REGION, any_store)
    case = routed(triage)
    verdict(triage, case, "dlh")
    triage.undo(case.id, by=BY)
    verdict(triage, case)
    assert audits_of(any_store, REGION) == {ROADS: Audits(1, 0, 0)}


def test_the_offices_of_an_area_family_earn_together(bold_bundle: Bundle, any_store: Store) -> None:
    triage = Triage(bold_bundle, REGION, any_store)
    switches = {
        triage.receive(Intake(Complaint(f"pelayanan kantor desa {village} lambat, aparat desa tidak ada"))).agency
        for village in ("Klebet", "Kohod")
    }
    assert len(switches) == 2
    assert audits_of(any_store, REGION)["village-office"].routed == 2


def test_what_is_shown_of_an_agency_is_the_lower_bound() -> None:
    assert Audits(10, 0, 0).least == 0.0
    # All right of 59 is the fewest that show 95 % with 95 % certainty: 0.95 ** 59 < 0.05.
    assert Audits(100, 59, 59).least >= 0.95 > Audits(100, 58, 58).least
