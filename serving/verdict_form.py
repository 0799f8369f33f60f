"""The verdict's form: what a moderator sent, read into a verdict, or all that is wrong with it, in Indonesian."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from data.complaint import Jurisdiction, Urgency
from data.region import Agency, Region
from serving.case import Answer, Kind, Part, Verdict
from serving.reasons import Archiving, Correction
from serving.wording import sector_name

LONGEST_NOTE = 2_000
FURTHER_PARTS = 2
OTHER_CHOICE = "lain"
KIND_VALUES = {
    "disposisi": Kind.DISPOSE,
    "tunda": Kind.ASK,
    "bukan-wewenang": Kind.REFUSE,
    "arsip": Kind.ARCHIVE,
    "gabung": Kind.MERGE,
}
_LONGEST_NAME = 200
_REFERRAL = "Terima kasih atas laporan Anda. Perkara ini menjadi wewenang {}, jadi laporan Anda kami rujuk ke sana."


@dataclass(frozen=True)
class SentForm:
    """What the form holds: the suggestion at first, what was sent when it comes back. Names are those of its fields."""

    jenis: str = "disposisi"
    pilihan: str = ""
    instansi_lain: str = ""
    urgensi: str = ""
    alasan: str = ""
    pecah1: str = ""
    pecah2: str = ""
    urgensi_pecah1: str = "1"
    urgensi_pecah2: str = "1"
    pertanyaan: str = ""
    kepada: str = ""
    rujukan: str = ""
    alasan_arsip: str = ""
    gabung_dengan: str = ""
    gabung_lain: str = ""
    catatan: str = ""

    @property
    def typed(self) -> str:
        """The words of this verdict that were written by hand, which nobody should have to write twice."""
        reply = {"tunda": self.pertanyaan, "bukan-wewenang": self.rujukan}.get(self.jenis, "")
        return "\n\n".join(words for words in (reply, self.catatan) if words)


@dataclass(frozen=True)
class Office:
    """An agency for one of the sectors it answers for; `label` is what is typed and shown for it."""

    value: str
    label: str
    agency: Agency
    sector: str


def read_form(fields: Mapping[str, str]) -> SentForm:
    """The form as it was sent: line ends as the browser counted them, no control characters, nothing cut off."""
    return SentForm(**{name: _plain(fields[name]) for name in SentForm.__annotations__ if name in fields})


def parse_verdict(region: Region, answer: Answer, sent: SentForm, *, blind: bool) -> tuple[Verdict | None, list[str]]:
    """The verdict that a form holds, or what is wrong with it, all of it.

    A case to merge into is given as it was written; who has a store finds out which it is.
    """
    problems: list[str] = []
    kind = KIND_VALUES.get(sent.jenis)
    if kind is None:
        problems.append("Pilih jenis putusan.")
    for label, words in (("Catatan", sent.catatan), ("Pertanyaan", sent.pertanyaan), ("Rujukan", sent.rujukan)):
        if len(words) > LONGEST_NOTE:
            problems.append(f"{label} paling panjang {LONGEST_NOTE} huruf; yang dikirim {len(words)}.")
    verdict = None
    if kind is Kind.DISPOSE:
        verdict = _dispose(region, answer, sent, problems, blind=blind)
    elif kind is Kind.REFUSE:
        verdict = _refuse(region, sent, problems)
    elif kind is not None:
        verdict = _without_agency(kind, answer, sent, problems)
    return (None, problems) if problems else (verdict, [])


@lru_cache(maxsize=32)  # a page asks five times, and a region has some hundreds of them
def all_offices(region: Region) -> tuple[Office, ...]:
    """Every sector with the agency that answers for it, then every area's office; no two have one label."""
    named = Counter(agency.name for agency in region.all_agencies.values())
    return tuple(
        Office(f"{agency.code}/{sector}", f"{name}: {sector_name(sector)}", agency, sector)
        for agency in region.all_agencies.values()
        for name in [_name_with_district(region, agency) if named[agency.name] > 1 else agency.name]
        for sector in agency.sectors or ((agency.label_sector,) if agency.label_sector else ())
    )


def _name_with_district(region: Region, agency: Agency) -> str:
    """What tells a village from another of the same name."""
    area = region.area_of_agency(agency.code)
    district = region.areas_by_code.get(area.parent) if area else None
    return f"{agency.name}, {district.full_name}" if district else agency.name


