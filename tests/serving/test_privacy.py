"""Data protection: what is emptied when, what really leaves the disk, what a person gets, what is recorded."""

from __future__ import annotations

import ast
import json
import random
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select

import serving
from data.complaint import Complaint, Confidentiality
from data.errors import CannotWrite, OutputExists
from serving import person, privacy
from serving.case import Answer, Case, Claim, Kind, LabelSource, Return, Review, Status, Verdict
from serving.checks import Check
from serving.person import NoCases, SeveralRegions, cases_of, export_person
from serving.privacy import (
    Action,
    drop_old_requests,
    drop_old_sessions,
    emptied_since,
    empty_old_texts,
    forget,
    looks_at,
    record,
    without_words,
)
from serving.queue import Choice, Queue
from serving.store import Addition, AlreadyDecided, Identity, NoSuchCase, Store
from serving.tables import audit, cases, metadata, moderators, requests, sessions
from serving.triage import Intake, Triage

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
# Words that stand nowhere else, one for each place that holds some.
TITLE, TEXT, LOCATION, NOTE, REASON = "judulzebra", "isipelangi", "lokasikomodo", "catatanrafflesia", "alasanmaleo"
REPORTER = "warga-7f3a91"
WORDS_KEPT = ("katacendrawasih", "petunjukanoa", "tempatbekantan", "bahayaowa", "rujukantarsius", "tanyabadak")
MARKERS = (TITLE, TEXT, LOCATION, NOTE, REASON, REPORTER, *WORDS_KEPT)
_WORD, _CUE, _PLACE, _DANGER, _REFERRAL, _QUESTION = WORDS_KEPT
DETAIL: dict[str, Any] = {
    "reasons": ["below-threshold"],
    "alternatives": [{"sector": "environment", "agency": "dlhk", "probability": 0.2}],
    "urgency_reasons": [_DANGER],
    "jurisdiction": {
        "level": "local",
        "probability": 0.9,
        "is_ours": True,
        "responsible": None,
        "cues": [_CUE],
        "referral": f"Terima kasih, {_REFERRAL}.",
    },
    "completeness": {
        "is_complete": False,
        "probability_incomplete": 0.6,
        "slots": [{"name": "place", "state": "found", "found": [_PLACE]}],
        "question": f"Mohon sebutkan {_QUESTION}.",
    },
    "split": None,
    "explanation": {"score": 2.0, "base": 0.5, "words": [{"word": _WORD, "contribution": 1.0}], "others": 0.5},
    "similar": [{"case_id": "x", "similarity": 0.4, "is_duplicate": False, "days_apart": 2.0, "same_place": None}],
}
ANSWER = Answer("model-1", "public-works", 0.8312, "dbmsda", None, "review", 2, 0.7, DETAIL)


def clock() -> datetime:
    return NOW


def make(number: int = 1, status: Status = Status.WAITING, *, closed_days_ago: float | None = None) -> Case:
    """A case whose every field holds its marker; closed that many days before `NOW`."""
    return Case(
        id=str(UUID(int=number)),
        status=status,
        complaint=Complaint(f"Laporan {TEXT} ini.", f"Perihal {TITLE}", f"Dekat {LOCATION}", "kab-tangerang"),
        channel="WhatsApp",
        confidentiality=Confidentiality.TERBUKA,
        received_at=NOW - 500 * DAY,
        created_at=NOW - 500 * DAY,
        answer=ANSWER,
        agency="dbmsda",
        urgency=2,
        intake_id=f"L-{number}",
        reporter=REPORTER,
        closed_at=None if closed_days_ago is None else NOW - closed_days_ago * DAY,
    )


def keep(store: Store, *kept: Case) -> str:
    """Put cases in the store; the id of the last."""
    for future in [store.add(Addition(case, ())) for case in kept]:
        future.result(10)
    return kept[-1].id


def decide(store: Store, case_id: str, at: datetime) -> None:
    verdict = Verdict("environment", "dlhk", 3, f"Catatan {NOTE}")
    store.decide(case_id, Review(verdict, LabelSource.HUMAN_CORRECTED, at, "moderator:budi"))


def words_in(store: Store) -> set[str]:
    """The markers that stand in any table."""
    held = ""
    with store.reading() as connection:
        for table in metadata.sorted_tables:
            held += repr([tuple(row) for row in connection.execute(select(table))])
    return {marker for marker in MARKERS if marker in held}


