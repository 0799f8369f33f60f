"""The page `Model`: who sees it, what it tells of bundle and registry, and what its forms do, or rightly don't."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest
import typer
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

import disposisi
from data.errors import BundleError
from model.bundle import Bundle, _checksum, load_bundle
from model.registry import Registry, RegistryError
from serving import model_page
from serving.access import Access
from serving.api import Service
from serving.model_page import FEWEST_OVERRIDE_WORDS, MODEL_PATH
from serving.models import Models, ReloadUnderway
from serving.policy import LONGEST_REASON
from serving.store import Store
from serving.tables import audit
from serving.triage import Triage
from tests.serving.clients import service_of
from tests.serving.desk_pages import SCRIPT, checked_page
from tests.serving.test_settings_page import Visitor

WHY = "lebih baik pada laporan Februari"
WORSE = "recall: health: 0.900 -> 0.500"
TOLD = {WORSE: "Ditemukan: Kesehatan: 0,900 menjadi 0,500"}
RISE, BACK, LOAD = (f"{MODEL_PATH}/{form}" for form in ("naik", "mundur", "muat"))
FORMS = (RISE, BACK, LOAD)


def other_bundle(bundle: Path, place: Path, year: int) -> Path:
    """The same bundle, which says another day of training: another version."""
    shutil.copytree(bundle, place)
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    manifest["created_at"] = f"{year}-01-01T00:00:00+00:00"
    manifest["checksum"] = _checksum(manifest)
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def made_once(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1, the champion, and version 2, the challenger, which was not compared yet."""
    place = tmp_path_factory.mktemp("model")
    made = Registry(place / "registry")
    made.register(bundle_folder, "siti", "yang pertama")
    made.promote("1", "siti", "yang pertama")
    made.register(other_bundle(bundle_folder, place / "other", 2031), "siti", "baris Januari")
    return made.folder


@pytest.fixture
def registry(made_once: Path, tmp_path: Path) -> Registry:
    """A copy of that registry, to be changed."""
    return Registry(shutil.copytree(made_once, tmp_path / "registry"))


@pytest.fixture
def told() -> list[Path]:
    """What the other processes were told to answer with."""
    return []


@pytest.fixture
def service(triage: Triage, registry: Registry, told: list[Path]) -> Service:
    service = service_of(triage)
    object.__setattr__(service, "models", Models(triage, registry.folder, told.append))
    return service


@pytest.fixture
def keeper(anonymous_client: TestClient, access: Access) -> Visitor:
    """Data staff, who decide no complaints."""
    return Visitor(anonymous_client, access, "dewi", ["data"])


def compare(registry: Registry, champion: int, challenger: int, *refusals: str) -> None:
    told = [TOLD.get(each, each) for each in refusals]
    facts = {"rows": 1300, "refusals": list(refusals), "told": told}
    registry.note_comparison(champion, challenger, "siti", facts)


def send(keeper: Visitor, path: str, **fields: str) -> httpx2.Response:
    """Open the page and send one of its forms, with fields as they stand but those given."""
    return keeper.send(path, **{**form_of(keeper, path), **fields})


def form_of(keeper: Visitor, path: str) -> dict[str, str]:
    form = keeper.page(MODEL_PATH).forms[path]
    assert form.pop("csrf") == keeper.csrf
    return form


def recorded(store: Store) -> list[tuple[str, dict[str, Any]]]:
    with store.reading() as connection:
        rows = connection.execute(audit.select().where(audit.c.action == "change").order_by(audit.c.id))
        return [(row.actor, row.detail) for row in rows]


def aliases(registry: Registry) -> tuple[int | None, int | None]:
    return registry.alias("champion"), registry.alias("challenger")


@pytest.mark.parametrize("scopes", [["review"], ["intake"], ["review", "intake"]])
def test_who_is_neither_data_staff_nor_admin_is_told_so_and_changes_nothing(
    anonymous_client: TestClient, access: Access, registry: Registry, scopes: list[str]
) -> None:
    budi = Visitor(anonymous_client, access, "budi", scopes)
    before = len(registry.record.entries())
    fields = {"catatan_dilihat": str(before), "versi": "2", "alasan": WHY, "tetap": WHY, "alasan_mundur": WHY}
    pages = [checked_page(each, 403) for each in (budi.get(MODEL_PATH), *(budi.send(p, **fields) for p in FORMS))]
    assert all("hak data atau admin" in page.text for page in pages)
    assert all(MODEL_PATH not in page.links() for page in pages)
    assert len(registry.record.entries()) == before