def _dispose(region: Region, answer: Answer, sent: SentForm, problems: list[str], *, blind: bool) -> Verdict:
    offices = all_offices(region)
    office = None
    if sent.pilihan == OTHER_CHOICE:
        office = _named(offices, sent.instansi_lain, "instansi", problems)
    elif sent.instansi_lain:
        problems.append("Instansi lain terisi, tetapi yang dipilih di atasnya: kosongkan, atau pilih “Instansi lain”.")
    else:
        office = next((each for each in offices if each.value == sent.pilihan), None)
        if office is None:
            problems.append("Pilih instansi yang harus menjawab.")
    urgency = _urgency(sent.urgensi, problems)
    parts = []
    for written, level in ((sent.pecah1, sent.urgensi_pecah1), (sent.pecah2, sent.urgensi_pecah2)):
        part = _named(offices, written, "instansi untuk perkara lain", problems) if written else None
        if part:
            parts.append(Part(part.sector, part.agency.code, _urgency(level, problems)))
    if sent.alasan and sent.alasan not in set(Correction):
        problems.append("Pilih alasan koreksi dari daftar.")
    if office is None:
        return Verdict("", "", urgency)
    agencies = [office.agency.code, *(part.agency for part in parts)]
    if len(set(agencies)) < len(agencies):
        problems.append("Perkara yang dipecah harus untuk instansi yang berbeda.")
    reason = "" if blind else _correction(answer, office, urgency, sent.alasan)
    return Verdict(office.sector, office.agency.code, urgency, sent.catatan, parts=tuple(parts), reason=reason)


def _correction(answer: Answer, office: Office, urgency: int, told: str) -> str:
    """Why it isn't what was suggested, as the moderator told or as the difference itself says; "" if it is."""
    if (answer.sector, answer.agency) == (office.sector, office.agency.code):
        if urgency == answer.urgency:
            return ""
        return told or Correction.OTHER_URGENCY
    if told:
        return told
    if office.agency.level is not Jurisdiction.LOCAL:
        return Correction.OTHER_GOVERNMENT
    return Correction.OTHER_AREA if office.sector == answer.sector else Correction.OTHER_MATTER


def _refuse(region: Region, sent: SentForm, problems: list[str]) -> Verdict:
    others = [office for office in all_offices(region) if office.agency.level is not Jurisdiction.LOCAL]
    office = _named(others, sent.kepada, "instansi pemerintah lain", problems)
    if office is None:
        return Verdict("", "", 0)
    reply = sent.rujukan or _REFERRAL.format(office.agency.name)
    urgency = int(sent.urgensi) if sent.urgensi in _levels() else int(Urgency.SEDANG)
    return Verdict(office.sector, office.agency.code, urgency, sent.catatan, Kind.REFUSE, reply=reply)


def _without_agency(kind: Kind, answer: Answer, sent: SentForm, problems: list[str]) -> Verdict:
    reason = reply = merged_into = ""
    if kind is Kind.ASK:
        reply = sent.pertanyaan
        if not reply:
            problems.append("Isi pertanyaan untuk pelapor.")
    elif kind is Kind.ARCHIVE:
        reason = sent.alasan_arsip
        if reason not in set(Archiving):
            problems.append("Pilih alasan mengarsipkan.")
    else:
        merged_into = sent.gabung_lain or sent.gabung_dengan
        if not merged_into:
            problems.append("Pilih laporan untuk digabungkan, atau isi nomornya.")
    urgency = int(Urgency.SEDANG) if answer.urgency is None else answer.urgency
    return Verdict("", "", urgency, sent.catatan, kind, reason=reason, reply=reply, merged_into=merged_into)


def _named(offices: Sequence[Office], written: str, what: str, problems: list[str]) -> Office | None:
    """The office of a label, or the only one of that name, or the only one whose label holds what was written."""
    wanted = " ".join(written.split()).casefold()
    if not wanted:
        problems.append(f"Isi {what}.")
        return None
    labels = {office.label.casefold(): office for office in offices}
    if wanted in labels:
        return labels[wanted]
    found = [office for label, office in labels.items() if label.startswith(f"{wanted}: ")]
    found = found or [office for label, office in labels.items() if wanted in label]
    if len(found) == 1:
        return found[0]
    near = [office.label for office in found[:3]] or [
        labels[label].label for label in get_close_matches(wanted[:_LONGEST_NAME], labels, 3, 0.5)
    ]
    name = f"“{written[:_LONGEST_NAME]}”"
    if found:
        problems.append(f"Ada beberapa {what} yang cocok dengan {name}: {'; '.join(near)}. Pilih satu dari daftar.")
    else:
        advice = f"Mungkin: {'; '.join(near)}." if near else "Ketik sebagian namanya, lalu pilih dari daftar."
        problems.append(f"Tidak ada {what} bernama {name}. {advice}")
    return None


def _urgency(written: str, problems: list[str]) -> int:
    if written in _levels():
        return int(written)
    if "Pilih tingkat urgensi." not in problems:
        problems.append("Pilih tingkat urgensi.")
    return int(Urgency.SEDANG)


def _levels() -> set[str]:
    return {str(int(level)) for level in Urgency}


def _plain(words: str) -> str:
    whole = words.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", " ", whole).strip()