def raw_words(database: Path, markers: Iterable[str] = MARKERS) -> set[str]:
    """The markers whose bytes stand in the database file or its log."""
    raw = b"".join(
        path.read_bytes() for end in ("", "-wal") if (path := database.with_name(database.name + end)).exists()
    )
    return {marker for marker in markers if marker.encode() in raw}


# The desk


def test_a_question_or_reply_of_a_moderator_is_emptied_with_the_text(any_store: Store) -> None:
    case_id = keep(any_store, make())
    verdict = Verdict("", "", 1, f"Catatan {NOTE}", Kind.ASK, reply=f"Benarkah di {REASON}?")
    any_store.decide(case_id, Review(verdict, LabelSource.HUMAN_CORRECTED, NOW - 400 * DAY, "siti"))
    assert {NOTE, REASON} <= words_in(any_store)
    assert empty_old_texts(any_store, clock=clock) == 1
    assert words_in(any_store) == set()
    emptied = any_store.get(case_id)
    assert (emptied.status, emptied.emptied_at) == (Status.ASKED, NOW)
    assert emptied.review is not None
    assert (emptied.review.verdict.kind, emptied.review.verdict.reply) == (Kind.ASK, "")


@pytest.mark.parametrize("check", [Check.NONE, Check.AUDIT])
def test_whoever_forgets_a_case_or_empties_it_takes_it_out_of_the_queue(any_store: Store, check: Check) -> None:
    status = Status.ROUTED if check is Check.AUDIT else Status.WAITING
    forgotten = keep(any_store, replace(make(1, status), check=check))
    emptied = keep(any_store, replace(make(2, Status.ROUTED, closed_days_ago=400), check=Check.AUDIT))
    queue = Queue(any_store, clock)
    assert {line.id for line in queue.lines(Choice(), 50)} == {forgotten, emptied}
    forget(any_store, forgotten, by="budi", reason="diminta", clock=clock)
    assert empty_old_texts(any_store, clock=clock) == 1
    assert queue.lines(Choice(), 50) == []
    assert queue.next_free(Choice(), "siti") is None


# Keeping time


@pytest.mark.parametrize(("days", "is_emptied"), [(364.9, False), (365, True), (900, True)])
@pytest.mark.parametrize("status", [Status.ROUTED, Status.DECIDED, Status.ASKED])
def test_a_closed_cases_text_is_kept_for_a_year_and_then_emptied(
    store: Store, status: Status, days: float, is_emptied: bool
) -> None:
    case_id = keep(store, make(status=status, closed_days_ago=days))
    assert empty_old_texts(store, clock=clock) == int(is_emptied)
    assert store.get(case_id).emptied_at == (NOW if is_emptied else None)
    assert words_in(store) == (set() if is_emptied else set(MARKERS) - {NOTE, REASON})


@pytest.mark.parametrize(
    ("confidentiality", "emptied"),
    [(Confidentiality.TERBUKA, 0), (Confidentiality.ANONIM, 0), (Confidentiality.RAHASIA, 1)],
)
def test_a_secret_cases_text_is_kept_for_three_months_only(
    store: Store, confidentiality: Confidentiality, emptied: int
) -> None:
    keep(store, replace(make(status=Status.DECIDED, closed_days_ago=90), confidentiality=confidentiality))
    assert empty_old_texts(store, clock=clock) == emptied


@pytest.mark.parametrize("confidentiality", Confidentiality)
def test_a_case_that_waits_or_was_sent_back_stays_whole_however_old_it_is(
    store: Store, confidentiality: Confidentiality
) -> None:
    waiting = keep(store, replace(make(1), confidentiality=confidentiality))
    returned = keep(store, replace(make(2, Status.ROUTED, closed_days_ago=800), confidentiality=confidentiality))
    store.give_back(returned, Return("dbmsda", f"Bukan kami, {REASON}", NOW - 700 * DAY, "key:1"))
    # Even if a time of closing were left behind.
    still_open = replace(make(3, closed_days_ago=800), confidentiality=confidentiality)
    keep(store, still_open)
    assert empty_old_texts(store, clock=clock) == 0
    assert all(TEXT in store.get(case_id).complaint.text for case_id in (waiting, returned, still_open.id))