def test_no_form_is_taken_without_a_session_or_with_anothers_token(keeper: Visitor, registry: Registry) -> None:
    before = len(registry.record.entries())
    fields = {"catatan_dilihat": str(before), "versi": "2", "alasan": WHY, "tetap": WHY, "alasan_mundur": WHY}
    for path in FORMS:
        assert checked_page(keeper.send(path, **fields, csrf="x" * 43), 403).links(MODEL_PATH)
        keeper.client.cookies.clear()
        assert keeper.client.post(path, data=fields).headers["location"] == "/masuk"
    assert len(registry.record.entries()) == before


def test_a_temporary_password_is_changed_first(anonymous_client: TestClient, access: Access) -> None:
    token = access.sign_in("dewi", access.create_moderator("dewi", ["data"]))
    anonymous_client.cookies.set("disposisi", token)
    answer = anonymous_client.get(MODEL_PATH)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sandi?lanjut={MODEL_PATH}")


def test_data_staff_who_decide_no_complaints_start_here(keeper: Visitor) -> None:
    answer = keeper.get("/antrean")
    assert (answer.status_code, answer.headers["location"]) == (303, MODEL_PATH)


@pytest.mark.parametrize("scopes", [["data"], ["admin"], ["review", "data"]])
def test_the_page_tells_what_answers_and_what_the_record_says(
    anonymous_client: TestClient, access: Access, registry: Registry, bundle: Bundle, scopes: list[str]
) -> None:
    compare(registry, 1, 2, WORSE)
    page = Visitor(anonymous_client, access, "dewi", scopes).page(MODEL_PATH)
    assert MODEL_PATH in page.links()
    rows = f"{bundle.about['rows']['count']:,}".replace(",", ".")
    for words in (bundle.version, bundle.about["recipe"]["name"], f"{rows} baris", f"Kabupaten Tangerang: {rows}"):
        assert words in page.text
    assert "Versi 2 dibandingkan dengan juara 1 atas 1.300 baris oleh siti (baris perintah)" in page.text
    assert "Versi 1 dijadikan juara" in page.text
    assert (page.text.count(TOLD[WORSE]), page.text.count(WORSE)) == (2, 0)
    assert "Juara belum dipakai" not in page.text
    assert set(page.forms) & set(FORMS) == {RISE}


def test_a_challenger_that_is_not_worse_is_promoted_and_answers_in_all_processes(
    keeper: Visitor, registry: Registry, service: Service, told: list[Path], store: Store
) -> None:
    compare(registry, 1, 2)
    assert "tetap" not in form_of(keeper, RISE)
    answer = send(keeper, RISE, alasan=f"{WHY} <b>")
    assert answer.headers["location"] == f"{MODEL_PATH}?tersimpan=promote"
    assert aliases(registry) == (2, None)
    entry = registry.record.entries()[-1]
    assert (entry.by, entry.reason) == ("moderator:dewi", f"{WHY} <b>")
    assert service.models.bundle.version == load_bundle(registry.bundle_folder("2")).version
    assert [place.name for place in told] == ["registry"]
    assert recorded(store) == [("moderator:dewi", {"of": "model", "what": "promote", "version": 2})]
    page = keeper.page(MODEL_PATH, tersimpan="promote")
    assert "Versi itu sekarang juara" in page.text
    assert "Versi 2 dijadikan juara, menggantikan versi 1 oleh dewi," in page.text
    assert "Juara belum dipakai" not in page.text


@pytest.mark.parametrize("refusals", [None, [WORSE]])
def test_a_refused_challenger_needs_words_against_it_which_stay(
    keeper: Visitor, registry: Registry, refusals: list[str] | None, told: list[Path], store: Store
) -> None:
    if refusals:
        compare(registry, 1, 2, *refusals)
    before = len(registry.record.entries())
    page = checked_page(send(keeper, RISE, alasan=WHY), 409)
    assert "Versi itu ditolak" in page.text
    assert page.forms[RISE]["alasan"] == WHY
    page = checked_page(send(keeper, RISE, alasan=WHY, tetap="karena dinas digabung"), 422)
    assert "paling sedikit 4 kata" in page.text
    assert page.forms[RISE]["tetap"] == "karena dinas digabung"
    assert (len(registry.record.entries()), aliases(registry), told, recorded(store)) == (before, (1, 2), [], [])
    against = "dua dinas digabung sejak Januari"
    assert send(keeper, RISE, alasan=WHY, tetap=against).status_code == 303
    assert aliases(registry) == (2, None)
    assert registry.record.entries()[-1].facts["override"] == against
    told = "Ditolak: " + (TOLD[WORSE] if refusals else "belum dibandingkan dengan juara waktu itu")
    assert f"{told} Tetap dijadikan juara karena: {against}" in " ".join(keeper.page(MODEL_PATH).text.split())


def test_the_registry_asks_for_as_many_words_as_the_page(registry: Registry) -> None:
    words = ["kata"] * FEWEST_OVERRIDE_WORDS
    with pytest.raises(RegistryError):
        registry.promote("2", "siti", WHY, " ".join(words[1:]))
    registry.promote("2", "siti", WHY, " ".join(words))


