"""The report of a comparison: a page in Indonesian for whoever decides, and its numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from data.region import load_region
from data.sectors import all_sectors
from data.writing import whole_folder
from training.comparison import AGENCY, EMERGENCIES, LEAST_TOLD, SENTENCES, URGENT_SENTENCES, Comparison
from training.gate import ACCURACY, ALONE, COVERAGE, MACRO_F1, PRECISION, RECALL, SLICE
from training.pages import page_of

PAGE, NUMBERS = "index.html", "comparison.json"
_TITLES = {
    ACCURACY: "Sektor benar",
    MACRO_F1: "Rata-rata antarsektor (macro-F1)",
    COVERAGE: "Bisa diteruskan sendiri dengan janji itu",
    ALONE: "Diteruskan sendiri (hanya ditunjukkan)",
    PRECISION: "Dari yang diteruskan sendiri, benar (sampai sebesar janji)",
    EMERGENCIES: "Darurat yang dikenali",
    SENTENCES: "Kalimat uji: sektor benar",
    URGENT_SENTENCES: "Kalimat uji: darurat yang dikenali",
    "speed": "Waktu untuk satu laporan (ms)",
    "size": "Besar berkas model (MB)",
}
_LANGUAGES = {
    "indonesian": "bahasa Indonesia",
    "javanese": "campur bahasa Jawa",
    "sundanese": "campur bahasa Sunda",
    "betawi": "campur bahasa Betawi",
    "minangkabau": "campur bahasa Minangkabau",
    "balinese": "campur bahasa Bali",
}


def write_comparison(comparison: Comparison, folder: Path, *, made_on: str) -> None:
    """Write page and numbers to a new folder, whole or not at all. Raises `OutputExists`, `CannotWrite`."""
    page = comparison_html(comparison, made_on)
    numbers = json.dumps(comparison.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    with whole_folder(folder) as aside:
        for name, text in ((PAGE, page), (NUMBERS, numbers)):
            (aside / name).write_text(text + "\n", encoding="utf-8")


def comparison_html(comparison: Comparison, made_on: str) -> str:
    """The page, whole in itself: nothing is fetched, and no citizen's text is in it."""
    agencies = _agency_names(comparison)
    filters = {"number": _number, "signed": _signed, "title": lambda name: _title(name, agencies)}
    few = too_few_in_words(comparison) if comparison.is_too_few else ""
    region = load_region(comparison.region).name
    return page_of("comparison.html", filters, comparison=comparison, region=region, made_on=made_on, few=few)


def refusals_in_words(comparison: Comparison) -> list[str]:
    """What `comparison.refusals` says, in Indonesian, for whoever decides on the page Model."""
    agencies = _agency_names(comparison)
    told = [
        f"{_title(each.name, agencies)}: {_number(each.champion)} menjadi {_number(each.challenger)} (selisih "
        f"{_signed(each.difference)}; rentang 95 % {_signed(each.low)} sampai {_signed(each.high)}; {each.rows} baris)"
        for each in comparison.verdicts
        if each.refused
    ]
    told += [
        f"{_title(each.name, agencies)}: {_number(each.champion, 2)} menjadi {_number(each.challenger, 2)}, "
        f"{_number(each.challenger / each.champion, 2)} kali; batasnya {_number(each.limit, 1)} kali"
        for each in comparison.costs
        if each.refused
    ]
    return told + ([too_few_in_words(comparison)] if comparison.is_too_few else [])


def too_few_in_words(comparison: Comparison) -> str:
    """That the rows can't tell, in Indonesian."""
    return (
        f"Laporannya terlalu sedikit: dengan {_number(comparison.rows, 0)} laporan belum bisa dipastikan bahwa "
        f"ketepatan tidak turun {_number(100 * comparison.possible_fall, 1)} angka persen (paling banyak "
        f"{_number(100 * LEAST_TOLD, 0)}). Bandingkan pada lebih banyak laporan."
    )


def _agency_names(comparison: Comparison) -> dict[str, str]:
    return {agency.code: agency.name for agency in load_region(comparison.region).agencies}


def _title(name: str, agencies: dict[str, str]) -> str:
    """A figure's name in Indonesian."""
    for prefix, told in ((RECALL, "Ditemukan: "), (AGENCY, "Sampai di: "), (SLICE, "Bagian: ")):
        if name.startswith(prefix):
            of = name.removeprefix(prefix)
            sector = all_sectors().get(of)
            return told + (sector.name if sector else agencies.get(of) or _part(of))
    return _TITLES[name]


def _part(name: str) -> str:
    """A slice's name: of a way of being alike, and a value."""
    kind, _, value = name.partition(" ")
    if kind == "region":
        return f"daerah {value}"
    return _LANGUAGES.get(value, value)


def _number(value: float, digits: int = 3) -> str:
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def _signed(value: float, digits: int = 3) -> str:
    return f"{value:+,.{digits}f}".translate(str.maketrans(",.", ".,")).replace("-", "\u2212")