def test_labels_times_and_figures_stay_when_the_words_go(any_store: Store) -> None:
    case_id = keep(any_store, make(status=Status.ROUTED, closed_days_ago=450))
    any_store.give_back(case_id, Return("dbmsda", f"Bukan kami, {REASON}", NOW - 440 * DAY, "key:1"))
    decide(any_store, case_id, NOW - 400 * DAY)
    before = any_store.get(case_id)
    assert words_in(any_store) == set(MARKERS)
    assert empty_old_texts(any_store, clock=clock) == 1
    after = any_store.get(case_id)
    assert words_in(any_store) == set()
    assert before.review is not None
    assert before.returned is not None
    assert after == replace(
        before,
        complaint=Complaint("", "", "", "kab-tangerang"),
        reporter="",
        emptied_at=NOW,
        answer=replace(ANSWER, detail=without_words(DETAIL)),
        review=replace(before.review, verdict=replace(before.review.verdict, note="")),
        returned=replace(before.returned, reason=""),
    )


def test_emptying_again_finds_nothing_and_moves_no_time(any_store: Store) -> None:
    case_id = keep(any_store, make(status=Status.DECIDED, closed_days_ago=400))
    assert empty_old_texts(any_store, clock=clock) == 1
    assert empty_old_texts(any_store, clock=lambda: NOW + DAY) == 0
    assert any_store.get(case_id).emptied_at == NOW


def test_many_cases_are_emptied_in_transactions_of_five_hundred(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [make(number, Status.DECIDED, closed_days_ago=400) for number in range(1, 1_102)]
    keep(store, *old, make(5_000, Status.DECIDED, closed_days_ago=10))
    pauses: list[float] = []
    monkeypatch.setattr(privacy.time, "sleep", pauses.append)
    assert empty_old_texts(store, clock=clock, pause=0.5) == 1_101
    assert pauses == [0.5, 0.5]
    with store.reading() as connection:
        told = [row.detail["cases"] for row in connection.execute(select(audit).order_by(audit.c.id))]
        kept = list(connection.scalars(select(cases.c.id).where(cases.c.text != "")))
    assert told == [500, 500, 101]
    assert kept == [str(UUID(int=5_000))]


def test_a_case_sent_back_while_others_are_emptied_is_left_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, *(make(number, Status.DECIDED, closed_days_ago=900 - number) for number in range(1, 502)))
    last = str(UUID(int=501))

    def send_back(_seconds: float) -> None:
        store.give_back(last, Return("dbmsda", "Bukan kami.", NOW, "key:1"))

    monkeypatch.setattr(privacy.time, "sleep", send_back)
    assert empty_old_texts(store, clock=clock) == 500
    assert TEXT in store.get(last).complaint.text


def test_of_an_answers_detail_only_what_is_known_to_hold_no_words_is_kept() -> None:
    kept = without_words(DETAIL | {"something-new": "isi laporan"})
    assert "something-new" not in kept
    assert not any(marker in repr(kept) for marker in MARKERS)
    assert kept["explanation"] == {"score": 2.0, "base": 0.5, "words": [], "others": 1.5}
    assert (kept["alternatives"], kept["similar"]) == (DETAIL["alternatives"], DETAIL["similar"])
    # An early version's answers had less, and some answers have no urgency, split or jurisdiction.
    assert without_words({"reasons": [], "jurisdiction": None}) == {"reasons": []}


# Forgetting at once


