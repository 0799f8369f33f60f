"""The board and the lists behind its figures: plain Indonesian, no words where none belong, every figure a way on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality
from data.region import load_region
from model.bundle import Bundle
from model.routing import Outcome, Policy, Routers
from serving import autonomy, board, case_list
from serving.app import create_app
from serving.case import Kind, Return, Status
from serving.case_list import address_of, parse_selection
from serving.charts import column_chart, round_top
from serving.checks import Check
from serving.figures import Share, Span, span_of_days
from serving.privacy import Action
from serving.selection import ANY_AGENCY, NO_AGENCY, Comparison, Measure, Moment, Selection
from serving.settings import Settings
from serving.spreadsheet import inert
from serving.store import Store
from serving.tables import audit
from serving.triage import Intake, Triage
from tests.serving.clients import PASSWORD, client_of, quick_access, service_of
from tests.serving.conftest import REGION
from tests.serving.desk_pages import Page, checked_page
from tests.serving.test_figures import BINS, NOW, OTHER_REGION, ROADS, decide, keep

SECRET_WORDS = "Pegawai loket meminta uang pelicin"


@pytest.fixture
def at_now(bundle: Bundle, store: Store) -> Triage:
    return Triage(bundle, REGION, store, lambda: NOW)


@contextmanager
def signed_in(triage: Triage, region: str) -> Iterator[TestClient]:
    """A moderator of one region."""
    access = quick_access(triage.store)
    app = create_app(service_of(triage), access, Settings())
    token = access.change_password("rani", access.create_moderator("rani", ["review"], region), PASSWORD)
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
        client.cookies.set("disposisi", token)
        yield client


def looked_at(triage: Triage, address: str) -> tuple[Page, str]:
    with client_of(triage) as client:
        answer = client.get(address)
    assert len(answer.content) < 60_000
    return checked_page(answer), answer.text


def rows_of(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def a_busy_month(store: Store) -> None:
    """Cases of all kinds, in two regions, one of them secret, one for an agency that no file knows."""
    came, at = NOW - timedelta(days=4), NOW - timedelta(days=3)
    right, wrong = (keep(store, came, alone=True, check=Check.AUDIT) for _ in range(2))
    decide(store, right, at, blind=True)
    decide(store, wrong, at, agency=BINS, blind=True, reason="other-matter")
    decide(store, keep(store, came), at, seconds=75)
    decide(store, keep(store, came, check=Check.BLIND), at, agency=BINS, blind=True)
    decide(store, keep(store, came), at, kind=Kind.ARCHIVE, reason="unclear")
    returned = keep(store, came, alone=True)
    store.give_back(returned.id, Return(ROADS, "", at, "key:a"))
    keep(store, came, confidentiality=Confidentiality.RAHASIA)
    keep(store, came, agency=None)
    keep(store, came, region=OTHER_REGION)
    keep(store, came, region="kab-hilang")


def test_of_nothing_the_board_says_that_there_is_nothing_yet(at_now: Triage) -> None:
    page, _ = looked_at(at_now, "/papan")
    assert "belum ada yang diperiksa" in page.text
    assert "Ketepatan yang otomatis belum ada" in page.text
    assert "Tidak ada laporan yang dikembalikan instansi." in page.text
    assert "nan" not in page.text.lower().split()


@pytest.mark.parametrize("days", board.PERIODS)
@pytest.mark.parametrize("region", ["", REGION])
def test_each_period_and_region_fits_its_page(at_now: Triage, days: int, region: str) -> None:
    a_busy_month(at_now.store)
    page, _ = looked_at(at_now, f"/papan?hari={days}&wilayah={region}")
    chosen = [option["value"] for option in page.every("option") if "selected" in option]
    assert chosen == [str(days), region]
    columns = [each for each in page.every("rect") if float(each["height"].rstrip("%")) > 0]
    assert columns


def test_every_way_on_leads_to_a_list_of_as_many_cases(at_now: Triage) -> None:
    a_busy_month(at_now.store)
    with client_of(at_now) as client:
        html = client.get(f"/papan?wilayah={REGION}").text
        counted = figures_with_links(html)
        assert len(counted) > 20
        for number, link in counted:
            page = checked_page(client.get(link))
            shown = [each for each in page.every("a") if each["href"].startswith("/kasus/")]
            assert len(shown) == number, link


def figures_with_links(html: str) -> list[tuple[int, str]]:
    """Each whole number on a page that is a way to a list."""
    found = re.findall(r'<a[^>]*href="(/laporan\?[^"]*)"[^>]*>([0-9]+)(?: berbeda)?</a>', html)
    return [(int(number), unescape(link)) for link, number in found]


def test_accuracy_is_told_with_its_interval(at_now: Triage) -> None:
    a_busy_month(at_now.store)
    page, _ = looked_at(at_now, f"/papan?wilayah={REGION}")
    told = page.text.replace("\N{NO-BREAK SPACE}", " ").replace("( ", "(").replace(" )", ")")
    assert "Diteruskan otomatis dan benar 50,0 % (9,5–90,5 %) 2 1 berbeda" in told
    assert "Selisihnya 50,0 poin persen" in told


def test_charts_have_their_figures_in_words(at_now: Triage) -> None:
    a_busy_month(at_now.store)
    page, _ = looked_at(at_now, "/papan")
    drawings = page.every("svg")
    outer = [each for each in drawings if each.get("role") == "img" or each.get("aria-hidden") == "true"]
    # The plot within the chart is part of it.
    assert len(outer) == len(drawings) - 1
    (chart,) = [each for each in outer if each.get("role") == "img"]
    assert chart["aria-describedby"] in [each.get("id") for each in page.every("details")]
    assert all("viewbox" not in each for each in drawings)


def test_a_moderator_of_one_region_sees_no_other(at_now: Triage) -> None:
    a_busy_month(at_now.store)
    with signed_in(at_now, OTHER_REGION) as client:
        page = checked_page(client.get(f"/papan?wilayah={REGION}"))
        assert "Papan: Kabupaten Bandung" in page.text
        assert [select["name"] for select in page.every("select")] == ["hari"]
        listed = rows_of(client.get(f"/laporan.csv?wilayah={REGION}"))
        assert [row["daerah"] for row in listed] == [OTHER_REGION]
        assert {row["daerah"] for row in rows_of(client.get("/papan.csv"))} == {OTHER_REGION}
        page = checked_page(client.get(f"/laporan?wilayah={REGION}"))
        assert len([each for each in page.every("a") if each["href"].startswith("/kasus/")]) == 1


@pytest.mark.parametrize("address", ["/papan", "/papan.csv", "/laporan", "/laporan.csv"])
def test_who_is_not_signed_in_sees_nothing(anonymous_client: TestClient, address: str) -> None:
    answer = anonymous_client.get(address)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/masuk")


def test_no_file_and_no_list_holds_a_secret_cases_words(at_now: Triage) -> None:
    complaint = Complaint(SECRET_WORDS, region=REGION)
    at_now.receive(Intake(complaint, confidentiality=Confidentiality.RAHASIA))
    at_now.receive(Intake(Complaint("Sampah menumpuk di pasar", region=REGION)))
    with client_of(at_now) as client:
        page = client.get("/laporan").text
        assert "Laporan rahasia" in page
        assert "pelicin" not in page
        listed = client.get("/laporan.csv").text
        assert len(listed.splitlines()) == 3
        assert "pelicin" not in listed
        assert "Sampah" not in listed


@pytest.mark.parametrize("alone", [False, True])
def test_what_waits_for_a_blind_verdict_keeps_its_suggestion_hidden(at_now: Triage, alone: bool) -> None:
    case = keep(at_now.store, NOW, alone=alone, check=Check.AUDIT if alone else Check.BLIND)
    with client_of(at_now) as client:
        page = checked_page(client.get("/laporan"))
        assert "Usulan disembunyikan pemeriksaan tanpa usulan" in page.text
        (row,) = rows_of(client.get("/laporan.csv"))
        assert {row[name] for name in ("instansi", "instansi_usulan", "bidang_usulan", "peluang", "urgensi")} == {""}
        decide(at_now.store, case, NOW, blind=True)
        (row,) = rows_of(client.get("/laporan.csv"))
        assert (row["instansi"], row["instansi_usulan"]) == (ROADS, ROADS)


def test_that_a_list_was_taken_away_is_on_record(at_now: Triage) -> None:
    with client_of(at_now) as client:
        client.get(f"/laporan.csv?wilayah={REGION}&status=open")
    with at_now.store.reading() as connection:
        (entry,) = [row for row in connection.execute(audit.select()) if row.action == Action.EXPORT]
    assert entry.actor.startswith("moderator:")
    assert json.dumps(entry.detail) == json.dumps({"listed": f"/laporan?wilayah={REGION}&status=open"})


def test_a_list_longer_than_a_page_goes_on(at_now: Triage) -> None:
    for n in range(case_list.PAGE_SIZE + 1):
        keep(at_now.store, NOW - timedelta(minutes=n))
    page, _ = looked_at(at_now, "/laporan?status=waiting")
    (way_on,) = [each["href"] for each in page.every("a") if "halaman=2" in each["href"]]
    after, _ = looked_at(at_now, way_on)
    assert len([each for each in after.every("a") if each["href"].startswith("/kasus/")]) == 1


def test_what_an_address_says_that_nobody_understands_is_told(at_now: Triage) -> None:
    keep(at_now.store, NOW)
    strange = "status=x&instansi=%3Cb%3E&jenis=y&dari=2026-02-30&sampai=kemarin&pemeriksaan=a-b&halaman=-1&cara=%00"
    page, html = looked_at(at_now, f"/laporan?{strange}")
    for label in ("Status", "Instansi", "Putusan", "Dari tanggal", "Sampai tanggal", "Pemeriksaan", "Cara diteruskan"):
        assert label in page.text.partition("jadi diabaikan:")[2].partition(".")[0]
    assert "<b>" not in html
    assert "1 laporan" in page.text


def test_an_agency_that_the_file_has_dropped_keeps_its_code(at_now: Triage) -> None:
    keep(at_now.store, NOW, agency="dinas-lama")
    page, _ = looked_at(at_now, f"/papan?wilayah={REGION}")
    assert "dinas-lama" in page.text
    page, _ = looked_at(at_now, f"/laporan?wilayah={REGION}&instansi=dinas-lama")
    assert "Instansi: dinas-lama" in page.text


def test_the_file_has_each_figure_with_its_interval(at_now: Triage) -> None:
    a_busy_month(at_now.store)
    with client_of(at_now) as client:
        found = {row["nama"]: row for row in rows_of(client.get(f"/papan.csv?wilayah={REGION}&hari=7"))}
    assert found["Laporan masuk"]["nilai"] == "8"
    audited = found["Diteruskan otomatis dan benar"]
    told = (audited["nilai"], audited["bawah"], audited["atas"], audited["jumlah"])
    assert told == ("0.5", "0.0945", "0.9055", "2")
    assert audited["periode"] == "2026-11-18/2026-11-24"
    assert found["Detik mengerjakan satu kasus, median"]["nilai"] == "75"


def test_a_formula_is_no_formula_in_a_file() -> None:
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r\n=1"):
        assert inert(text) == f"'{text}"
    assert [inert(cell) for cell in ("kab-tangerang", -0.5, None, 3)] == ["kab-tangerang", -0.5, None, 3]


codes = st.from_regex(r"[a-z][a-z0-9-]{0,20}(:[0-9.]{1,8})?", fullmatch=True)
days = st.dates(min_value=NOW.date() - timedelta(days=9_000), max_value=NOW.date() + timedelta(days=9_000))


@given(
    st.builds(
        Selection,
        region=st.just("") | codes,
        status=st.none() | st.sampled_from(Status),
        agency=st.sampled_from(["", NO_AGENCY]) | codes,
        sector=st.just("") | codes,
        outcome=st.none() | st.sampled_from(Outcome),
        kind=st.none() | st.sampled_from(Kind),
        reason=st.sampled_from(["", "other-area", "unclear"]),
        waits_for=st.sampled_from(["", "unreadable", "returned"]),
        returned_by=st.sampled_from(["", ANY_AGENCY]) | codes,
        is_late=st.booleans(),
        comparison=st.sampled_from(Comparison),
        agreed=st.none() | st.booleans(),
        measure=st.none() | st.sampled_from(Measure),
        since=st.none() | days.map(lambda day: Span(day, day).since),
        until=st.none() | days.map(lambda day: Span(day, day).until),
        moment=st.sampled_from(Moment),
    )
)
def test_an_address_says_all_of_a_selection(selection: Selection) -> None:
    query = httpx2.URL(address_of(selection)).params
    assert parse_selection(dict(query.items())) == (selection, ())


@given(st.lists(st.integers(0, 10_000), max_size=60))
def test_columns_stay_on_their_chart(counts: list[int]) -> None:
    chart = column_chart("Uji", counts, list(map(str, range(len(counts)))))
    assert len(chart.columns) == len(counts)
    for column in chart.columns:
        assert 0 <= column.x <= column.x + column.width <= 100.0001
        assert column.y + column.height == pytest.approx(100)
    assert round_top(max(counts, default=0)) >= max(counts, default=0)


def test_what_may_go_alone_is_told_by_the_desks_own_policy(bold_bundle: Bundle) -> None:
    routers = Routers(bold_bundle, load_region(REGION))
    assert autonomy.alone_in(routers, REGION).least.startswith("mulai peluang")
    assert autonomy.alone_in(routers, OTHER_REGION).least == "tidak ada"
    head = bold_bundle.heads["sector"]
    agency = next(iter(load_region(REGION).agencies))
    barred = replace(head, thresholds={REGION: 0.875})
    routers.policies = {REGION: Policy(barred, 0.9, frozenset({agency.code}))}
    found = autonomy.alone_in(routers, REGION)
    assert (found.target, found.least) == ("90,0\N{NO-BREAK SPACE}%", "mulai peluang 87,5\N{NO-BREAK SPACE}%")
    assert found.barred == agency.name


@pytest.mark.parametrize(
    ("hours", "told"),
    [(None, "belum ada"), (0.0, "kurang dari 0,1 jam kerja"), (5.5, "5,5 jam kerja"), (20.0, "2,5 hari kerja")],
)
def test_working_hours_are_told_in_words(hours: float | None, told: str) -> None:
    assert board.hours_text(hours) == told


@pytest.mark.parametrize(("seconds", "told"), [(None, "belum ada"), (45, "45 detik"), (125, "2 menit 5 detik")])
def test_seconds_are_told_in_words(seconds: float | None, told: str) -> None:
    assert board.duration_text(seconds) == told


def test_an_interval_is_told_in_words() -> None:
    assert board.interval_text(Share(0, 0)) == "belum ada"
    assert board.interval_text(Share(5, 5)) == "antara 56,6\N{NO-BREAK SPACE}% dan 100,0\N{NO-BREAK SPACE}%"


def test_a_span_of_days_ends_today() -> None:
    span = span_of_days(7, NOW)
    assert (span.days, span.last.isoformat()) == (7, "2026-11-24")
