"""Pengaturan: what an admin sees and decides on routing alone, on moderators and on keys, and what nobody may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data.complaint import Jurisdiction
from data.region import load_region
from model.bundle import SECTOR, Bundle
from model.promise import make_promise
from serving import staff
from serving.access import Access, BadAccess, Caller, Scope
from serving.app import create_app
from serving.outlook import TARGETS, outlook_of
from serving.policy import LONGEST_REASON, Rules, changes, read_rules, switch_agency
from serving.settings import Settings
from serving.settings_page import switches
from serving.store import Store
from serving.tables import audit
from serving.triage import Triage
from tests.serving.clients import MODERATOR, PASSWORD, quick_access, service_of
from tests.serving.conftest import REGION
from tests.serving.desk_pages import SCRIPT, Page, checked_page
from tests.serving.test_policy import BY, ELSEWHERE, ROADS, reasons, routed, verdict, with_evidence

SETTINGS, ACCOUNTS = "/pengaturan", "/pengaturan/akun"
WHY = "Rapat koordinasi 24 November"


class Visitor:
    """A moderator's browser at the settings."""

    def __init__(self, client: TestClient, access: Access, name: str, scopes: list[str], region: str = "") -> None:
        self.client = client
        self.token = access.change_password(name, access.create_moderator(name, scopes, region), PASSWORD)
        session = access.session(self.token)
        assert session is not None
        self.csrf = session.csrf

    def get(self, path: str, **query: str) -> httpx2.Response:
        self.client.cookies.set("disposisi", self.token)
        return self.client.get(path, params=query)

    def page(self, path: str, **query: str) -> Page:
        return checked_page(self.get(path, **query))

    def send(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form; fields of rights are named with _ for -."""
        self.client.cookies.set("disposisi", self.token)
        named = {name.replace("hak_", "hak-"): value for name, value in fields.items()}
        return self.client.post(path, data={"csrf": self.csrf, **named})

    def refused(self, path: str, **fields: str) -> Page:
        """The page that a form comes back with."""
        return checked_page(self.send(path, **fields), 422)

    def saved(self, path: str, **fields: str) -> Page:
        """The page that a form leads to."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, answer.text[:500]
        there = urlsplit(answer.headers["location"])
        page = self.page(there.path, **{name: values[0] for name, values in parse_qs(there.query).items()})
        assert [box for box in page.every("p") if box.get("role") == "status"]
        return page


@pytest.fixture
def triage(bundle: Bundle, store: Store) -> Triage:
    """Over a bundle that has proven its right in the region: 2,000 rows, 99 % of them right."""
    return Triage(with_evidence(bundle, 2_000, 0.99), REGION, store)


@pytest.fixture
def head(anonymous_client: TestClient, access: Access) -> Visitor:
    """The head of all desks."""
    return Visitor(anonymous_client, access, "kepala", ["review", "admin"])


@pytest.fixture
def local_head(anonymous_client: TestClient, access: Access) -> Visitor:
    """The head of one region's desk."""
    return Visitor(anonymous_client, access, "kepala.tangerang", ["admin"], REGION)


def recorded(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        rows = connection.execute(audit.select().where(audit.c.action == "change").order_by(audit.c.id))
        return [row.detail for row in rows]


@pytest.mark.parametrize("path", [SETTINGS, ACCOUNTS])
@pytest.mark.parametrize("scopes", [["review"], ["review", "data", "intake"]])
def test_who_is_no_admin_is_told_so(anonymous_client: TestClient, access: Access, path: str, scopes: list[str]) -> None:
    page = checked_page(Visitor(anonymous_client, access, "budi", scopes).get(path), 403)
    assert "hak admin" in page.text


@pytest.mark.parametrize(
    "path",
    [f"{SETTINGS}/{each}" for each in ("target", "instansi")]
    + [f"{ACCOUNTS}/{each}" for each in ("tambah", "ubah", "nonaktif", "sandi", "kunci", "cabut")],
)
def test_no_form_is_taken_from_who_is_no_admin_has_no_session_or_no_token(
    anonymous_client: TestClient, access: Access, store: Store, head: Visitor, path: str
) -> None:
    budi = Visitor(anonymous_client, access, "budi", ["review"])
    fields = {"wilayah": REGION, "target": "90", "alasan": WHY, "instansi": ROADS, "otomatis": "tidak"}
    assert budi.send(path, **fields, nama="budi", hak_admin="ya").status_code == 403
    anonymous_client.cookies.set("disposisi", head.token)
    assert anonymous_client.post(path, data=fields).status_code == 403
    anonymous_client.cookies.clear()
    assert anonymous_client.post(path, data=fields).status_code == 401
    assert (read_rules(store), recorded(store)) == ({}, [])


def test_the_promise_of_each_target_is_restated_in_words(head: Visitor, triage: Triage) -> None:
    page = head.page(SETTINGS)
    promise = make_promise(triage.bundle.evidence, triage.bundle.heads[SECTOR].labels, 0.95)
    alone = round(promise.evidence[REGION]["coverage"] * 100)
    assert alone > 50
    sentence = (
        "Dari 100 laporan yang diteruskan tanpa moderator, sedikitnya 95 benar bidang urusannya; "
        f"sekitar {alone} dari 100 laporan diteruskan sendiri, {100 - alone} ditinjau."
    )
    assert sentence in page.text
    assert "Target yang berlaku sekarang: 95 % (bawaan model" in page.text
    assert "2.000 laporan berlabel" in page.text
    rows = [attributes for attributes in page.every("tr") if "data-target" in attributes]
    assert [row["data-target"] for row in rows] == [f"{target * 100:.1f}".removesuffix(".0") for target in TARGETS]


def test_without_a_script_another_target_is_looked_at_by_its_address(head: Visitor) -> None:
    for written, name, words in (
        ("97.5", "97,5", "Dari 1.000 laporan yang diteruskan tanpa moderator, sedikitnya 975 benar"),
        ("97,5", "97,5", "sedikitnya 975 benar"),
        ("99.5", "99,5", "99,5 % belum dapat dijanjikan di wilayah ini, jadi semua laporan akan ditinjau."),
    ):
        page = head.page(SETTINGS, target=written)
        assert words in page.text
        assert f"Pakai target {name} %" in page.text
        assert page.hidden("target") == [name.replace(",", ".")]
    for nonsense in ("", "abc", "100", "-5", "95.25", "1e2", "٩٥"):
        assert head.page(SETTINGS, target=nonsense).hidden("target") == ["95"]


def test_a_region_without_evidence_has_neither_curve_nor_promise(head: Visitor) -> None:
    page = head.page(SETTINGS, wilayah=ELSEWHERE)
    assert page.every("svg") == []
    assert "Model ini belum pernah diuji dengan laporan berlabel dari sini." in page.text


def test_few_rows_tell_how_many_more_a_promise_takes(bundle: Bundle) -> None:
    """As many as `rows_needed` says, to two digits."""
    few = with_evidence(bundle, 160, 0.97)
    needed = {offer.target: offer.needed for offer in outlook_of(few, REGION).offers}
    assert needed[0.95] is not None
    assert needed[0.95] > 0


def test_the_curve_stands_in_a_table_too(head: Visitor, triage: Triage) -> None:
    page = head.page(SETTINGS)
    outlook = outlook_of(triage.bundle, REGION)
    assert len(page.every("svg")) == 1
    points = page.every("polyline")[0]["points"].split()
    assert len(points) == len(outlook.coverage)
    ends = [tuple(map(float, point.split(","))) for point in (points[0], points[-1])]
    assert ends[0][0] < ends[1][0]
    assert outlook.precision[-1] == pytest.approx(
        np.mean(triage.bundle.evidence["label"] == triage.bundle.evidence["found"])
    )
    assert "Kurva sebagai tabel" in page.text
    assert "100 % 99 %" in page.text


def test_a_target_that_is_chosen_counts_is_kept_and_stands_in_the_history(
    head: Visitor, triage: Triage, store: Store
) -> None:
    assert reasons(triage) == ["confident"]
    page = head.saved(f"{SETTINGS}/target", wilayah=REGION, target="99.5", alasan=WHY)
    assert "Target yang berlaku sekarang: 99,5 %." in page.text
    assert re.search(r"Target 99,5 % oleh kepala, \d+ \w{3} \d{4} \d\d\.\d\d WIB " + WHY, page.text)
    assert reasons(triage) == ["no-threshold"]
    assert read_rules(store) == {REGION: Rules(0.995)}
    assert recorded(store)[0]["target"] == 0.995
    assert "(bawaan model" in head.page(SETTINGS, wilayah=ELSEWHERE).text


def test_all_that_is_wrong_with_a_target_is_told_at_once_and_nothing_is_kept(head: Visitor, store: Store) -> None:
    page = head.refused(f"{SETTINGS}/target", wilayah=REGION, target="101", alasan=" \r\n ")
    assert "Pilih target dari daftar, 80 % sampai 99,5 %." in page.text
    assert "Tulis alasan perubahan ini." in page.text
    page = head.refused(f"{SETTINGS}/target", wilayah=REGION, target="90", alasan="x" * 10_000)
    assert f"Alasan paling panjang {LONGEST_REASON} huruf; yang dikirim 10.000." in page.text
    # What was chosen and typed comes back.
    assert page.forms[f"{SETTINGS}/target"]["target"] == "90"
    assert page.forms[f"{SETTINGS}/target"]["alasan"] == "x" * 10_000
    assert read_rules(store) == {}


def test_what_is_typed_stays_text(head: Visitor, store: Store) -> None:
    page = head.saved(f"{SETTINGS}/target", wilayah=REGION, target="90", alasan=SCRIPT + "\x00\u0085")
    assert "onerror=alert(1)>" in page.text
    assert changes(store, REGION, 1)[0].reason.startswith("<script>")
    page = head.refused(f"{SETTINGS}/instansi", wilayah=REGION, instansi=SCRIPT, otomatis=SCRIPT, alasan=SCRIPT)
    assert page.forms[f"{SETTINGS}/instansi"]["alasan"] == SCRIPT
    page = head.refused(f"{ACCOUNTS}/tambah", nama=SCRIPT, wilayah=SCRIPT, hak_review="ya")
    assert page.forms[f"{ACCOUNTS}/tambah"]["nama"] == SCRIPT[:80]
    head.page(ACCOUNTS, ubah=SCRIPT, tersimpan=SCRIPT)


def test_an_agency_that_is_turned_off_is_seen_to_be_and_gets_nothing_alone(head: Visitor, triage: Triage) -> None:
    name = load_region(REGION).all_agencies[ROADS].name
    page = head.saved(f"{SETTINGS}/instansi", wilayah=REGION, instansi=ROADS, otomatis="tidak", alasan=WHY)
    assert f"{name} Selalu ditinjau 0 0 0 – belum ada pemeriksaan" in page.text
    assert f"{name}: selalu ditinjau oleh kepala" in page.text
    assert reasons(triage) == ["agency-off"]
    page = head.saved(f"{SETTINGS}/instansi", wilayah=REGION, instansi=ROADS, otomatis="ya", alasan=WHY)
    assert f"{name}: boleh diteruskan sendiri oleh kepala" in page.text
    assert reasons(triage) == ["confident"]


def test_all_that_is_wrong_with_a_switch_is_told_at_once(head: Visitor, store: Store) -> None:
    page = head.refused(f"{SETTINGS}/instansi", wilayah=REGION, instansi="pln", otomatis="mungkin")
    for problem in ("Pilih instansi dari daftar.", "Pilih: boleh", "Tulis alasan perubahan ini."):
        assert problem in page.text
    assert read_rules(store) == {}


def test_the_evidence_of_an_agency_stands_beside_its_switch(head: Visitor, triage: Triage) -> None:
    for agency in (ROADS, ROADS, ROADS, "dlh"):
        verdict(triage, routed(triage), agency)
    routed(triage)
    # Three of four: the bound p with P(3 or more of 4) = 0.05 is 0.2486.
    name = load_region(REGION).all_agencies[ROADS].name
    assert f"{name} Boleh sendiri 5 4 3 24,9 % di bawah target" in head.page(SETTINGS).text


def test_only_the_regions_own_agencies_and_area_families_have_a_switch() -> None:
    region = load_region(REGION)
    local = {agency.code for agency in region.agencies if agency.level is Jurisdiction.LOCAL}
    assert switches(region).keys() == local | region.family_of_sector.keys()
    assert len(set(switches(region).values())) == len(switches(region))


def test_an_agency_that_the_region_file_has_dropped_is_shown_as_such(head: Visitor, store: Store) -> None:
    switch_agency(store, REGION, "dinas-lama", routes_alone=False, by=BY, reason=WHY)
    page = head.page(SETTINGS)
    assert "dinas-lama (tidak ada lagi dalam berkas wilayah) Selalu ditinjau" in page.text
    assert "dinas-lama" not in {option.get("value") for option in page.every("option")}


def test_an_admin_of_one_region_decides_for_no_other(local_head: Visitor, store: Store) -> None:
    assert "Kota Surabaya" not in local_head.page(SETTINGS).text
    assert "bukan wilayah Anda" in checked_page(local_head.get(SETTINGS, wilayah=ELSEWHERE), 403).text
    for path, more in (("target", {"target": "90"}), ("instansi", {"instansi": ROADS, "otomatis": "tidak"})):
        answer = local_head.send(f"{SETTINGS}/{path}", wilayah=ELSEWHERE, alasan=WHY, **more)
        assert checked_page(answer, 403)
    assert read_rules(store) == {}
    local_head.saved(f"{SETTINGS}/target", target="90", alasan=WHY)
    assert read_rules(store) == {REGION: Rules(0.9)}


@pytest.mark.parametrize("code", ["kab-antah-berantah", "../etc/passwd", "\x00", SCRIPT])
def test_a_region_that_there_is_not_is_no_error(head: Visitor, code: str) -> None:
    assert checked_page(head.get(SETTINGS, wilayah=code), 404)


def test_a_new_moderator_gets_a_password_that_is_shown_once(head: Visitor, access: Access, store: Store) -> None:
    answer = head.send(f"{ACCOUNTS}/tambah", nama="wati", wilayah=ELSEWHERE, hak_review="ya", hak_data="ya")
    page = checked_page(answer)
    password = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", page.text)
    assert password is not None
    assert access.sign_in("wati", password[0])
    assert password[0] not in head.get(ACCOUNTS).text
    assert (
        "wati Sandi sementara belum diganti Memutuskan laporan, membaca dan mengunduh data" in head.page(ACCOUNTS).text
    )
    assert recorded(store) == [
        {"of": "moderator", "what": "create", "name": "wati", "scopes": ["data", "review"], "region": ELSEWHERE}
    ]
    # Sent once more by the browser's reload.
    again = head.refused(f"{ACCOUNTS}/tambah", nama="wati", wilayah=ELSEWHERE, hak_review="ya")
    assert "Nama itu sudah dipakai" in again.text
    assert password[0] not in again.text


def test_all_that_is_wrong_with_a_new_moderator_is_told_at_once(head: Visitor, access: Access, store: Store) -> None:
    page = head.refused(f"{ACCOUNTS}/tambah", nama="Wati!", wilayah="kab-antah-berantah")
    for problem in ("Nama moderator 2 sampai 40", "Pilih paling sedikit satu hak.", "Wilayah itu tidak ada."):
        assert problem in page.text
    assert "Anda tidak dapat memberi hak itu." in head.refused(f"{ACCOUNTS}/tambah", nama="wati", hak_raja="ya").text
    assert [each.name for each in access.list_moderators()] == ["kepala"]
    assert recorded(store) == []


@settings(deadline=None)
@given(st.one_of(st.text(max_size=45), st.from_regex(r"[a-z0-9._-]{0,42}", fullmatch=True)))
def test_a_name_is_refused_here_exactly_where_it_would_be_when_made(name: str) -> None:
    class Made(Exception):
        """As far as the name goes it could be."""

    class Nobody(Access):
        def __init__(self) -> None: ...

        def _moderator_row(self, *_: Any) -> dict[str, Any]:
            raise Made

        def list_moderators(self) -> list[Any]:
            return []

    with pytest.raises((BadAccess, Made)) as raised:
        Nobody().create_moderator(name, ["review"])
    assert bool(staff.problems_of_name(Nobody(), name)) == (raised.type is BadAccess)


def test_rights_and_region_of_a_moderator_are_changed_from_the_next_click_on(
    head: Visitor, access: Access, anonymous_client: TestClient, store: Store
) -> None:
    budi = Visitor(anonymous_client, access, "budi", ["review"])
    form = head.page(ACCOUNTS, ubah="budi").forms[f"{ACCOUNTS}/ubah"]
    assert (form["nama"], form["hak-review"], "hak-admin" in form) == ("budi", "ya", False)
    head.saved(f"{ACCOUNTS}/ubah", nama="budi", wilayah=REGION, hak_admin="ya")
    assert "Kabupaten Tangerang" in budi.page(SETTINGS).text
    assert budi.get(SETTINGS, wilayah=ELSEWHERE).status_code == 403
    assert recorded(store) == [{"of": "moderator", "name": "budi", "scopes": ["admin"], "region": REGION}]


def test_nobody_shuts_themselves_out(head: Visitor, access: Access, store: Store) -> None:
    before = access.list_moderators()
    assert "akun sendiri" in head.refused(f"{ACCOUNTS}/nonaktif", nama="kepala").text
    for fields in ({"hak_review": "ya"}, {"hak_admin": "ya", "wilayah": REGION}, {}):
        assert head.refused(f"{ACCOUNTS}/ubah", nama="kepala", **fields)
    assert "Ganti sandi" in head.refused(f"{ACCOUNTS}/sandi", nama="kepala").text
    assert (access.list_moderators(), recorded(store)) == (before, [])
    head.saved(f"{ACCOUNTS}/ubah", nama="kepala", hak_admin="ya", hak_data="ya")


def test_a_disabled_moderator_is_out_until_let_in_with_a_new_password(
    head: Visitor, access: Access, anonymous_client: TestClient, store: Store
) -> None:
    budi = Visitor(anonymous_client, access, "budi", ["review"])
    assert "budi Nonaktif sejak" in head.saved(f"{ACCOUNTS}/nonaktif", nama="budi").text
    assert budi.get("/antrean").status_code == 303
    page = checked_page(head.send(f"{ACCOUNTS}/sandi", nama="budi"))
    password = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", page.text)
    assert password is not None
    assert access.sign_in("budi", password[0])
    assert [entry["what"] for entry in recorded(store)] == ["disable", "reset"]
    assert password[0] not in str(recorded(store))


def test_a_key_is_shown_once_is_made_once_and_can_be_revoked(head: Visitor, access: Access, store: Store) -> None:
    fields = {"nama": "Formulir web", "wilayah": REGION, "hak_intake": "ya"}
    page = checked_page(head.send(f"{ACCOUNTS}/kunci", **fields))
    token = re.search(r"dsp_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", page.text)
    assert token is not None
    caller = access.check_key(token[0])
    assert (caller.scopes, caller.region) == ({Scope.INTAKE}, REGION)
    assert token[0] not in head.get(ACCOUNTS).text
    assert "Sudah ada kunci aktif" in head.refused(f"{ACCOUNTS}/kunci", **fields).text
    key = access.list_keys()[0].id
    assert "dicabut" in head.saved(f"{ACCOUNTS}/cabut", kunci=key).text
    assert access.list_keys()[0].revoked_at is not None
    assert [(entry["what"], entry["name"]) for entry in recorded(store)] == [("create", key), ("revoke", key)]
    assert token[0] not in str(recorded(store))
    assert checked_page(head.send(f"{ACCOUNTS}/kunci", **fields))


def test_all_that_is_wrong_with_a_key_is_told_at_once(head: Visitor, access: Access) -> None:
    page = head.refused(f"{ACCOUNTS}/kunci", nama="x" * 81, wilayah="bulan")
    for problem in ("Nama kunci 1 sampai 80", "Pilih paling sedikit satu hak.", "Wilayah itu tidak ada."):
        assert problem in page.text
    assert "Kunci itu tidak ada." in head.refused(f"{ACCOUNTS}/cabut", kunci="ab12cd34").text
    assert access.list_keys() == []


def test_an_admin_of_one_region_looks_after_its_people_and_keys_alone(
    local_head: Visitor, head: Visitor, access: Access, store: Store
) -> None:
    access.create_moderator("tetangga", ["review"], ELSEWHERE)
    access.create_moderator("warga", ["review"], REGION)
    far, near = (access.create_key(region, ["intake"], region)[0].id for region in (ELSEWHERE, REGION))
    page = local_head.page(ACCOUNTS)
    assert "warga" in page.text
    assert near in page.text
    for hidden in ("tetangga", far, "Semua wilayah", "Bandung"):
        assert hidden not in page.text
    assert not {"kepala", ""} & {option["value"] for option in page.every("option")}
    for name in ("tetangga", "kepala"):
        for path, fields in (("ubah", {"hak_review": "ya", "wilayah": REGION}), ("nonaktif", {}), ("sandi", {})):
            assert "Moderator itu tidak ada." in local_head.refused(f"{ACCOUNTS}/{path}", nama=name, **fields).text
    assert local_head.refused(f"{ACCOUNTS}/cabut", kunci=far)
    for region in ("", ELSEWHERE):
        assert local_head.refused(f"{ACCOUNTS}/tambah", nama="baru", wilayah=region, hak_review="ya")
        assert local_head.refused(f"{ACCOUNTS}/ubah", nama="warga", wilayah=region, hak_review="ya")
        assert local_head.refused(f"{ACCOUNTS}/kunci", nama="baru", wilayah=region, hak_intake="ya")
    assert recorded(store) == []
    local_head.saved(f"{ACCOUNTS}/nonaktif", nama="warga")
    local_head.saved(f"{ACCOUNTS}/cabut", kunci=near)


@settings(deadline=None)
@given(st.sets(st.sampled_from(list(Scope)), min_size=1), st.sets(st.sampled_from(list(Scope)), min_size=1))
def test_nobody_gives_more_than_they_have(own: set[Scope], given_away: set[Scope]) -> None:
    caller = Caller("moderator:budi", frozenset(own), REGION)
    problems = staff.problems_of_rights(caller, {scope.value for scope in given_away}, REGION)
    assert bool(problems) == (not (given_away <= own or Scope.ADMIN in own))


@pytest.mark.parametrize("bound", ["", REGION])
def test_no_page_is_large(head: Visitor, local_head: Visitor, bound: str) -> None:
    visitor = local_head if bound else head
    for path in (SETTINGS, ACCOUNTS):
        assert len(visitor.get(path).content) < 60_000


@pytest.fixture
def behind(bundle: Bundle, store: Store, bundle_folder: Path) -> Iterator[tuple[Triage, Visitor]]:
    """A service whose bundle carries no evidence at all."""
    triage = Triage(replace(bundle, evidence=bundle.evidence[:0]), REGION, store)
    access = quick_access(store)
    app = create_app(service_of(triage, bundle_folder), access, Settings())
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
        yield triage, Visitor(client, access, MODERATOR, ["admin"])


def test_a_reloaded_bundle_has_an_outlook_of_its_own(behind: tuple[Triage, Visitor], bundle: Bundle) -> None:
    triage, visitor = behind
    assert "tidak membawa laporan berlabel" in visitor.page(SETTINGS).text
    triage.renew(with_evidence(bundle, 2_000, 0.99))
    assert "2.000 laporan berlabel" in visitor.page(SETTINGS).text