@pytest.mark.parametrize("status", [Status.ROUTED, Status.WAITING, Status.DECIDED])
def test_a_case_is_forgotten_whatever_its_state_and_then_waits_for_nobody(any_store: Store, status: Status) -> None:
    case_id = keep(any_store, make(status=status, closed_days_ago=None if status is Status.WAITING else 1))
    if status is not Status.DECIDED:
        any_store.claim(case_id, Claim("moderator:sri", NOW + DAY), NOW)
    closed_at = any_store.get(case_id).closed_at
    assert forget(any_store, case_id, by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    case = any_store.get(case_id)
    assert (case.status, case.emptied_at, case.closed_at) == (Status.FORGOTTEN, NOW, closed_at or NOW)
    assert (case.agency, case.urgency, case.intake_id, case.channel) == ("dbmsda", 2, "L-1", "WhatsApp")
    assert words_in(any_store) == set()
    assert any_store.waiting(10) == []
    assert any_store.claims_of([case_id], NOW) == {}
    with pytest.raises(AlreadyDecided):
        decide(any_store, case_id, NOW)


def test_an_unknown_case_cannot_be_forgotten_and_leaves_no_trace(store: Store) -> None:
    with pytest.raises(NoSuchCase, match="no case 'nobody'"):
        forget(store, "nobody", by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    assert looks_at(store, "nobody") == []


def test_forgetting_again_is_harmless_and_recorded_again(store: Store) -> None:
    case_id = keep(store, make())
    for days in (0, 5):
        assert forget(store, case_id, by="moderator:budi", reason="Ulang.", clock=lambda days=days: NOW + days * DAY)
    assert store.get(case_id).emptied_at == store.get(case_id).closed_at == NOW
    assert [entry.happened_at for entry in looks_at(store, case_id)] == [NOW, NOW + 5 * DAY]


def test_the_reason_for_forgetting_is_recorded_with_personal_data_masked(store: Store) -> None:
    case_id = keep(store, make())
    forget(store, case_id, by="moderator:budi", reason="Diminta lewat telepon 081234567890.", clock=clock)
    (entry,) = looks_at(store, case_id)
    assert (entry.actor, entry.action, entry.happened_at) == ("moderator:budi", Action.FORGET, NOW)
    assert entry.detail == {"reason": "Diminta lewat telepon [TELEPON]."}


def test_what_was_emptied_since_a_time_is_told_so_that_memory_lets_go_of_it(store: Store) -> None:
    old = keep(store, make(1, Status.DECIDED, closed_days_ago=400))
    keep(store, make(2))
    other = keep(store, make(3))
    empty_old_texts(store, clock=lambda: NOW - DAY)
    forget(store, other, by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    assert set(emptied_since(store, NOW - DAY)) == {old, other}
    assert emptied_since(store, NOW) == [other]
    assert emptied_since(store, NOW + DAY) == []


# On disk


def test_a_forgotten_cases_words_are_gone_from_the_bytes_on_disk(store: Store, database: Path) -> None:
    case_id = keep(store, make(status=Status.ROUTED, closed_days_ago=1))
    store.give_back(case_id, Return("dbmsda", f"Bukan kami, {REASON}", NOW, "key:1"))
    decide(store, case_id, NOW)
    assert raw_words(database) == set(MARKERS)
    assert forget(store, case_id, by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    assert raw_words(database) == set()


def test_emptied_words_are_gone_from_the_bytes_on_disk_even_where_rows_had_been_moved(
    store: Store, database: Path
) -> None:
    choose = random.Random(1)
    marked = {number: f"penanda{number:05d}z" for number in range(1, 301)}
    made = []
    for number, marker in marked.items():
        text = f"{marker} " + "kata " * choose.randint(3, 90)
        case = replace(make(number), agency=None, reporter=f"warga-{choose.random()}")
        made.append(replace(case, complaint=replace(case.complaint, text=text)))
    keep(store, *made)
    order = sorted(marked)
    choose.shuffle(order)
    # Rows that grow leave copies of their neighbours behind when SQLite shares pages out anew.
    for number in order:
        decide(store, str(UUID(int=number)), NOW - (10 if number % 10 == 0 else 400) * DAY)
    assert empty_old_texts(store, clock=clock, pause=0) == 270
    assert raw_words(database, marked.values()) == {marked[number] for number in range(10, 301, 10)}


def test_emptied_words_are_gone_from_a_file_too_large_to_be_rewritten_each_day(
    store: Store, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "_SMALL_FILE_BYTES", 0)
    # Long ones: what is written in the place of a short one would hide it by itself.
    long = Complaint(f"{TEXT} " + "kata " * 100, TITLE, LOCATION, "kab-tangerang")
    old = [make(number, Status.DECIDED, closed_days_ago=400) for number in range(1, 41)]
    keep(store, *(replace(case, complaint=long) for case in old))
    assert TEXT in raw_words(database)
    assert empty_old_texts(store, clock=clock) == 40
    assert raw_words(database) == set()


def test_a_real_answers_words_are_gone_with_the_complaints(triage: Triage, database: Path) -> None:
    words = ("ambruk", "pagelaran", "menyeberang", "kecebur")
    text = "Jembatan kayu di Kampung Pagelaran ambruk, anak sekolah menyeberang lalu kecebur ke kali."
    case = triage.receive(Intake(Complaint(text)))
    held = json.dumps(triage.store.get(case.id).answer.detail).lower()
    assert any(word in held for word in words)
    assert forget(triage.store, case.id, by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    left = triage.store.get(case.id)
    assert left.answer.detail == without_words(case.answer.detail)
    # Nothing of the answer's shape is lost, so that pages and the API show it as they show any other.
    assert left.answer.detail.keys() == case.answer.detail.keys()
    assert not any(word in json.dumps(left.answer.detail).lower() for word in words)
    raw = database.read_bytes().lower()
    assert not any(word.encode() in raw for word in words)


def test_a_reader_in_the_way_is_told_and_the_next_time_cleans_the_log(
    store: Store, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "_PATIENCE_SECONDS", 0.3)
    case_id = keep(store, make())
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM cases").fetchone()
    with store.reading() as connection:
        connection.connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
    assert not forget(store, case_id, by="moderator:budi", reason="Permintaan pelapor.", clock=clock)
    assert words_in(store) == set()
    assert TEXT in raw_words(database)
    reader.close()
    assert empty_old_texts(store, clock=clock) == 0
    assert raw_words(database) == set()


# A person's copy


def test_a_person_gets_every_case_of_theirs_with_offices_by_name_and_no_moderators(
    any_store: Store, tmp_path: Path
) -> None:
    mine, other = make(1, Status.ROUTED, closed_days_ago=5), replace(make(2), reporter="warga-lain")
    secret = replace(make(3), confidentiality=Confidentiality.RAHASIA, received_at=NOW - 3 * DAY, reporter=REPORTER)
    keep(any_store, mine, other, secret, replace(make(4), reporter=""))
    any_store.give_back(mine.id, Return("dbmsda", f"Bukan kami, {REASON}", NOW - 4 * DAY, "key:1"))
    decide(any_store, mine.id, NOW - 2 * DAY)
    path = tmp_path / "salinan.json"
    assert export_person(any_store, REPORTER, path, "moderator:sri", clock=clock) == 2
    whole = path.read_text(encoding="utf-8")
    told = json.loads(whole)
    first, second = told["laporan"]
    assert (told["pelapor"], told["dibuat"]) == (REPORTER, NOW.isoformat())
    assert (first["nomor"], second["nomor"]) == (mine.id, secret.id)
    assert (first["judul"], first["isi"], first["lokasi"]) == (
        mine.complaint.title,
        mine.complaint.text,
        mine.complaint.location,
    )
    assert (first["diterima"], first["status"]) == (mine.received_at.isoformat(), "sudah diputuskan")
    assert first["usulan_program"]["peluang"] == 0.831
    assert first["usulan_program"]["instansi"].startswith("Dinas Bina Marga")
    assert [verdict["urgensi"] for verdict in first["putusan"]] == ["darurat"]
    assert first["putusan"][0]["instansi"].startswith("Dinas Lingkungan Hidup")
    assert first["pengembalian"][0]["dikembalikan"] == (NOW - 4 * DAY).isoformat()
    assert second["kerahasiaan"] == "rahasia"
    for hidden in ("budi", "sri", "model-1", "key:1", NOTE, REASON, *WORDS_KEPT):
        assert hidden not in whole
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_case_of_a_copy_records_who_made_it(store: Store, tmp_path: Path) -> None:
    ids = [keep(store, make(number)) for number in (1, 2)]
    export_person(store, REPORTER, tmp_path / "salinan.json", "moderator:sri", clock=clock)
    for case_id in ids:
        (entry,) = looks_at(store, case_id)
        assert (entry.actor, entry.action, entry.detail) == ("moderator:sri", Action.EXPORT, {"cases": 2})


def test_no_copy_appears_where_it_cannot_be_recorded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, make())

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(person, "record", fail)
    folder = tmp_path / "salinan"
    with pytest.raises(RuntimeError):
        export_person(store, REPORTER, folder / "salinan.json", "moderator:sri", clock=clock)
    assert list(folder.iterdir()) == []


def test_a_copy_replaces_nothing_and_a_place_that_cannot_be_written_is_told(store: Store, tmp_path: Path) -> None:
    case_id = keep(store, make())
    path = tmp_path / "salinan.json"
    path.write_text("milik orang lain", encoding="utf-8")
    with pytest.raises(OutputExists):
        export_person(store, REPORTER, path, "moderator:sri", clock=clock)
    with pytest.raises(CannotWrite):
        export_person(store, REPORTER, path / "dalam.json", "moderator:sri", clock=clock)
    assert path.read_text(encoding="utf-8") == "milik orang lain"
    assert looks_at(store, case_id) == []


@pytest.mark.parametrize("reporter", ["warga-tak-dikenal", ""])
def test_an_unknown_or_empty_reporter_gets_no_file_and_isnt_repeated(
    store: Store, tmp_path: Path, reporter: str
) -> None:
    keep(store, replace(make(1), reporter=""), make(2))
    with pytest.raises(NoCases) as raised:
        export_person(store, reporter, tmp_path / "salinan.json", "moderator:sri", clock=clock)
    assert "warga" not in str(raised.value)
    assert not (tmp_path / "salinan.json").exists()
    assert list(cases_of(store, reporter)) == []


def test_one_reference_in_two_regions_may_be_two_people(store: Store, tmp_path: Path) -> None:
    here, there = make(1), make(2)
    keep(store, here, replace(there, complaint=replace(there.complaint, region="kab-bandung")))
    with pytest.raises(SeveralRegions, match="kab-bandung, kab-tangerang"):
        export_person(store, REPORTER, tmp_path / "salinan.json", "moderator:sri", clock=clock)
    path = tmp_path / "satu.json"
    assert export_person(store, REPORTER, path, "moderator:sri", region="kab-bandung", clock=clock) == 1
    assert json.loads(path.read_text(encoding="utf-8"))["laporan"][0]["nomor"] == there.id


def test_an_emptied_case_is_no_longer_anybodys(store: Store) -> None:
    keep(store, make(status=Status.DECIDED, closed_days_ago=400))
    empty_old_texts(store, clock=clock)
    assert list(cases_of(store, REPORTER)) == []


# The audit record


def test_looks_are_told_in_the_order_they_happened(any_store: Store) -> None:
    case_id = keep(any_store, make())
    record(any_store, "moderator:sri", Action.LOOK, case_id, {"page": "kasus"}, clock=clock)
    with any_store.writing() as connection:
        record(connection, "key:ab12cd34", Action.LOOK, case_id, clock=lambda: NOW + DAY)
    assert [(entry.actor, entry.action, entry.happened_at, entry.detail) for entry in looks_at(any_store, case_id)] == [
        ("moderator:sri", "look", NOW, {"page": "kasus"}),
        ("key:ab12cd34", "look", NOW + DAY, {}),
    ]
    assert looks_at(any_store, "another") == []


def test_a_look_recorded_in_a_transaction_that_fails_never_was(store: Store) -> None:
    def look_and_fail() -> None:
        with store.writing() as connection:
            record(connection, "moderator:sri", Action.LOOK, "x", clock=clock)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        look_and_fail()
    assert looks_at(store, "x") == []


def test_no_function_of_the_service_changes_or_deletes_a_line_of_the_audit_record() -> None:
    found, folder = [], Path(serving.__file__).parent
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("update", "delete", "_drop"):
                found += [f"{path.name}:{node.lineno}" for each in node.args if ast.unparse(each).endswith("audit")]
        lowered = source.lower()
        found += [path.name for statement in ("update audit", "delete from audit") if statement in lowered]
    assert found == []


# Old requests and sign-ins


def test_requests_are_dropped_after_seven_days_and_their_cases_stay(any_store: Store) -> None:
    for number, days in ((1, 7.01), (2, 6.99)):
        case = replace(make(number), created_at=NOW - days * DAY)
        any_store.add(Addition(case, (), (Identity("key:1", f"kunci-{number}"),), "f")).result(10)
    assert drop_old_requests(any_store, clock=clock) == 1
    assert drop_old_requests(any_store, clock=clock) == 0
    with any_store.reading() as connection:
        assert list(connection.scalars(select(requests.c.key))) == ["kunci-2"]
        assert connection.scalar(select(func.count()).select_from(cases)) == 2


def test_more_requests_than_one_transaction_takes_are_all_dropped(any_store: Store) -> None:
    identities = tuple(Identity("key:1", f"kunci-{number}") for number in range(1_203))
    any_store.add(Addition(make(), (), identities, "f")).result(10)
    assert drop_old_requests(any_store, clock=clock) == 1_203


def test_sign_ins_are_dropped_after_two_days(any_store: Store) -> None:
    with any_store.writing() as connection:
        person = {"name": "budi", "password_hash": "x", "scopes": [], "region": "", "must_change": False}
        connection.execute(insert(moderators), {**person, "created_at": NOW})
        for days in (1.9, 2.1):
            at = NOW - days * DAY
            line = {"token_hash": str(days), "moderator": "budi", "csrf": "x", "created_at": at, "used_at": at}
            connection.execute(insert(sessions), line)
    assert drop_old_sessions(any_store, clock=clock) == 1
    with any_store.reading() as connection:
        assert list(connection.scalars(select(sessions.c.token_hash))) == ["1.9"]
