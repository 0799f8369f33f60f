"""One verdict a case: two moderators at once, too late, sent twice, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from model.bundle import Bundle
from serving.access import Access
from serving.case import Case
from serving.checks import Check, CheckShares
from serving.store import Store
from serving.triage import CLAIM_LASTS, Triage
from serving.verdict_form import LONGEST_NOTE
from tests.serving.clients import client_of, quick_access
from tests.serving.conftest import REGION
from tests.serving.desk_pages import (
    HEALTH,
    Hand,
    checked_page,
    opened_form,
    other_agency,
    post,
    review_of,
    send,
    sign_in_as,
    suggestion,
    take_in,
    token_of,
)

POLICE = "Polresta Tangerang: Kepolisian"
NOTE = "Sudah ditelepon; warga menunggu."


@pytest.fixture
def client(anonymous_client: TestClient, access: Access) -> TestClient:
    """The client of the moderator budi, who may see every region."""
    return sign_in_as(anonymous_client, access, "budi")


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def timed(bundle: Bundle, store: Store, hand: Hand) -> Triage:
    """A triage whose clock is set by hand."""
    return Triage(bundle, REGION, store, hand)


@pytest.fixture
def budi(timed: Triage, access: Access) -> Iterator[TestClient]:
    """The client of budi at a desk whose clock is set by hand."""
    with client_of(timed) as opened:
        yield sign_in_as(opened, access, "budi")


@pytest.fixture
def sari(timed: Triage, access: Access) -> Iterator[TestClient]:
    """The client of a second moderator at the same desk."""
    with client_of(timed) as opened:
        yield sign_in_as(opened, access, "sari")


def test_the_second_moderator_reads_who_has_a_case_and_until_when_and_gets_no_form(
    budi: TestClient, sari: TestClient, timed: Triage, hand: Hand
) -> None:
    case = take_in(timed)
    opened_form(budi, case)
    page = checked_page(sari.get(f"/kasus/{case.id}"))
    assert "Sedang dikerjakan budi sampai 24 Nov 2026 09.15 WIB." in page.text
    assert page.verdict_forms == []
    assert sari.post(f"/kasus/{case.id}/sewa", data=token_of(sari)).json() == {"until": None}
    # Going on with it makes the first one's time longer; letting go of it is for the holder alone.
    hand.forward(minutes=10)
    renewed = budi.post(f"/kasus/{case.id}/sewa", data=token_of(budi)).json()
    assert renewed == {"until": (hand.at + CLAIM_LASTS).isoformat()}
    sari.post(f"/kasus/{case.id}/lepas", data=token_of(sari))
    hand.forward(minutes=14)
    assert checked_page(sari.get(f"/kasus/{case.id}")).verdict_forms == []
    hand.forward(minutes=1)
    assert checked_page(sari.get(f"/kasus/{case.id}")).verdict_forms == [f"/kasus/{case.id}/putusan"]


def test_a_case_that_its_holder_lets_go_of_is_free_at_once(budi: TestClient, sari: TestClient, timed: Triage) -> None:
    case = take_in(timed)
    form = opened_form(budi, case)
    assert budi.post(f"/kasus/{case.id}/lepas", data=form).headers["location"] == "/antrean"
    assert send(sari, case).status_code == 303


def test_a_verdict_after_ones_time_is_given_back_as_sent_and_saved_at_the_second_try(
    budi: TestClient, timed: Triage, hand: Hand
) -> None:
    case = take_in(timed)
    sent = opened_form(budi, case) | other_agency() | {"catatan": NOTE, "pecah1": "polresta", "urgensi": "2"}
    hand.forward(minutes=16)
    page = checked_page(post(budi, case, sent), 409)
    assert "Waktu Anda untuk kasus ini sudah habis, jadi putusan belum disimpan." in page.text
    assert timed.store.get(case.id) == case
    again = page.forms[f"/kasus/{case.id}/putusan"]
    assert again == sent
    hand.forward(seconds=30)
    assert post(budi, case, again).status_code == 303
    assert review_of(timed, case).verdict.note == NOTE
    assert review_of(timed, case).seconds == 30


def test_a_verdict_after_ones_time_on_a_case_that_another_has_is_told_so_and_its_words_given_back(
    budi: TestClient, sari: TestClient, timed: Triage, hand: Hand
) -> None:
    case = take_in(timed)
    sent = opened_form(budi, case) | {"jenis": "tunda", "pertanyaan": "Di gang mana?", "catatan": NOTE}
    hand.forward(minutes=16)
    opened_form(sari, case)
    # Also where something else is wrong with it, or one has just signed in again.
    for more in ({}, {"pertanyaan": "x" * (LONGEST_NOTE + 1)}, {"tinjau": "ya"}):
        page = checked_page(post(budi, case, sent | more), 409)
        assert "kini dikerjakan sari sampai 24 Nov 2026 09.31 WIB" in page.text
        assert NOTE in page.text
        assert (sent | more)["pertanyaan"] in page.text
    assert timed.store.get(case.id) == case


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (other_agency(), "disposisikan ke Dinas Kesehatan"),
        ({"jenis": "bukan-wewenang", "kepada": POLICE}, "bukan wewenang ke Polresta Tangerang"),
        ({"jenis": "arsip", "alasan_arsip": "unclear"}, "arsipkan"),
    ],
)
def test_what_was_decided_meanwhile_is_told_with_who_and_when(
    budi: TestClient, sari: TestClient, timed: Triage, hand: Hand, verdict: dict[str, str], told: str
) -> None:
    case = take_in(timed)
    sent = opened_form(budi, case) | {"catatan": NOTE}
    hand.forward(minutes=16)
    send(sari, case, verdict)
    first = timed.store.get(case.id)
    page = checked_page(post(budi, case, sent), 409)
    assert f"sudah diputuskan oleh sari, 24 Nov 2026 09.16 WIB: {told}." in page.text
    assert NOTE in page.text
    assert page.links(f"/kasus/{case.id}") == [f"/kasus/{case.id}"]
    assert timed.store.get(case.id) == first


def test_a_form_sent_twice_or_again_by_the_back_button_is_decided_once(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    form = opened_form(client, case)
    assert post(client, case, form).status_code == 303
    first = triage.store.get(case.id)
    for changes in ({}, other_agency()):
        page = checked_page(post(client, case, form | changes), 409)
        assert "Kasus ini sudah Anda putuskan sendiri" in page.text
        assert "Yang baru Anda kirim tidak disimpan." in page.text
    assert triage.store.get(case.id) == first


def test_a_verdict_without_having_opened_the_case_is_shown_once_more_before_it_is_kept(
    client: TestClient, triage: Triage
) -> None:
    case = take_in(triage)
    page = checked_page(post(client, case, suggestion(case) | token_of(client)), 409)
    assert triage.store.get(case.id) == case
    assert post(client, case, page.forms[f"/kasus/{case.id}/putusan"]).status_code == 303


def undo(client: TestClient, case: Case) -> int:
    return client.post(f"/kasus/{case.id}/urungkan", data=token_of(client)).status_code


def test_a_verdict_is_taken_back_within_half_a_minute(budi: TestClient, timed: Triage, hand: Hand) -> None:
    case = take_in(timed)
    way = send(budi, case, other_agency()).headers["location"]
    [action] = [action for action in checked_page(budi.get(way)).forms if action.endswith("/urungkan")]
    hand.forward(seconds=30)
    answer = budi.post(action, data=token_of(budi))
    assert answer.headers["location"] == f"/kasus/{case.id}?diurungkan=ya"
    assert timed.store.get(case.id) == case
    page = checked_page(budi.get(answer.headers["location"]))
    assert "Putusan diurungkan." in page.text
    assert page.verdict_forms == [f"/kasus/{case.id}/putusan"]
    assert "1 laporan menunggu" in checked_page(budi.get("/antrean")).text
    assert undo(budi, case) == 409
    assert send(budi, case).status_code == 303


def test_a_verdict_stands_after_half_a_minute(budi: TestClient, timed: Triage, hand: Hand) -> None:
    case = take_in(timed)
    send(budi, case)
    decided = timed.store.get(case.id)
    hand.forward(seconds=30.001)
    answer = budi.post(f"/kasus/{case.id}/urungkan", data=token_of(budi))
    assert "dalam 30 detik" in checked_page(answer, 409).text
    assert timed.store.get(case.id) == decided


def test_nobody_takes_back_anothers_verdict_or_one_on_a_case_that_went_on(
    budi: TestClient, sari: TestClient, timed: Triage
) -> None:
    case, undecided = take_in(timed), take_in(timed)
    send(budi, case)
    assert undo(sari, case) == 409
    timed.give_back(case.id, "dinkes", "", by="key:ab12cd34")
    assert undo(budi, case) == 409
    assert undo(budi, undecided) == 409


@pytest.mark.parametrize(
    "kind", [{"jenis": "tunda", "pertanyaan": "Di mana?"}, {"jenis": "arsip", "alasan_arsip": "unclear"}]
)
def test_every_kind_of_verdict_can_be_taken_back(budi: TestClient, timed: Triage, kind: dict[str, str]) -> None:
    case = take_in(timed)
    send(budi, case, kind)
    assert undo(budi, case) == 303
    assert timed.store.get(case.id) == case


def test_a_check_that_is_taken_back_waits_again_and_is_blind_no_more(bold_bundle: Bundle, store: Store) -> None:
    bold = Triage(bold_bundle, REGION, store, checks=CheckShares(audit=1.0))
    case = take_in(bold)
    with client_of(bold) as client:
        send(client, case, other_agency() | {"urgensi": "1"})
        assert undo(client, case) == 303
        assert "1 laporan menunggu" in checked_page(client.get("/antrean")).text
    assert bold.store.get(case.id) == replace(case, check=Check.NONE)


def test_a_verdict_and_its_undoing_work_on_either_database(bundle: Bundle, any_store: Store) -> None:
    triage = Triage(bundle, REGION, any_store)
    first, case = take_in(triage), take_in(triage)
    with client_of(triage) as client:
        sign_in_as(client, quick_access(any_store), "budi")
        for kind in (
            {"jenis": "disposisi", "pecah1": HEALTH, "catatan": "nol \x00"},
            {"jenis": "tunda", "pertanyaan": "Di mana?"},
            {"jenis": "bukan-wewenang", "kepada": POLICE},
            {"jenis": "arsip", "alasan_arsip": "unclear"},
            {"jenis": "gabung", "gabung_lain": first.id[:8]},
        ):
            assert send(client, case, kind).status_code == 303
            checked_page(client.get(f"/kasus/{case.id}"))
            assert undo(client, case) == 303
    assert any_store.get(case.id) == case