def test_a_rollback_lets_the_champion_of_before_answer(
    keeper: Visitor, registry: Registry, service: Service, told: list[Path], store: Store
) -> None:
    assert BACK not in keeper.page(MODEL_PATH).forms
    registry.promote("2", "siti", WHY, WHY)
    service.models.reload()
    assert send(keeper, BACK, alasan_mundur="banyak salah kirim").status_code == 303
    assert registry.alias("champion") == 1
    assert service.models.bundle.version == load_bundle(registry.bundle_folder("1")).version
    assert told[-1].name == "registry"
    assert recorded(store) == [("moderator:dewi", {"of": "model", "what": "rollback", "version": 1})]
    assert "Kembali ke versi 1, menggantikan versi 2 oleh dewi," in keeper.page(MODEL_PATH).text


def test_nothing_is_changed_without_a_reason_or_with_one_too_long(keeper: Visitor, registry: Registry) -> None:
    registry.promote("2", "siti", WHY, WHY)
    registry.register(registry.bundle_folder("1"), "siti")
    before = len(registry.record.entries())
    for path, field in ((RISE, "alasan"), (BACK, "alasan_mundur")):
        for reason in ("", " \t ", "a" * (LONGEST_REASON + 1)):
            page = checked_page(send(keeper, path, **{field: reason}), 422)
            assert "Belum disimpan" in page.text
    assert len(registry.record.entries()) == before


def test_what_is_written_is_shown_as_text_and_without_personal_data(keeper: Visitor, registry: Registry) -> None:
    compare(registry, 1, 2, SCRIPT)
    send(keeper, RISE, alasan=f"{SCRIPT} telepon 081234567890", tetap="sudah dibicarakan dalam rapat pagi")
    assert "081234567890" not in registry.record.entries()[-1].reason
    page = keeper.page(MODEL_PATH)
    assert page.text.count("alert('x')") == 3


def test_a_page_of_before_changes_nothing(keeper: Visitor, registry: Registry) -> None:
    compare(registry, 1, 2)
    form = form_of(keeper, RISE)
    compare(registry, 1, 2, WORSE)
    page = checked_page(keeper.send(RISE, **form | {"alasan": WHY}), 409)
    assert "Register sudah diubah sejak halaman ini dibuka" in page.text
    assert TOLD[WORSE] in page.text
    assert page.forms[RISE]["alasan"] == WHY
    assert aliases(registry) == (1, 2)


def test_only_the_challenger_is_promoted(keeper: Visitor, registry: Registry) -> None:
    compare(registry, 1, 2)
    registry.register(registry.bundle_folder("1"), "siti")
    for which in ("1", "2", "champion", "9", ""):
        page = checked_page(send(keeper, RISE, alasan=WHY, tetap=WHY, versi=which), 409)
        assert "Periksa lagi keadaannya" in page.text
    assert aliases(registry) == (1, 3)


@pytest.mark.parametrize("path", [RISE, BACK])
def test_of_two_who_send_the_same_at_once_one_is_heard(
    app: FastAPI, access: Access, registry: Registry, bundle_folder: Path, tmp_path: Path, path: str
) -> None:
    registry.promote("2", "siti", WHY, WHY)
    registry.register(other_bundle(bundle_folder, tmp_path / "third", 2032), "siti")
    if path == BACK:  # one who is heard twice would be back at the first
        registry.promote("3", "siti", WHY, WHY)
    else:
        compare(registry, 2, 3)
    before, gate = len(registry.record.entries()), Barrier(2)

    def go(name: str) -> int:
        with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
            visitor = Visitor(client, access, name, ["data"])
            form = form_of(visitor, path)
            gate.wait(60)
            return visitor.send(path, **form | {"alasan": WHY, "alasan_mundur": WHY}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, ("dewi", "eka"))) == [303, 409]
    assert len(registry.record.entries()) == before + 1
    assert registry.alias("champion") == (3 if path == RISE else 2)


