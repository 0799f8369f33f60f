"""Wording: how pages name states, levels and reasons in Indonesian, and write numbers and times."""

from __future__ import annotations

from datetime import datetime, timedelta

from data.complaint import Confidentiality, Jurisdiction, Urgency
from data.region import Region, known_regions, load_region
from data.sectors import all_sectors, find_sector
from model.routing import REASON_TEXTS, Reason
from serving.case import LabelSource, Status
from serving.store import SENT_BACK
from serving.working_time import ZONE, working_days

NO_BREAK = "\N{NO-BREAK SPACE}"
STATUS_NAMES = {
    Status.ROUTED: "Diteruskan otomatis",
    Status.WAITING: "Menunggu putusan",
    Status.ASKED: "Ditunda, menunggu kelengkapan dari pelapor",
    Status.DECIDED: "Sudah diputuskan",
    Status.RETURNED: "Dikembalikan instansi",
    Status.FORGOTTEN: "Dihapus",
}
SOURCE_NAMES = {
    LabelSource.HUMAN_BLIND: "diputuskan tanpa melihat usulan",
    LabelSource.HUMAN_ACCEPTED: "usulan diterima",
    LabelSource.HUMAN_CORRECTED: "usulan dikoreksi",
}
CONFIDENTIALITY_NAMES = {
    Confidentiality.TERBUKA: "Terbuka",
    Confidentiality.ANONIM: "Anonim",
    Confidentiality.RAHASIA: "Rahasia",
}
JURISDICTION_TEXTS = {
    Jurisdiction.LOCAL: "Ada pada pemerintah daerah ini.",
    Jurisdiction.PROVINCE: "Tampaknya ada pada pemerintah provinsi.",
    Jurisdiction.CENTRAL: "Tampaknya ada pada pemerintah pusat.",
    Jurisdiction.PRIVATE: "Tampaknya tidak ada pada pemerintah, karena ini perkara swasta atau perorangan.",
    Jurisdiction.UNCLEAR: "Belum jelas siapa yang berwenang.",
}
# Why a case waits, in a few words, for lists and filters; `REASON_TEXTS` says it in a sentence.
SHORT_REASONS: dict[str, str] = {
    Reason.NOT_CONFIDENT: "Kurang yakin",
    Reason.NO_THRESHOLD: "Belum boleh otomatis",
    Reason.UNREADABLE: "Tidak terbaca",
    Reason.AREA_UNKNOWN: "Wilayah belum diketahui",
    Reason.AREA_AMBIGUOUS: "Wilayah rancu",
    Reason.OTHER_GOVERNMENT: "Mungkin bukan wewenang",
    Reason.UNCLEAR_GOVERNMENT: "Wewenang belum jelas",
    Reason.TWO_MATTERS: "Dua perkara",
    Reason.AGENCY_OFF: "Otomatis dimatikan",
    Reason.CONFIDENT: "Pemeriksaan acak",
    SENT_BACK: "Dikembalikan instansi",
}
SLOT_NAMES = {"place": "tempat", "object": "hal atau layanan yang dilaporkan", "problem": "masalahnya"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"]
# From which probability on a suggestion is called what.
_SURENESS = ((0.95, "hampir pasti"), (0.8, "sangat mungkin"), (0.6, "mungkin"), (0.4, "ragu-ragu"))


def percent(share: float) -> str:
    """A probability in per cent; never 100 or 0, which no model can know."""
    told = "lebih dari 99" if share > 0.99 else "kurang dari 1" if share < 0.01 else f"{share * 100:.0f}"
    return f"{told}{NO_BREAK}%"


def sureness(probability: float) -> str:
    """A suggestion's probability in a word."""
    return next((name for least, name in _SURENESS if probability >= least), "hanya dugaan")


def number(value: float, decimals: int = 0) -> str:
    """A number as Indonesian writes it: 1.234,5."""
    return f"{value:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


def clock(moment: datetime) -> str:
    """A time as people in western Indonesia read it: "24 Nov 2026 08.15 WIB"."""
    local = moment.astimezone(ZONE)
    return f"{day(moment)} {local:%H.%M} WIB"


def day(moment: datetime) -> str:
    """A day: "24 Nov 2026"."""
    local = moment.astimezone(ZONE)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def time_left(due_at: datetime, at: datetime) -> str:
    """What is left of a clock, in working time: "sisa 2 hari kerja", "terlambat 5 jam kerja"."""
    left = working_days(due_at) - working_days(at)
    # An hour is an eighth of a working day; what has begun counts.
    amount = f"{abs(left):.0f} hari kerja" if abs(left) >= 1 else f"{max(1, round(abs(left) * 8))} jam kerja"
    return f"terlambat {amount}" if at > due_at else f"sisa {amount}"


def ago(earlier: datetime, at: datetime) -> str:
    """How long ago, roughly: "baru saja", "3 jam lalu", "2 hari lalu"."""
    passed = max(at - earlier, timedelta())
    if passed < timedelta(minutes=2):
        return "baru saja"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} menit lalu"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} jam lalu"
    return f"{passed.days} hari lalu"


def urgency_name(level: int) -> str:
    """An urgency as moderators know it: "Rendah", "Sedang", "Tinggi", "Darurat"."""
    return Urgency(level).name.capitalize()


def agency_name(region: Region, code: str | None) -> str:
    """The agency's name; the code of one that the region file has dropped since."""
    if not code:
        return "Wilayah belum diketahui"
    office = region.all_agencies.get(code)
    return office.name if office else code


def sector_name(code: str) -> str:
    """The sector's name; the code of one that isn't known any more."""
    return find_sector(code).name if code in all_sectors() else code


def reason_text(code: str) -> str:
    """Why a case waits, in a sentence."""
    return REASON_TEXTS[Reason(code)] if code in set(Reason) else SHORT_REASONS.get(code, code)


def place_name(region: str) -> str:
    """A region's name; its code if it has no file any more, and all of them if it is empty."""
    return load_region(region).name if region in known_regions() else region or "Semua daerah"


def office_name(region: str, agency: str | None) -> str:
    """An agency's name; its code if the region's file doesn't know it any more, or there is no such file."""
    return (
        agency_name(load_region(region), agency) if region in known_regions() else agency or "Wilayah belum diketahui"
    )
