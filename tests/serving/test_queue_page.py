"""The queue's page: what waits and how it is chosen, counted, kept as a view and found by number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from starlette.testclient import TestClient

from data.complaint import Confidentiality, Urgency
from data.region import load_region
from model.bundle import Bundle
from serving.access import Access
from serving.case import Case, Verdict
from serving.checks import Check, CheckShares
from serving.privacy import looks_at
from serving.queue import LATE, NO_AGENCY, SOON
from serving.queue_page import PAGE_SIZE, choice_query, parse_choice
from serving.review_order import turn
from serving.store import Store
from serving.tables import cases
from serving.triage import Triage
from serving.views import LONGEST_NAME, MOST_VIEWS, drop_view, save_view, views_of
from tests.serving.clients import client_of, quick_access
from tests.serving.conftest import REGION
from tests.serving.desk_pages import (
    KEPT_SCRIPT,
    SCRIPT,
    Hand,
    Page,
    checked_page,
    opened_form,
    send,
    sign_in_as,
    suggestion,
    take_in,
    token_of,
)


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
def timed_client(timed: Triage) -> Iterator[TestClient]:
    with client_of(timed) as opened:
        yield opened


def waiting(triage: Triage, text: str, agency: str | None = "dlhk", urgency: int | None = 1, region: str = "") -> Case:
    """A case that waits, for which the program suggests that agency and urgency."""
    case = take_in(triage, text, region=region)
    placed = turn(case.answer.probability, urgency, case.created_at)
    values = {"agency": agency, "urgency": urgency, "turn": placed}
    with triage.store.writing() as connection:
        connection.execute(update(cases).where(cases.c.id == case.id).values(values))
    return case


def numbers(page: Page) -> list[str]:
    """The ids of the cases that a page lists, in its order."""
    return [link["href"].removeprefix("/kasus/")[:36] for link in page.every("a") if link.get("class") == "opening"]


def options(page: Page, field: str) -> list[str]:
    """The values that a filter's field offers."""
    place = next(n for n, (tag, each) in enumerate(page.elements) if (tag, each.get("name")) == ("select", field))
    found = []
    for tag, attributes in page.elements[place + 1 :]:
        if tag != "option":
            break
        found.append(attributes["value"])
    return found


