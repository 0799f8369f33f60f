"""One person's cases, as a copy for that person (UU 27/2022)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from data.complaint import Urgency
from data.errors import DisposisiError, OutputExists
from data.region import Region, load_region
from data.sectors import find_sector
from data.writing import whole_file
from serving.case import Clock, Kind, Status, now
from serving.privacy import Action, record
from serving.reasons import KIND_NAMES
from serving.store import Store
from serving.tables import answers, cases, returns, reviews

_STATUS = {
    Status.ROUTED: "diteruskan otomatis",
    Status.WAITING: "menunggu putusan",
    Status.ASKED: "menunggu kelengkapan dari pelapor",
    Status.DECIDED: "sudah diputuskan",
    Status.RETURNED: "dikembalikan instansi, menunggu putusan baru",
    Status.FORGOTTEN: "isinya sudah dihapus",
}
_NOTICE = (
    "Salinan data pribadi Anda menurut Undang-Undang Nomor 27 Tahun 2022. Isi laporan disalin sebagaimana tersimpan, "
    "yaitu dengan NIK, nomor telepon, dan data sejenis yang sudah disamarkan. Waktu ditulis dalam UTC (WIB dikurangi "
    "7 jam). Catatan petugas tidak disertakan karena dapat menyebut orang lain. Laporan yang isinya sudah dihapus "
    "tidak lagi terhubung dengan Anda, sehingga tidak tercantum."
)


class NoCases(DisposisiError):
    """A reporter's reference that no case has."""


class SeveralRegions(DisposisiError):
    """A reporter's reference that cases of several regions have: perhaps different people."""


def cases_of(store: Store, reporter: str, region: str = "") -> Iterator[dict[str, Any]]:
    """What is held of a reporter's cases, oldest first, for the reporter: plain JSON under Indonesian names.

    A reference is the intake's own: two regions may use the same one for different people. "" is every region.
    """
    # Cases without a reporter belong to nobody in particular.
    if not reporter:
        return
    query = select(cases, answers.c.sector, answers.c.probability, answers.c.agency.label("suggested"))
    query = query.add_columns(answers.c.urgency.label("suggested_urgency"))
    query = query.join(answers, answers.c.case_id == cases.c.id).where(cases.c.reporter == reporter)
    if region:
        query = query.where(cases.c.region == region)
    with store.reading() as connection:
        for case in connection.execute(query.order_by(cases.c.received_at, cases.c.id)).all():
            yield _told(case, *(_of_case(connection, table, case.id) for table in (reviews, returns)))


def export_person(store: Store, reporter: str, path: Path, by: str, *, region: str = "", clock: Clock = now) -> int:
    """Write a reporter's cases as a JSON file that only its owner reads, whole or not at all; tell how many they are.

    Each case's audit record names who exported it; without that no file appears. Raises `NoCases`, `SeveralRegions`
    unless a region is given, `OutputExists` and `CannotWrite`.
    """
    if path.exists():
        raise OutputExists(f"{path} is there already. Choose another name.")
    found = list(cases_of(store, reporter, region))
    if not found:
        raise NoCases("No case has that reporter. Give the reference that the intake system sent with the complaint.")
    regions = sorted({case["kode_daerah"] for case in found})
    if len(regions) > 1:
        raise SeveralRegions(
            f"Cases of {', '.join(regions)} have that reporter, and may be different people's. Name one region."
        )
    at = clock()
    told = {"keterangan": _NOTICE, "pelapor": reporter, "dibuat": at.isoformat(), "laporan": found}
    with whole_file(path) as handle:
        json.dump(told, handle, ensure_ascii=False, indent=2)
        handle.write("\n")
        with store.writing() as connection:
            for case in found:
                record(connection, by, Action.EXPORT, case["nomor"], {"cases": len(found)}, clock=clock)
    return len(found)


def _of_case(connection: Connection, table: Table, case_id: str) -> Sequence[Row[Any]]:
    return connection.execute(select(table).where(table.c.case_id == case_id).order_by(table.c.id)).all()


def _told(case: Row[Any], verdicts: Sequence[Row[Any]], sent_back: Sequence[Row[Any]]) -> dict[str, Any]:
    region = load_region(case.region)
    return {
        "nomor": case.id,
        "nomor_sistem_penerima": case.intake_id,
        "kode_daerah": region.code,
        "daerah": region.name,
        "judul": case.title,
        "isi": case.text,
        "lokasi": case.location,
        "kanal": case.channel,
        "kerahasiaan": case.confidentiality,
        "diterima": _time(case.received_at),
        "dicatat": _time(case.created_at),
        "status": _STATUS[Status(case.status)],
        "ditutup": _time(case.closed_at),
        "usulan_program": {
            "instansi": _agency(region, case.suggested),
            "sektor": find_sector(case.sector).name,
            "urgensi": _urgency(case.suggested_urgency),
            "peluang": round(case.probability, 3),
        },
        "putusan": [
            {
                "jenis": KIND_NAMES[Kind(verdict.kind)],
                "instansi": _agency(region, verdict.agency or None),
                "sektor": find_sector(verdict.sector).name if verdict.sector else None,
                "urgensi": _urgency(verdict.urgency),
                "diputuskan": _time(verdict.decided_at),
            }
            for verdict in verdicts
            if verdict.undone_at is None
        ],
        "pengembalian": [
            {"instansi": _agency(region, each.agency), "dikembalikan": _time(each.returned_at)} for each in sent_back
        ],
    }


def _agency(region: Region, code: str | None) -> str | None:
    """The agency's name; the code of one that the region file has dropped since."""
    office = region.all_agencies.get(code) if code else None
    return office.name if office else code


def _urgency(level: int | None) -> str | None:
    return None if level is None else Urgency(level).name.lower()


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