@pytest.mark.parametrize("lock", [".lock", ""])
def test_while_somebody_else_changes_the_registry_nothing_is_done(
    keeper: Visitor, registry: Registry, store: Store, lock: str
) -> None:
    compare(registry, 1, 2)
    handle = os.open(registry.folder / lock, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        page = checked_page(send(keeper, RISE, alasan=WHY), 409)
    finally:
        os.close(handle)
    assert "Orang lain sedang mengubah register" in page.text
    assert (aliases(registry), recorded(store)) == ((1, 2), [])
    assert send(keeper, RISE, alasan=WHY).status_code == 303


def test_a_spoilt_version_is_not_promoted_and_the_page_says_how_to_look(keeper: Visitor, registry: Registry) -> None:
    compare(registry, 1, 2)
    spoilt = registry.bundle_folder("2") / "manifest.json"
    spoilt.chmod(0o644)
    spoilt.write_text("{}", encoding="utf-8")
    page = checked_page(send(keeper, RISE, alasan=WHY), 409)
    assert f"disposisi models verify --registry {registry.folder}" in page.text
    assert aliases(registry) == (1, 2)


def test_a_record_that_cannot_be_read_hides_nothing_of_what_answers(
    keeper: Visitor, registry: Registry, bundle: Bundle
) -> None:
    seen = str(len(registry.record.entries()))
    with registry.record.path.open("a", encoding="utf-8") as handle:
        handle.write("rusak\n")
    page = keeper.page(MODEL_PATH)
    assert "Register tidak terbaca" in page.text
    assert bundle.version in page.text
    answer = checked_page(keeper.send(BACK, catatan_dilihat=seen, alasan_mundur=WHY), 409)
    assert "tidak utuh" in answer.text


def test_a_bundle_that_is_being_loaded_is_waited_for(
    keeper: Visitor, registry: Registry, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(registry, 1, 2)
    monkeypatch.setattr(model_page, "_PAUSES_SECONDS", (0.0, 0.0))
    reload, tries = service.models.reload, []

    def busy_once(name: str = "") -> Bundle:
        tries.append(name)
        if len(tries) == 1:
            raise ReloadUnderway("busy")
        return reload(name)

    monkeypatch.setattr(service.models, "reload", busy_once)
    assert send(keeper, RISE, alasan=WHY).status_code == 303
    assert tries == ["champion", "champion"]


@pytest.mark.parametrize("error", [BundleError("spoilt"), ReloadUnderway("busy")])
def test_a_champion_that_is_not_taken_up_is_told_and_can_be_taken_up_later(
    keeper: Visitor, registry: Registry, service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    compare(registry, 1, 2)
    monkeypatch.setattr(model_page, "_PAUSES_SECONDS", (0.0,))
    with monkeypatch.context() as failing:
        failing.setattr(service.models, "reload", lambda _: (_ for _ in ()).throw(error))
        page = checked_page(send(keeper, RISE, alasan=WHY), 503)
    assert "Versi itu sekarang juara menurut register. Tetapi:" in page.text
    assert "Belum disimpan" not in page.text
    assert "Juara belum dipakai" in page.text
    assert send(keeper, LOAD).status_code == 303
    assert service.models.bundle.version == load_bundle(registry.bundle_folder("2")).version
    assert LOAD not in keeper.page(MODEL_PATH).forms


def test_a_database_that_fails_after_the_promotion_does_not_hide_it(
    keeper: Visitor, registry: Registry, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(registry, 1, 2)

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Exception("gone"))

    monkeypatch.setattr(model_page, "record", fail)
    page = checked_page(send(keeper, RISE, alasan=WHY), 503)
    assert "Catatan audit tidak dapat ditulis" in page.text
    assert registry.alias("champion") == 2
    assert service.models.bundle.version == load_bundle(registry.bundle_folder("2")).version


def test_the_record_shows_its_last_fifty_lines_newest_first(keeper: Visitor, registry: Registry) -> None:
    for number in range(60):
        compare(registry, 1, 2, f"accuracy: {number}.")
    page = keeper.page(MODEL_PATH)
    shown = [int(each) for each in re.findall(r"Ditolak: accuracy: (\d+)\.", page.text)]
    assert shown == list(range(59, 9, -1))


def test_without_a_registry_the_page_says_so_and_names_the_command(
    keeper: Visitor, service: Service, triage: Triage, bundle_folder: Path, registry: Registry
) -> None:
    seen = str(len(registry.record.entries()))
    service.models.source = service.models.folder = bundle_folder
    page = keeper.page(MODEL_PATH)
    assert "bukan register" in page.text
    assert f"disposisi models register {bundle_folder}" in page.text
    assert not set(FORMS) & set(page.forms)
    answer = checked_page(keeper.send(BACK, catatan_dilihat=seen, alasan_mundur=WHY), 409)
    assert "tidak berjalan dari register" in answer.text


@pytest.mark.parametrize("has_registry", [True, False])
def test_every_command_that_is_named_can_be_given(
    keeper: Visitor, service: Service, bundle_folder: Path, has_registry: bool
) -> None:
    if not has_registry:
        service.models.source = service.models.folder = bundle_folder
    lines = re.findall(r"<code>(disposisi .*?)</code>", keeper.get(MODEL_PATH).text)
    assert len(lines) >= 3
    for line in lines:
        command, words = typer.main.get_command(disposisi.app), shlex.split(unescape(line))[1:]
        while hasattr(command, "commands"):
            command, words = command.commands[words[0]], words[1:]
        command.make_context(line, words, resilient_parsing=False)