def test_the_front_door_leads_to_the_queue(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.is_redirect
    assert answer.headers["location"] == "/antrean"


def test_an_empty_queue_says_so_in_indonesian_and_has_nothing_to_begin_with(client: TestClient) -> None:
    page = checked_page(client.get("/antrean"))
    assert "Tidak ada laporan yang menunggu putusan." in page.text
    assert "0 laporan menunggu 0 darurat 0 terlambat" in page.text
    assert client.get("/antrean/berikutnya").headers["location"] == "/antrean"


def test_the_queue_shows_each_waiting_case_with_a_link_to_it(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    page = checked_page(client.get("/antrean"))
    assert "1 laporan menunggu" in page.text
    assert "Sampah menumpuk di pinggir kali" in page.text
    assert load_region(REGION).all_agencies[str(case.answer.agency)].name in page.text
    [link] = page.links(f"/kasus/{case.id}")
    checked_page(client.get(link))


def test_a_long_queue_is_turned_page_by_page(client: TestClient, triage: Triage) -> None:
    ids = {take_in(triage, f"got mampet di gang nomor {number}").id for number in range(PAGE_SIZE + 3)}
    first = checked_page(client.get("/antrean"))
    assert "/antrean?halaman=2" in first.links()
    second = checked_page(client.get("/antrean?halaman=2"))
    assert "/antrean?halaman=1" in second.links()
    assert "/antrean?halaman=3" not in second.links()
    shown = [*numbers(first), *numbers(second)]
    assert set(shown) == ids
    assert len(shown) == len(ids)
    assert str(PAGE_SIZE + 1) in [each["start"] for each in second.every("ol")]


@pytest.mark.parametrize("written", ["0", "-1", "x", "99999999", "１", "", "2 OR 1=1"])
def test_a_page_number_that_is_none_is_the_first(client: TestClient, triage: Triage, written: str) -> None:
    case = take_in(triage)
    assert numbers(checked_page(client.get("/antrean", params={"halaman": written}))) == [case.id]


def test_a_page_beyond_the_end_is_empty(client: TestClient, triage: Triage) -> None:
    take_in(triage)
    page = checked_page(client.get("/antrean?halaman=9999999"))
    assert numbers(page) == []
    assert "1 laporan menunggu" in page.text


def test_emergencies_stand_first_under_a_heading_that_needs_no_colour(client: TestClient, triage: Triage) -> None:
    plain = waiting(triage, "got mampet", urgency=int(Urgency.TINGGI))
    urgent = waiting(triage, "api di gudang", urgency=int(Urgency.DARURAT))
    page = checked_page(client.get("/antrean"))
    assert numbers(page) == [urgent.id, plain.id]
    assert re.search(r"⚠ Darurat api di gudang ⚠ Darurat .* Menurut kerugian bila menunggu got mampet", page.text)
    assert "2 laporan menunggu 1 darurat" in page.text
    assert [each.get("class") for each in page.every("li")].count("emergency") == 1


def test_each_filter_leaves_the_cases_that_it_names_and_keeps_itself_in_their_links(
    timed_client: TestClient, timed: Triage, hand: Hand
) -> None:
    late = waiting(timed, "got satu", "dinkes", 0)
    hand.forward(hours=24 * 14)
    soon = waiting(timed, "got dua", "dishub", 2)
    hand.forward(hours=24 * 2 + 12)
    nowhere = waiting(timed, "got tiga", None, None)
    returned = waiting(timed, "got empat", "dlh", 1, "kab-bandung")
    timed.decide(returned.id, Verdict("environment", "dlh", 1))
    timed.give_back(returned.id, "dlh", "Bukan wewenang kami", by="key:ab12cd34")
    expected: dict[str, set[str]] = {
        "instansi=dinkes": {late.id},
        f"instansi={NO_AGENCY}": {nowhere.id},
        "urgensi=2": {soon.id},
        "urgensi=1": {nowhere.id, returned.id},
        f"usia={LATE}": {late.id},
        f"usia={SOON}": {soon.id},
        "alasan=returned": {returned.id},
        "daerah=kab-bandung": {returned.id},
        "daerah=kab-bandung&instansi=dinkes": set(),
    }
    for query, ids in expected.items():
        page = checked_page(timed_client.get(f"/antrean?{query}"))
        assert set(numbers(page)) == ids, query
        assert all(link.endswith(f"?{query}") for link in page.links("/kasus/"))
        assert f"{len(ids)} laporan cocok dengan saringan." in page.text
        assert options(page, query.partition("=")[0])
        selected = {each["value"] for each in page.every("option") if "selected" in each}
        assert set(query.replace("&", "=").split("=")[1::2]) <= selected
    everything = checked_page(timed_client.get("/antrean"))
    assert set(numbers(everything)) == {late.id, soon.id, nowhere.id, returned.id}
    assert "4 laporan menunggu 0 darurat 1 terlambat" in everything.text
    assert options(everything, "instansi")[-1] == NO_AGENCY
    assert "Wilayah belum diketahui (1)" in everything.text


@pytest.mark.parametrize(
    "query",
    [
        {"urgensi": "7"},
        {"urgensi": "' OR 1=1 --"},
        {"instansi": "'; DROP TABLE cases; --"},
        {"instansi": "\x00"},
        {"instansi": "a" * 129},
        {"alasan": SCRIPT},
        {"usia": "kapan saja"},
        {"daerah": "bogor"},
        {"tampilan": SCRIPT},
    ],
)
def test_a_filter_that_means_nothing_leaves_all(client: TestClient, triage: Triage, query: dict[str, str]) -> None:
    case = take_in(triage)
    page = checked_page(client.get("/antrean", params=query))
    assert numbers(page) == [case.id]
    assert "cocok dengan saringan" not in page.text


def test_an_agency_that_nothing_waits_for_stays_chosen(client: TestClient, triage: Triage) -> None:
    take_in(triage)
    page = checked_page(client.get("/antrean?instansi=dinas-impian"))
    assert numbers(page) == []
    assert "Tidak ada laporan yang cocok dengan saringan." in page.text
    assert "dinas-impian" in [each["value"] for each in page.every("option") if "selected" in each]


_words = st.sampled_from(["", "dlhk", "-", "0", "3", "returned", LATE, "kab-bandung"]) | st.text(max_size=140)


@given(st.dictionaries(st.sampled_from(["daerah", "instansi", "urgensi", "alasan", "usia"]), _words))
def test_a_choice_means_the_same_once_it_has_been_written_as_an_address(fields: dict[str, str]) -> None:
    choice = parse_choice(fields, "")
    query = choice_query(choice, "")
    assert parse_choice({name: value for name, [value] in parse_qs(query).items()}, "") == choice


def test_live_counts_are_the_regions_own(client: TestClient, triage: Triage, access: Access) -> None:
    waiting(triage, "api di gudang", urgency=int(Urgency.DARURAT))
    waiting(triage, "got mampet", region="kab-bandung")
    assert client.get("/antrean/jumlah").json() == {"menunggu": 2, "darurat": 1, "terlambat": 0}
    assert client.get("/antrean/jumlah?daerah=kab-bandung").json()["menunggu"] == 1
    sign_in_as(client, access, "asep", "kab-bandung")
    assert client.get(f"/antrean/jumlah?daerah={REGION}").json() == {"menunggu": 1, "darurat": 0, "terlambat": 0}


def test_a_decided_case_is_counted_no_more_at_the_next_look(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    assert "1 laporan menunggu" in checked_page(client.get("/antrean")).text
    send(client, case)
    assert "0 laporan menunggu" in checked_page(client.get("/antrean")).text


def test_the_queue_tells_who_is_at_work_on_a_case(timed_client: TestClient, timed: Triage, hand: Hand) -> None:
    case = take_in(timed)
    timed.claim(case.id, by="moderator:sari")
    assert "sedang dikerjakan sari" in checked_page(timed_client.get("/antrean")).text
    hand.forward(minutes=16)
    assert "sedang dikerjakan" not in checked_page(timed_client.get("/antrean")).text


def test_the_next_case_is_the_first_that_nobody_else_has(client: TestClient, triage: Triage) -> None:
    first, second = waiting(triage, "got satu", urgency=2), waiting(triage, "got dua", urgency=0)
    triage.claim(first.id, by="moderator:sari")
    assert client.get("/antrean/berikutnya").headers["location"] == f"/kasus/{second.id}"
    triage.store.release(first.id, "moderator:sari")
    assert client.get("/antrean/berikutnya").headers["location"] == f"/kasus/{first.id}"


def test_the_next_case_is_of_the_choice_that_one_works_through(client: TestClient, triage: Triage) -> None:
    waiting(triage, "got satu", "dinkes", 2)
    chosen = waiting(triage, "got dua", "dishub", 0)
    answer = client.get("/antrean/berikutnya?instansi=dishub")
    assert answer.headers["location"] == f"/kasus/{chosen.id}?instansi=dishub"
    page = checked_page(client.get(answer.headers["location"]))
    assert page.hidden("tampilan") == ["instansi=dishub"]
    assert client.get("/antrean/berikutnya?instansi=polres").headers["location"] == "/antrean?instansi=polres"


def test_a_choice_is_kept_as_a_view_used_and_removed(client: TestClient, triage: Triage) -> None:
    waiting(triage, "got satu", "dinkes")
    chosen = waiting(triage, "got dua", "dishub")
    form = checked_page(client.get("/antrean?instansi=dishub&urgensi=1")).forms["/tampilan"]
    answer = client.post("/tampilan", data=form | {"nama": "  jalan   & angkutan "})
    assert answer.headers["location"] == "/antrean?instansi=dishub&urgensi=1"
    page = checked_page(client.get("/antrean"))
    assert "jalan & angkutan" in page.text
    assert numbers(checked_page(client.get("/antrean?instansi=dishub&urgensi=1"))) == [chosen.id]
    assert "/antrean?instansi=dishub&urgensi=1" in page.links()
    gone = client.post("/tampilan", data=token_of(client) | {"nama": "jalan & angkutan", "hapus": "ya"})
    assert gone.headers["location"] == "/antrean"
    assert "jalan & angkutan" not in checked_page(client.get("/antrean")).text


def test_a_view_of_the_same_name_takes_the_place_of_the_old_one(client: TestClient, triage: Triage) -> None:
    for query in ("urgensi=1", "urgensi=2"):
        client.post("/tampilan", data=token_of(client) | {"nama": "mendesak", "tampilan": query})
    assert views_of(triage.store, "budi") == [("mendesak", "urgensi=2")]


def test_views_are_ones_own(client: TestClient, triage: Triage, access: Access) -> None:
    client.post("/tampilan", data=token_of(client) | {"nama": "punya budi", "tampilan": "urgensi=2"})
    sign_in_as(client, access, "sari")
    assert "punya budi" not in checked_page(client.get("/antrean")).text
    client.post("/tampilan", data=token_of(client) | {"nama": "punya budi", "hapus": "ya"})
    assert views_of(triage.store, "budi") == [("punya budi", "urgensi=2")]


@pytest.mark.parametrize("name", ["", "   ", "x" * (LONGEST_NAME + 1), "nol \x00", "balik \u202e", "\x00"])
def test_an_odd_name_of_a_view_is_told_and_the_choice_still_shown(
    client: TestClient, triage: Triage, name: str
) -> None:
    waiting(triage, "got satu", "dinkes")
    chosen = waiting(triage, "got dua", "dishub")
    sent = token_of(client) | {"nama": name, "tampilan": "instansi=dishub"}
    page = checked_page(client.post("/tampilan", data=sent), 422)
    assert f"Beri tampilan ini nama, paling panjang {LONGEST_NAME} huruf." in page.text
    assert numbers(page) == [chosen.id]
    assert client.post("/tampilan", data=sent | {"hapus": "ya"}).status_code == 303
    assert views_of(triage.store, "budi") == []


@pytest.mark.parametrize("name", ["<b>tebal</b>", "'; DROP TABLE views", '"><img src=x onerror=alert(1)>'])
def test_markup_in_the_name_of_a_view_is_shown_and_never_run(client: TestClient, triage: Triage, name: str) -> None:
    assert client.post("/tampilan", data=token_of(client) | {"nama": name}).status_code == 303
    page = checked_page(client.get("/antrean"))
    assert name in page.text
    assert not page.every("img")
    assert [each[0] for each in views_of(triage.store, "budi")] == [name]


def test_more_views_than_fit_are_refused_until_one_is_removed(any_store: Store, bundle: Bundle) -> None:
    with client_of(Triage(bundle, REGION, any_store)) as client:
        name = _name_of(client, any_store)
        for place in range(MOST_VIEWS):
            save_view(any_store, name, f"tampilan {place:02d}", "urgensi=1")
        page = checked_page(client.post("/tampilan", data=token_of(client) | {"nama": "satu lagi"}), 422)
        assert "Tampilan tersimpan sudah penuh" in page.text
        again = client.post("/tampilan", data=token_of(client) | {"nama": "tampilan 03", "tampilan": "urgensi=3"})
        assert again.status_code == 303
        drop_view(any_store, name, "tampilan 00")
        assert client.post("/tampilan", data=token_of(client) | {"nama": "satu lagi"}).status_code == 303
        assert len(views_of(any_store, name)) == MOST_VIEWS


def _name_of(client: TestClient, store: Store) -> str:
    session = quick_access(store).session(client.cookies["disposisi"])
    assert session is not None
    return session.name


def test_a_case_is_found_by_the_beginning_of_its_number(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    for written in (case.id, case.id[:8], f"  {case.id[:13].upper()} "):
        assert client.get("/cari", params={"nomor": written}).headers["location"] == f"/kasus/{case.id}"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "short",
        "00000000",
        "%%%%%%%%",
        "________",
        "\x00" * 8,
        "x" * 10_000,
        "' OR 1=1 --",
        SCRIPT,
        "１２３４５６７８",
    ],
)
def test_a_number_that_no_case_has_is_told_on_the_queue(client: TestClient, triage: Triage, written: str) -> None:
    case = take_in(triage)
    page = checked_page(client.get("/cari", params={"nomor": written}), 404)
    assert "Tidak ada kasus dengan nomor itu." in page.text
    assert numbers(page) == [case.id]


def test_a_number_that_two_cases_begin_with_or_another_region_has_is_not_found(
    client: TestClient, triage: Triage, access: Access
) -> None:
    one, two = take_in(triage), take_in(triage)
    with triage.store.writing() as connection:
        for found, end in ((one, "1"), (two, "2")):
            twin = {name: value for name, value in _row(triage, found).items() if name != "id"}
            connection.execute(cases.insert().values(id=f"00000000-0000-4000-8000-00000000000{end}", **twin))
    checked_page(client.get("/cari?nomor=00000000-0000"), 404)
    sign_in_as(client, access, "asep", "kab-bandung")
    checked_page(client.get("/cari", params={"nomor": one.id}), 404)


def _row(triage: Triage, case: Case) -> dict[str, Any]:
    with triage.store.reading() as connection:
        row = connection.execute(cases.select().where(cases.c.id == case.id)).mappings().one()
    # The intake's own name for a complaint is there once.
    return dict(row) | {"intake_id": None}


def test_a_moderator_of_a_region_has_its_cases_only(client: TestClient, triage: Triage, access: Access) -> None:
    own, other = take_in(triage, region="kab-bandung"), take_in(triage)
    sign_in_as(client, access, "asep", "kab-bandung")
    queue = checked_page(client.get("/antrean"))
    assert "1 laporan menunggu" in queue.text
    assert numbers(queue) == [own.id]
    assert numbers(checked_page(client.get(f"/antrean?daerah={REGION}"))) == [own.id]
    assert "daerah" not in [field["name"] for field in queue.every("select")]
    checked_page(client.get(f"/kasus/{own.id}"))
    assert "Tidak ditemukan" in checked_page(client.get(f"/kasus/{other.id}"), 404).text
    form = suggestion(other) | token_of(client)
    for way in ("putusan", "lepas", "urungkan"):
        checked_page(client.post(f"/kasus/{other.id}/{way}", data=form), 404)
    assert client.post(f"/kasus/{other.id}/sewa", data=form).status_code == 409
    assert triage.store.get(other.id) == other
    assert triage.store.claims_of([other.id], triage.now()) == {}


def test_a_secret_case_shows_nothing_of_itself_in_the_queue_nor_is_that_a_look(
    client: TestClient, triage: Triage
) -> None:
    secret = take_in(triage, title="Sampah", confidentiality=Confidentiality.RAHASIA)
    queue = checked_page(client.get("/antrean"))
    assert "Laporan rahasia" in queue.text
    assert "Sampah" not in queue.text
    assert looks_at(triage.store, secret.id) == []


@pytest.mark.parametrize("field", ["text", "title"])
def test_markup_in_a_complaint_is_shown_in_the_queue_and_never_run(
    client: TestClient, triage: Triage, field: str
) -> None:
    take_in(triage, **{"text": "got mampet", field: SCRIPT})
    page = checked_page(client.get("/antrean"))
    assert not page.every("img")
    assert KEPT_SCRIPT in page.text


def test_a_blind_case_stands_in_the_queue_without_agency_chance_reason_or_urgency(bundle: Bundle, store: Store) -> None:
    triage = Triage(bundle, REGION, store, checks=CheckShares(blind=1.0))
    case = take_in(triage)
    with client_of(triage) as client:
        page = checked_page(client.get("/antrean"))
    assert numbers(page) == [case.id]
    line = page.text.partition("Menurut kerugian bila menunggu")[2]
    assert "pemeriksaan acak, tanpa usulan" in line
    hidden = (load_region(REGION).all_agencies[str(case.answer.agency)].name, "peluang", "Lingkungan", "Sedang")
    assert [word for word in hidden if word in line] == []


def test_an_emergency_is_never_picked_for_a_check(bundle: Bundle, store: Store) -> None:
    triage = Triage(bundle, REGION, store, checks=CheckShares(blind=1.0, audit=1.0))
    text = "Kebakaran besar di gudang Pasar Kemis, api membesar, ada orang terjebak di dalam"
    emergency, other = take_in(triage, text), take_in(triage, "Sampah menumpuk di kali")
    assert (emergency.urgency, emergency.check, other.check) == (int(Urgency.DARURAT), Check.NONE, Check.BLIND)


def test_a_routed_case_is_not_in_the_queue_unless_it_was_picked_for_a_check(bold_bundle: Bundle, store: Store) -> None:
    take_in(Triage(bold_bundle, REGION, store), "Sampah menumpuk di kali")
    picked = take_in(Triage(bold_bundle, REGION, store, checks=CheckShares(audit=1.0)), "Sampah menumpuk di pasar")
    with client_of(Triage(bold_bundle, REGION, store)) as client:
        page = checked_page(client.get("/antrean"))
    assert numbers(page) == [picked.id]
    assert "pemeriksaan acak, tanpa usulan" in page.text


def test_a_notice_can_not_be_put_into_the_queue_from_outside(client: TestClient) -> None:
    page = checked_page(client.get("/antrean", params={"selesai": f"{SCRIPT} hubungi 0812", "diurungkan": SCRIPT}))
    assert page.every("div") == [each for each in page.every("div") if each.get("class") != "notice"]
    assert "0812" not in page.text
    assert page.every("img") == []


def test_skipping_lets_go_of_a_case_and_opens_the_next_of_the_choice(client: TestClient, triage: Triage) -> None:
    first, second = waiting(triage, "got satu", "dinkes", 2), waiting(triage, "got dua", "dinkes", 1)
    waiting(triage, "got tiga", "dishub", 2)
    first_before = triage.store.get(first.id)
    form = opened_form(client, first, "?instansi=dinkes")
    answer = client.post(f"/kasus/{first.id}/lepas", data=form | {"lanjut": "berikutnya"})
    assert urlsplit(answer.headers["location"]).path == f"/kasus/{second.id}"
    assert triage.store.claims_of([first.id], triage.now()) == {}
    assert triage.store.get(first.id) == first_before
    back = client.post(f"/kasus/{second.id}/lepas", data=form)
    assert back.headers["location"] == "/antrean?instansi=dinkes"
    assert triage.store.claims_of([second.id], triage.now()) == {}


def test_one_can_skip_through_all_cases_and_comes_to_the_first_again(client: TestClient, triage: Triage) -> None:
    waits = [waiting(triage, f"got nomor {number}") for number in range(4)]
    seen = [client.get("/antrean/berikutnya").headers["location"].removeprefix("/kasus/")]
    for _ in waits:
        form = token_of(client) | {"lanjut": "berikutnya"}
        way = client.post(f"/kasus/{seen[-1]}/lepas", data=form).headers["location"]
        seen.append(way.removeprefix("/kasus/"))
    assert set(seen[:4]) == {case.id for case in waits}
    assert seen[4] == seen[0]
