"""What the desk hands to training: each reviewed case as one row that reads back, and none that must not be seen."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality, LabelledRow
from data.errors import BadRows
from data.region import load_region
from data.rows import read_rows
from model.bundle import Bundle
from serving.case import Kind, Part, Verdict
from serving.checks import CheckShares
from serving.export import reviewed_rows
from serving.triage import Intake, Triage
from tests.serving.conftest import REGION
from tests.serving.processes import run_disposisi

LONE_RETURN = "Got mampet\rdepan sekolah\rsejak Senin"


def take_in(client: TestClient, triage: Triage, text: str, **more: str) -> str:
    """The id of a case that came over the API and was decided."""
    created = client.post("/v1/complaints", json={"text": text, **more})
    assert created.status_code == 201, created.text
    case_id: str = created.json()["id"]
    triage.decide(case_id, Verdict("health", "dinkes", 1, "dibaca"))
    return case_id


def export(database: Path, out: Path) -> tuple[list[dict[str, str]], str]:
    """The rows that `rows export` wrote, and what it said on standard error."""
    done = run_disposisi("rows", "export", "--database", database, "--out", out)
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(StringIO(handle.read(), newline="")))
    assert f"{len(rows)} reviewed rows" in done.stdout
    return rows, done.stderr


def read_back(path: Path) -> list[LabelledRow]:
    read = read_rows([path], REGION)
    assert list(read.problems) == []
    return list(read.rows)


@pytest.mark.parametrize(
    "text",
    [
        LONE_RETURN,
        "\rGot mampet\r",
        "Got mampet\r\ndepan sekolah\nsejak\r\n\rSenin",
        'Got "mampet", depan; sekolah\r"sejak Senin"',
        "Got mampet\vdepan\fsekolah\x85sejak\u2028Senin\u2029pagi",
    ],
    ids=["lone-return", "return-at-the-ends", "mixed-line-ends", "quotes", "rare-line-ends"],
)
def test_a_text_with_any_line_end_is_one_row_again(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path, text: str
) -> None:
    case_id = take_in(client, triage, text, title="Got\rmampet", location="Desa\rGintung")
    take_in(client, triage, "Sampah menumpuk di pinggir kali")
    out = tmp_path / "reviewed.csv"
    rows, _ = export(database, out)
    assert [row["text"] for row in rows] == [triage.store.get(case_id).complaint.text, rows[1]["text"]]
    first, second = read_back(out)
    assert first.id == case_id
    assert first.complaint.text.split() == text.split()
    assert first.complaint.title.split() == ["Got", "mampet"]
    assert (first.sector, second.sector) == ("health", "health")


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_secret_cases_and_those_whose_text_was_emptied_are_left_out_and_counted(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path, blank: str
) -> None:
    kept = take_in(client, triage, "Got mampet depan sekolah", title="Got")
    take_in(client, triage, "Oknum menagih uang kecapung7491", confidentiality=Confidentiality.RAHASIA.value)
    emptied = take_in(client, triage, "Saya malu, hapus laporan kecapung7491", title="Hapus kecapung7491")
    titled = take_in(client, triage, "Isi yang dihapus kecapung7491", title="Lampu jalan mati")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE cases SET text = ?, title = ? WHERE id = ?", (blank, blank, emptied))
        connection.execute("UPDATE cases SET text = ? WHERE id = ?", (blank, titled))
    out = tmp_path / "reviewed.csv"
    rows, said = export(database, out)
    assert [row["id"] for row in rows] == [kept, titled]
    assert "2 cases were left out" in said
    assert "kecapung7491" not in out.read_text(encoding="utf-8")
    assert [row.complaint.title for row in read_back(out)] == ["Got", "Lampu jalan mati"]


def test_only_verdicts_that_name_the_agency_of_one_matter_are_exported(triage: Triage) -> None:
    kept = {}
    for kind, verdict in {
        "dispose": Verdict("health", "dinkes", 1),
        "refuse": Verdict("energy", "pln", 2, kind=Kind.REFUSE),
        "split": Verdict("health", "dinkes", 1, parts=(Part("environment", "dlhk", 1),)),
        "ask": Verdict("", "", 1, kind=Kind.ASK, reply="Di mana?"),
        "archive": Verdict("", "", 1, kind=Kind.ARCHIVE, reason="no-complaint"),
    }.items():
        kept[kind] = triage.receive(Intake(Complaint("got mampet di depan pasar"))).id
        triage.decide(kept[kind], verdict)
    copy = triage.receive(Intake(Complaint("got mampet di depan pasar"))).id
    triage.decide(copy, Verdict("", "", 1, kind=Kind.MERGE, merged_into=kept["dispose"]))
    rows, left_out = reviewed_rows(triage.store)
    assert [(row["id"], row["sector"]) for row in rows] == [(kept["dispose"], "health"), (kept["refuse"], "energy")]
    # Those that label nothing are no loss, and aren't told as left out.
    assert left_out == 0


def test_a_verdict_that_was_taken_back_is_not_exported(triage: Triage) -> None:
    case_id = triage.receive(Intake(Complaint("got mampet di depan pasar"))).id
    triage.decide(case_id, Verdict("health", "dinkes", 1), by="siti")
    triage.undo(case_id, by="siti")
    assert reviewed_rows(triage.store) == ([], 0)
    triage.decide(case_id, Verdict("public-works", "dbmsda", 2), by="siti")
    [row], _ = reviewed_rows(triage.store)
    assert (row["sector"], row["urgency"]) == ("public-works", 2)


def test_a_blind_verdict_is_exported_as_one(triage: Triage, bundle: Bundle) -> None:
    checking = Triage(bundle, REGION, triage.store, checks=CheckShares(blind=1.0))
    case_id = checking.receive(Intake(Complaint("got mampet di depan pasar"))).id
    checking.claim(case_id, by="siti")
    checking.decide(case_id, Verdict("health", "dinkes", 1), by="siti", claimed=True)
    [row], _ = reviewed_rows(triage.store)
    assert row["label_source"] == "human-blind"


def test_who_reports_an_anonymous_case_stays_out_of_the_export(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path
) -> None:
    text = "Saya Budi, tetangga Bapak Joko, melihat got mampet depan sekolah"
    take_in(client, triage, text, confidentiality=Confidentiality.ANONIM.value)
    out = tmp_path / "reviewed.csv"
    [row], _ = export(database, out)
    assert row["text"] == "Saya [NAMA], tetangga Bapak [NAMA], melihat got mampet depan sekolah"


def test_a_note_stays_out_of_the_export(client: TestClient, triage: Triage, database: Path, tmp_path: Path) -> None:
    take_in(client, triage, "Got mampet depan sekolah")
    out = tmp_path / "reviewed.csv"
    export(database, out)
    assert "dibaca" not in out.read_text(encoding="utf-8")


def test_an_exported_file_is_for_its_owner_only(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path
) -> None:
    take_in(client, triage, "Got mampet depan sekolah")
    out = tmp_path / "reviewed.csv"
    export(database, out)
    assert out.stat().st_mode & 0o777 == 0o600


def returned_case(triage: Triage, text: str, verdict: Verdict, agency: str = "") -> str:
    """The id of a case that was decided and that the agency sent back."""
    case_id = triage.receive(Intake(Complaint(text))).id
    triage.decide(case_id, verdict)
    triage.give_back(case_id, agency, "bukan kewenangan kami", by="dinas")
    return case_id


def test_what_an_agency_sent_back_has_no_label_but_says_whose_it_is_not(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path
) -> None:
    case_id = returned_case(triage, "got mampet di depan pasar", Verdict("health", "dinkes", 1))
    out = tmp_path / "reviewed.csv"
    [line], said = export(database, out)
    assert (line["label_source"], line["not_agency"], line["not_sector"]) == ("returned", "Dinas Kesehatan", "health")
    assert "1 of the rows were sent back and not decided since" in said
    [row] = read_back(out)
    assert (row.id, row.agency, row.sector, row.urgency) == (case_id, None, None, None)
    assert (row.not_agencies, row.not_sectors) == (("dinkes",), ("health",))


def test_a_verdict_after_the_return_labels_the_case_again(triage: Triage) -> None:
    case_id = returned_case(triage, "got mampet di depan pasar", Verdict("health", "dinkes", 1))
    triage.decide(case_id, Verdict("public-works", "dbmsda", 2))
    [row], _ = reviewed_rows(triage.store)
    assert (row["label_source"], row["sector"], row["not_agency"]) == (
        "human-corrected",
        "public-works",
        "Dinas Kesehatan",
    )
    triage.give_back(case_id, "", "", by="dinas")
    [row], _ = reviewed_rows(triage.store)
    works = load_region(REGION).all_agencies["dbmsda"]
    assert (row["label_source"], row["sector"]) == ("returned", "")
    assert row["not_agency"] == f"Dinas Kesehatan; {works.name}"
    assert row["not_sector"] == "; ".join(["health", *works.sectors])


def test_who_decides_again_for_the_same_agency_overrules_its_return(triage: Triage) -> None:
    case_id = returned_case(triage, "got mampet di depan pasar", Verdict("health", "dinkes", 1))
    triage.decide(case_id, Verdict("health", "dinkes", 1))
    [row], _ = reviewed_rows(triage.store)
    assert (row["sector"], row["not_agency"], row["not_sector"]) == ("health", "", "")


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("", "", 1, kind=Kind.ASK, reply="Di mana?"),
        Verdict("", "", 1, kind=Kind.ARCHIVE, reason="no-complaint"),
    ],
    ids=["ask", "archive"],
)
def test_a_later_verdict_that_names_no_agency_leaves_what_the_return_says(triage: Triage, verdict: Verdict) -> None:
    case_id = returned_case(triage, "got mampet di depan pasar", Verdict("health", "dinkes", 1))
    triage.decide(case_id, verdict)
    [row], _ = reviewed_rows(triage.store)
    assert (row["label_source"], row["sector"], row["not_sector"]) == ("returned", "", "health")


def test_a_returned_copy_that_was_merged_counts_once_by_its_original(triage: Triage) -> None:
    original = triage.receive(Intake(Complaint("got mampet di depan pasar"))).id
    triage.decide(original, Verdict("environment", "dlhk", 1))
    copy = returned_case(triage, "got mampet di depan pasar", Verdict("health", "dinkes", 1))
    triage.decide(copy, Verdict("", "", 1, kind=Kind.MERGE, merged_into=original))
    rows, _ = reviewed_rows(triage.store)
    assert [row["id"] for row in rows] == [original]


def test_an_area_office_that_sends_a_case_back_rules_out_no_sector(triage: Triage) -> None:
    returned_case(triage, "KTP belum jadi", Verdict("district-office", "district-office:36.03.33", 1))
    [row], _ = reviewed_rows(triage.store)
    assert row["not_agency"] == load_region(REGION).all_agencies["district-office:36.03.33"].name
    assert (row["not_sector"], row["sector"], row["area"]) == ("", "", "")


def test_a_secret_return_is_left_out_and_counted(triage: Triage) -> None:
    case_id = triage.receive(Intake(Complaint("oknum menagih"), confidentiality=Confidentiality.RAHASIA)).id
    triage.decide(case_id, Verdict("health", "dinkes", 1))
    triage.give_back(case_id, "", "", by="dinas")
    assert reviewed_rows(triage.store) == ([], 1)


def test_a_return_of_a_case_that_was_routed_alone_is_exported(bold_bundle: Bundle, triage: Triage) -> None:
    case = Triage(bold_bundle, REGION, triage.store).receive(Intake(Complaint("obat puskesmas habis")))
    triage.give_back(case.id, "", "", by="dinas")
    [row], _ = reviewed_rows(triage.store)
    assert (row["id"], row["label_source"], row["not_sector"]) == (case.id, "returned", "health")


def test_the_programs_own_answers_are_exported_only_if_asked_for(
    bold_bundle: Bundle, triage: Triage, database: Path, tmp_path: Path
) -> None:
    bold = Triage(bold_bundle, REGION, triage.store)
    alone = bold.receive(Intake(Complaint("obat puskesmas habis")))
    bold.receive(Intake(Complaint("oknum puskesmas menagih"), confidentiality=Confidentiality.RAHASIA))
    waits = triage.receive(Intake(Complaint("lampu jalan padam"))).id
    seen = bold.receive(Intake(Complaint("dokter puskesmas tidak ada"))).id
    triage.decide(seen, Verdict("health", "dinkes", 1))
    assert [row["id"] for row in reviewed_rows(triage.store)[0]] == [seen]
    rows, left_out = reviewed_rows(triage.store, with_machine=True)
    assert [(row["id"], row["label_source"]) for row in rows if row["id"] != seen] == [(alone.id, "machine")]
    assert waits not in [row["id"] for row in rows]
    assert left_out == 1
    out = tmp_path / "all.csv"
    done = run_disposisi("rows", "export", "--with-machine", "--database", database, "--out", out)
    assert done.stdout == f"1 reviewed rows are in {out}\n"
    assert "1 more rows are the program's own answers (machine): they are never trained on." in done.stderr
    read = {row.id: row for row in read_back(out)}
    assert (read[alone.id].label_source, read[alone.id].sector) == ("machine", alone.answer.sector)


def test_an_agency_or_sector_that_nobody_knows_in_what_rules_out_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,text,not_agency,not_sector\na,Got mampet,Dinas Kesehatan; Dinas Sihir,health;magic\n")
    with pytest.raises(BadRows) as raised:
        read_rows([path], REGION)
    assert [(problem.row, problem.column) for problem in raised.value.problems] == [
        (2, "not_agency"),
        (2, "not_sector"),
    ]
