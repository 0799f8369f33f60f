"""Matters: where a complaint's text is cut, what that costs, and when two matters are seen in it."""

from __future__ import annotations

import pytest

from data.complaint import Complaint
from model.matters import LIKELY_FROM, SURE_FROM, TwoMatters, find_two_matters
from model.prediction import Prediction, Ranked

ROAD = "aspal jalan kampung kami sudah lama berlubang"
CLINIC = "antrean obat di klinik desa selalu panjang"
UNSURE = Prediction((Ranked("public-works", 0.5), Ranked("health", 0.5)))


class Readers:
    """A model that is sure of what a text speaks of by one word, and that remembers what it was asked."""

    def __init__(self, sure: float = 0.95) -> None:
        self.sure = sure
        self.asked: list[Complaint] = []

    def find_surest(self, complaint: Complaint) -> Ranked:
        self.asked.append(complaint)
        text = complaint.text
        sector = {(True, False): "public-works", (False, True): "health"}.get(("aspal" in text, "obat" in text))
        return Ranked(sector, self.sure) if sector else UNSURE.sector


def find(text: str, readers: Readers | None = None, whole: Prediction = UNSURE, title: str = "") -> TwoMatters | None:
    return find_two_matters(Complaint(text, title, "Desa Klebet"), whole, (readers or Readers()).find_surest)


@pytest.mark.parametrize(
    ("between", "second"),
    [
        (". ", CLINIC),
        ("! ", CLINIC),
        ("...  ", CLINIC),
        ("\n", CLINIC),
        ("\n\n ", CLINIC),
        ("; ", CLINIC),
        (" ", f"2. {CLINIC}"),
        (" ", f"(2) {CLINIC}"),
        (" ", f"selain itu {CLINIC}"),
        (", ", f"Disamping itu {CLINIC}"),
        (" ", f"yg kedua {CLINIC}"),
        (" ", f"dan juga mohon {CLINIC}"),
    ],
)
def test_a_text_is_cut_where_another_matter_begins(between: str, second: str) -> None:
    found = find(ROAD + between + second)
    assert found is not None
    assert (found.first.label, found.second.label) == ("public-works", "health")
    assert found.texts[0].startswith(ROAD)
    assert found.texts[1].endswith(CLINIC)
    assert found.probability == pytest.approx(0.95 * 0.95)


@pytest.mark.parametrize("between", [" ", " dan ", ", ", " 2 ", " juga ", ".", " yang dulu "])
def test_a_text_of_one_sentence_is_never_cut(between: str) -> None:
    readers = Readers()
    assert find(f"{ROAD}{between}{CLINIC}", readers) is None
    assert readers.asked == []


def test_the_end_of_a_sentence_is_no_boundary_where_nothing_follows() -> None:
    for end in (".", ". ", "!!\n", " 2."):
        assert find(ROAD + end) is None


def test_a_whole_that_is_sure_of_one_sector_is_not_looked_into() -> None:
    readers = Readers()
    assert find(f"{ROAD}. {CLINIC}", readers, Prediction((Ranked("health", SURE_FROM + 0.01),))) is None
    assert readers.asked == []
    assert find(f"{ROAD}. {CLINIC}", readers, Prediction((Ranked("health", SURE_FROM),))) is not None


def test_two_sentences_of_one_sector_are_one_matter() -> None:
    assert find(f"{ROAD}. {ROAD}") is None


def test_halves_that_the_model_is_not_sure_enough_of_are_no_matters() -> None:
    just = LIKELY_FROM**0.5
    assert find(f"{ROAD}. {CLINIC}", Readers(just + 0.01)) is not None
    assert find(f"{ROAD}. {CLINIC}", Readers(just - 0.01)) is None


def test_the_other_half_is_not_read_where_the_first_is_too_unsure() -> None:
    readers = Readers(LIKELY_FROM - 0.01)
    assert find(f"{ROAD}. {CLINIC}", readers) is None
    assert [asked.text for asked in readers.asked] == [f"{ROAD}."]


def test_the_surest_cut_is_taken_and_each_half_keeps_place_and_region() -> None:
    readers = Readers()
    complaint = Complaint(f"{ROAD}. {ROAD}! {CLINIC}", location="Desa Klebet", region="kab-tangerang")
    found = find_two_matters(complaint, UNSURE, readers.find_surest)
    assert found is not None
    assert found.texts == (f"{ROAD}. {ROAD}!", CLINIC)
    assert {(asked.location, asked.region, asked.title) for asked in readers.asked} == {
        ("Desa Klebet", "kab-tangerang", "")
    }


def test_a_sentence_of_few_words_goes_with_the_one_before_it() -> None:
    found = find(f"{ROAD}. Mohon dibantu. {CLINIC}. Terima kasih.")
    assert found is not None
    assert found.texts == (f"{ROAD}. Mohon dibantu.", f"{CLINIC}. Terima kasih.")


def test_a_title_is_read_as_a_sentence_of_its_own() -> None:
    found = find(CLINIC, title=ROAD)
    assert found is not None
    assert found.texts == (ROAD, CLINIC)


@pytest.mark.parametrize("count", [3, 4, 5, 9, 300])
def test_a_long_text_is_cut_in_three_places_at_most_and_loses_nothing(count: int) -> None:
    readers, sentences = Readers(), [f"{ROAD} nomor {number}." for number in range(count)]
    find(" ".join(sentences), readers)
    assert len(readers.asked) == 2 * (min(count, 4) - 1)
    halves = [asked.text for asked in readers.asked]
    assert {" ".join(pair) for pair in zip(halves[::2], halves[1::2], strict=True)} == {" ".join(sentences)}


@pytest.mark.parametrize("run", [" " * 20_000, "." * 20_000, "a. " * 7_000, "\n \t" * 7_000, ". 2) " * 4_000])
def test_a_long_run_of_blanks_or_dots_is_read_once(run: str) -> None:
    """Tried from each of its characters anew, it would take minutes."""
    readers = Readers()
    find(f"{ROAD}{run}{CLINIC}", readers)
    assert len(readers.asked) <= 6


@pytest.mark.parametrize("text", ["", " ", ".", "2.", "selain itu", "🙏 🙏. 🙏"])
def test_texts_without_a_matter_are_answered(text: str) -> None:
    assert find(text) is None
