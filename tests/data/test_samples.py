"""The promises of the sample corpus: what a first training, the tests and the examples rely on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from data.complaint import Complaint, Jurisdiction, LabelledRow, Urgency
from data.region import fold_name, load_region
from data.sectors import AREA_SECTORS, all_sectors

ROOT = Path(__file__).parents[2]
RUN = 8
KNOWN_LANGUAGES = {"id", "su", "jv", "bew"}


def words_of(complaint: Complaint) -> list[str]:
    return re.findall(r"\w+", f"{complaint.title} {complaint.text}".casefold())


def test_it_holds_eight_hundred_rows_or_more(sample_rows: Sequence[LabelledRow]) -> None:
    assert len(sample_rows) >= 800


def test_every_sector_has_eight_rows_or_more(sample_rows: Sequence[LabelledRow]) -> None:
    counts = Counter(row.sector for row in sample_rows)
    assert {sector: counts[sector] for sector in all_sectors() if counts[sector] < 8} == {}


@pytest.mark.parametrize("urgency", Urgency)
def test_every_urgency_has_eighty_rows_or_more(urgency: Urgency, sample_rows: Sequence[LabelledRow]) -> None:
    assert sum(row.urgency == urgency for row in sample_rows) >= 80


@pytest.mark.parametrize("jurisdiction", [level for level in Jurisdiction if level is not Jurisdiction.UNCLEAR])
def test_every_government_occurs(jurisdiction: Jurisdiction, sample_rows: Sequence[LabelledRow]) -> None:
    assert any(row.jurisdiction is jurisdiction for row in sample_rows)


def test_every_row_carries_every_label(sample_rows: Sequence[LabelledRow]) -> None:
    missing = [
        row.id
        for row in sample_rows
        if None in (row.sector, row.urgency, row.jurisdiction, row.complete) or not row.language
    ]
    assert missing == []


def test_complete_and_incomplete_complaints_both_occur_often(sample_rows: Sequence[LabelledRow]) -> None:
    incomplete = sum(row.complete is False for row in sample_rows)
    assert 0.05 <= incomplete / len(sample_rows) <= 0.5


def test_a_tenth_is_mixed_with_other_languages(sample_rows: Sequence[LabelledRow]) -> None:
    mixed = sum(row.language != "id" for row in sample_rows)
    assert round(mixed / len(sample_rows), 1) >= 0.1


def test_the_languages_are_those_of_the_region(sample_rows: Sequence[LabelledRow]) -> None:
    assert {row.language for row in sample_rows} == KNOWN_LANGUAGES


def test_texts_are_as_short_and_as_long_as_real_ones(sample_rows: Sequence[LabelledRow]) -> None:
    lengths = [len(row.complaint.text.split()) for row in sample_rows]
    assert min(lengths) == 3
    assert 100 <= max(lengths) <= 160
    assert sum(length <= 10 for length in lengths) >= 20
    assert sum(length >= 60 for length in lengths) >= 20


def test_no_two_rows_share_a_run_of_eight_words(sample_rows: Sequence[LabelledRow]) -> None:
    owner: dict[tuple[str, ...], str] = {}
    shared = set()
    for row in sample_rows:
        words = words_of(row.complaint)
        for run in {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}:
            if owner.setdefault(run, row.id) != row.id:
                shared.add((owner[run], row.id))
    assert shared == set()


def test_no_two_rows_have_the_same_text(sample_rows: Sequence[LabelledRow]) -> None:
    counts = Counter(tuple(words_of(row.complaint)) for row in sample_rows)
    assert max(counts.values()) == 1


def test_ids_are_unique_and_of_one_form(sample_rows: Sequence[LabelledRow]) -> None:
    ids = [row.id for row in sample_rows]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"tng-\d{4}", row_id) for row_id in ids)


def test_every_row_is_of_kabupaten_tangerang(sample_rows: Sequence[LabelledRow]) -> None:
    assert {row.complaint.region for row in sample_rows} == {"kab-tangerang"}


def test_every_area_is_one_of_the_region(sample_rows: Sequence[LabelledRow]) -> None:
    known = {area.name for area in load_region("kab-tangerang").areas}
    named = {row.area for row in sample_rows if row.area}
    assert len(named) > 20
    assert named - known == set()


def test_the_area_of_an_area_office_is_of_its_kind(sample_rows: Sequence[LabelledRow]) -> None:
    region = load_region("kab-tangerang")
    placed = [row for row in sample_rows if row.area and row.sector in AREA_SECTORS]
    assert len(placed) >= 8
    wrong = []
    for row in placed:
        kinds = region.family_of_sector[str(row.sector)].kinds
        if not any(fold_name(area.name) == fold_name(row.area or "") and area.kind in kinds for area in region.areas):
            wrong.append(row.id)
    assert wrong == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("an ID number", r"\d{16}"),
        ("an ID number in groups", r"(?:\d{4}[ .-]){3}\d{4}"),
        ("a phone number", r"(?:\+?62|\b0)[ .-]?8\d{1,3}[ .-]?\d{3,4}[ .-]?\d{2,5}"),
        ("an e-mail address", r"[\w.+-]+@[\w-]+\.\w+"),
        ("a link", r"https?://|www\."),
    ],
)
def test_no_row_holds_personal_data(what: str, pattern: str, sample_rows: Sequence[LabelledRow]) -> None:
    found = [
        row.id
        for row in sample_rows
        if re.search(pattern, f"{row.complaint.title} {row.complaint.text} {row.complaint.location}")
    ]
    assert found == [], what


def test_hardly_any_row_opens_with_its_addressee(sample_rows: Sequence[LabelledRow]) -> None:
    # "Yth. Dinas ..." before the text gives the answer away; in a few rows people do write so.
    addressed = [row.id for row in sample_rows if re.match(r"\W*yth\b", row.complaint.text, re.IGNORECASE)]
    assert len(addressed) <= 0.01 * len(sample_rows)


def test_the_file_is_utf_8_without_byte_order_mark_and_ends_its_last_line() -> None:
    content = (ROOT / "data" / "samples" / "kab-tangerang.csv").read_bytes()
    assert content.startswith(b"id,")
    assert content.endswith(b"\n")
    assert b"\r" not in content
    assert b"\0" not in content
    content.decode("utf-8")
