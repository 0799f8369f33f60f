"""The word tables: how they are written, that they don't contradict each other, and that no entry harms a good word."""

from __future__ import annotations

import csv
import re
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from data.lexicon import FOLDER, LANGUAGES, TABLES, read_lines, read_stems, read_table
from data.region import fold_name, known_regions, load_region
from model.expansion import (
    affixes,
    ambiguous,
    expand_word,
    expansions,
    tell_apart,
    translate_affixes,
    translate_word,
    translations,
)
from model.normalising import split_units
from model.stemming import is_root, sastrawi_stem, stem
from model.text import ALL_STEPS
from tests.conftest import SHARED

OF_TWO_COLUMNS = (*TABLES, "units", "stems", "place_words")
LISTS_OF_WORDS = ("loan_verbs", "names_that_are_words", "not_affixed", "not_names")
LISTS = (*LISTS_OF_WORDS, "not_place_names", "place_names_that_are_words")
HEADERS = {
    **{table: ["form", "meaning"] for table in (*TABLES, "units")},
    "stems": ["word", "stem"],
    "ambiguous": ["form", "meaning", "previous", "following"],
    "affixes": ["language", "prefix", "suffix", "own_prefix", "own_suffix", "example", "expected"],
    # Their rules are held beside what reads them: tests/model/test_urgency, test_jurisdiction, test_completeness.
    "danger_signs": ["level", "within", "words", "unless", "reason"],
    "jurisdiction_cues": ["phrase", "level", "office", "body", "matter", "sectors", "strength"],
    "matter_words": ["stem", "kind"],
    "missing_questions": ["sector", "place_need", "place", "object", "problem"],
    "place_words": ["word", "kind"],
}
MEANING = re.compile(r"[a-z]+( [a-z]+)*")
# Forms that the treebanks have for something else: a retweet, an English "no", a letter's "PP". Complaints don't.
MEANS_ANOTHER_THING_IN_COMPLAINTS = {"rt", "pp", "km", "no", "ok", "nih"}
# Units of measure that stand after their number, and "SM" for the years before Christ.
READ_SO_WHERE_THEY_STAND_ALONE = {"cm", "sm"}


def lines_of(table: str) -> list[list[str]]:
    """A table's lines as they stand in the file, without the header."""
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))[1:]


def listed(name: str) -> list[str]:
    """A list's lines as they stand in the file, without comments."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


@cache
def all_forms() -> frozenset[str]:
    """Every form of every table, also those that the chain leaves alone."""
    return frozenset([*ambiguous(), *(form for table in TABLES for form in read_table(table))])


def stems_of(text: str) -> str:
    return " ".join(map(stem, text.split()))


@pytest.fixture(scope="module")
def gold() -> dict[str, set[str]]:
    """Form -> lemmas of the Indonesian treebanks."""
    path = SHARED / "reference" / "stemming" / "gold_ud.tsv"
    if not path.is_file():
        pytest.skip("the treebanks' lemmas (shared/reference/stemming beside the checkout) are not here")
    lemmas: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        _, form, lemma, *_ = line.split("\t")
        lemmas.setdefault(form.lower(), set()).add(lemma.lower())
    assert len(lemmas) > 5_000
    return lemmas


# How the files are written


def test_every_file_is_known_to_these_tests() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        *(f"{table}.csv" for table in HEADERS),
        *(f"{name}.txt" for name in LISTS),
    }


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_file_is_plain_text_in_unix_lines(path: Path) -> None:
    content = path.read_bytes()
    assert content.isascii()
    assert b"\r" not in content
    assert b"\t" not in content
    assert b"\n\n" not in content
    assert content.endswith(b"\n")


@pytest.mark.parametrize("table", HEADERS)
def test_a_table_has_its_header_and_fills_its_columns(table: str) -> None:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as handle:
        header, *lines = csv.reader(handle)
    assert header == HEADERS[table]
    assert [line for line in lines if len(line) != len(header)] == []
    assert [line for line in lines for cell in line if cell != " ".join(cell.split())] == []
    if len(header) == 2:
        assert [line for line in lines if not all(line)] == []


@pytest.mark.parametrize("table", OF_TWO_COLUMNS)
def test_a_table_is_sorted_and_has_no_form_twice(table: str) -> None:
    forms = [form for form, _ in lines_of(table)]
    assert [form for form, count in Counter(forms).items() if count > 1] == []
    assert forms == sorted(forms)
    assert len(read_table(table)) == len(forms)


def test_the_ambiguous_forms_are_sorted_with_their_readings_together() -> None:
    forms = [form for form, *_ in lines_of("ambiguous")]
    assert forms == sorted(forms)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_sorted_and_names_nothing_twice(name: str) -> None:
    assert listed(name) == sorted(set(listed(name)))
    assert read_lines(name) == set(listed(name))
    assert len(listed(name)) >= 20


@pytest.mark.parametrize("name", LISTS_OF_WORDS)
def test_a_list_of_words_holds_single_lower_case_words(name: str) -> None:
    assert [word for word in listed(name) if not re.fullmatch("[a-z]+", word)] == []


@pytest.mark.parametrize("table", [*TABLES, "ambiguous"])
def test_forms_are_single_words_of_letters_and_digits_with_meanings_in_lower_case_words(table: str) -> None:
    lines = lines_of(table)
    assert [form for form, *_ in lines if not re.fullmatch("[a-z0-9]+", form)] == []
    assert [(form, meaning) for form, meaning, *_ in lines if not MEANING.fullmatch(meaning)] == []
    # Told apart, a form may be itself: "bank nagari".
    assert table == "ambiguous" or [form for form, meaning, *_ in lines if form == meaning] == []


# Abbreviations and informal spellings


def test_there_are_fifteen_hundred_abbreviations_and_informal_spellings() -> None:
    assert len(read_table("abbreviations")) + len(read_table("informal")) >= 1_500
    assert len(expansions()) == len(read_table("abbreviations")) + len(read_table("informal"))


def test_every_abbreviation_and_informal_spelling_is_expanded_and_its_meaning_stays() -> None:
    expand = ALL_STEPS["expand"]
    wrong = [
        (form, meaning)
        for table in ("abbreviations", "informal")
        for form, meaning in lines_of(table)
        if expand_word(form) != meaning or expand(form) != meaning or expand(meaning) != meaning
    ]
    assert wrong == []


def test_no_form_is_in_two_of_abbreviations_informal_spellings_and_ambiguous_forms() -> None:
    forms = [*read_table("abbreviations"), *read_table("informal"), *ambiguous()]
    assert [form for form, count in Counter(forms).items() if count > 1] == []


def test_no_meaning_holds_a_form_of_any_table() -> None:
    lines = [(table, form, meaning) for table in (*TABLES, "ambiguous") for form, meaning, *_ in lines_of(table)]
    assert [line for line in lines if line[1] != line[2] and not all_forms().isdisjoint(line[2].split())] == []


def test_the_domain_goes_before_the_street() -> None:
    """What general slang lists have wrong for complaints."""
    expected = {
        "rt": "rukun tetangga",
        "pju": "penerangan jalan umum",
        "tpa": "tempat pembuangan akhir",
        "bansos": "bantuan sosial",
        "dishub": "dinas perhubungan",
        "yg": "yang",
    }
    assert {form: expand_word(form) for form in expected} == expected
    assert tell_apart(["kk"]) == ["kartu", "keluarga"]
    assert tell_apart(["tps"]) == ["tempat", "pembuangan", "sampah"]


@pytest.mark.parametrize("table", TABLES)
def test_no_entry_harms_a_word_of_the_treebanks(table: str, gold: dict[str, set[str]]) -> None:
    harmed = {
        form: meaning
        for form, meaning in lines_of(table)
        if form in gold and stems_of(meaning) not in gold[form] and form not in MEANS_ANOTHER_THING_IN_COMPLAINTS
    }
    assert harmed == {}


def test_ambiguous_forms_standing_alone_harm_no_word_of_the_treebanks(gold: dict[str, set[str]]) -> None:
    harmless = MEANS_ANOTHER_THING_IN_COMPLAINTS | READ_SO_WHERE_THEY_STAND_ALONE
    told = {form: " ".join(tell_apart([form])) for form in ambiguous().keys() & gold.keys() - harmless}
    assert len(told) >= 5
    assert {form: read for form, read in told.items() if stems_of(read) not in gold[form]} == {}


# Ambiguous forms


def readings() -> list[tuple[str, str, list[str], list[str]]]:
    """Form, meaning, and the words allowed before and after; a number where "#" stands."""
    return [
        (form, meaning, previous.replace("#", "12").split(), following.replace("#", "12").split())
        for form, meaning, previous, following in lines_of("ambiguous")
    ]


def test_neighbours_that_tell_a_form_apart_are_stems_and_no_forms() -> None:
    """A neighbour is looked up by its stem after the tables are through: it could never be found otherwise."""
    words = {word for _, _, *sides in readings() for side in sides for word in side if word.isalpha()}
    assert len(words) > 100
    assert {word for word in words if stem(word) != word} == set()
    assert words & all_forms() == set()


def test_neighbours_are_named_as_the_chain_shows_them() -> None:
    words = {word for _, _, *sides in readings() for side in sides for word in side}
    assert [word for word in words if not re.fullmatch("[a-z]+|12|_[a-z]+_", word)] == []


def test_every_reading_is_found_by_each_of_its_neighbours() -> None:
    wrong = []
    for form, meaning, previous, following in readings():
        for before, after in product(previous or [""], following or [""]):
            words = [word for word in (before, form, after) if word]
            # "kartu kk" is no "kartu kartu keluarga".
            said = meaning if meaning.startswith(f"{before} ") else f"{before} {meaning}"
            expected = f"{said} {after}".split()
            if tell_apart(words) != expected:
                wrong.append((words, tell_apart(words), expected))
    assert wrong == []


def test_a_form_with_no_reading_for_anything_stays_where_no_neighbour_tells() -> None:
    open_ended = {form for form, _, previous, following in readings() if not previous and not following}
    assert 0 < len(open_ended) < len(ambiguous())
    for form in ambiguous():
        assert (tell_apart(["qqq", form, "qqq"]) == ["qqq", form, "qqq"]) == (form not in open_ended), form


# Regional languages


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_two_hundred_and_fifty_words(language: str) -> None:
    assert len(read_table(language)) >= 250


def test_a_form_that_one_reading_is_given_for_is_translated_and_its_meaning_stays() -> None:
    translate = ALL_STEPS["translate"]
    told = {
        form: (meaning, translate_word(form), translate(meaning))
        for language in LANGUAGES
        for form, meaning in lines_of(language)
        if form in translations()
    }
    assert len(told) > 3_000
    assert {form: texts for form, texts in told.items() if len(set(texts)) > 1} == {}


def test_a_form_that_two_languages_read_differently_is_left_alone() -> None:
    meanings: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for form, meaning in lines_of(language):
            meanings.setdefault(form, set()).add(meaning)
    disputed = {form for form, found in meanings.items() if len(found) > 1}
    agreed = {form for form, found in meanings.items() if len(found) == 1}
    assert "sing" in disputed
    assert {form for form in disputed if translate_word(form) != form} == set()
    assert {form for form in disputed if form in expansions() or form in ambiguous()} == set()
    assert translations().keys() == agreed - expansions().keys() - ambiguous().keys()


def test_a_form_of_a_language_that_is_an_informal_spelling_too_is_read_as_that() -> None:
    both = {form for language in LANGUAGES for form in read_table(language)} & expansions().keys()
    assert both
    assert translations().keys() & both == set()


def test_no_form_of_a_language_is_a_word_of_a_places_name() -> None:
    """Such a name would be read as that word: "Tambak Wedi" as a pond of fear."""
    names = {word for name in spellings_of_areas() for word in name.split()}
    forms = {form for language in LANGUAGES for form in read_table(language)}
    assert forms & names == set()


def test_names_of_places_stay_where_their_words_are_told_apart() -> None:
    told = {name: " ".join(tell_apart(name.split())) for name in spellings_of_areas()}
    changed = {name: read for name, read in told.items() if read != name}
    assert changed == {"dr soetomo": "dokter soetomo", "dr sutomo": "dokter sutomo"}


# Affixes


@pytest.mark.parametrize("line", lines_of("affixes"), ids=lambda line: f"{line[0]} {line[1]}-{line[2]}")
def test_an_affix_translates_its_example(line: list[str]) -> None:
    language, prefix, suffix, own_prefix, _, example, expected = line
    assert language in LANGUAGES
    assert prefix or suffix
    assert example.startswith(prefix)
    assert example.endswith(suffix)
    assert translate_word(example) == translate_affixes(example) == expected
    assert expected.startswith(own_prefix)


def test_an_affix_stands_once() -> None:
    rules = [(prefix, suffix) for _, prefix, suffix, *_ in lines_of("affixes")]
    assert [rule for rule, count in Counter(rules).items() if count > 1] == []
    assert len(affixes()) == len(rules)


@pytest.mark.parametrize("verb", listed("loan_verbs"))
def test_a_loan_verb_takes_regional_affixes(verb: str) -> None:
    assert translate_word(f"{verb}ke") == f"{verb}kan"
    assert translate_word(f"di{verb}no") == translate_word(f"di{verb}keun") == f"di{verb}kan"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("lampune", "lampunya"), ("batune", "batune"), ("kayune", "kayune"), ("fotone", "fotone")],
)
def test_a_suffix_that_leaves_a_short_root_stays_and_no_shorter_one_is_taken_off(word: str, expected: str) -> None:
    """Not "batun-e", though "batun" is a root."""
    assert translate_word(word) == expected


def test_a_word_listed_as_not_affixed_would_lose_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    words = listed("not_affixed")
    assert {word: translate_word(word) for word in words if translate_word(word) != word} == {}
    # Only the core of such words: "benakno".
    cores = [word for word in words if is_root(word)]
    assert cores == ["benak"]
    assert [core for core in cores if translate_affixes(f"{core}no") != f"{core}no"] == []
    monkeypatch.setattr("model.expansion.read_lines", lambda name: set() if name == "not_affixed" else read_lines(name))
    assert [word for word in words if translate_affixes(f"{word}no" if word in cores else word) == word] == []
    assert [core for core in cores if translate_affixes(f"{core}ke") == f"{core}ke"] == []


def test_no_place_of_a_region_and_no_meaning_of_a_table_is_taken_for_a_word_with_an_affix() -> None:
    areas = [fold_name(area.name) for code in known_regions() for area in load_region(code).areas]
    meanings = [meaning for table in (*TABLES, "ambiguous") for _, meaning, *_ in lines_of(table)]
    plain = {word for text in (*areas, *meanings) for word in text.split()} - all_forms()
    assert {word: translate_word(word) for word in sorted(plain) if translate_word(word) != word} == {}


@pytest.mark.parametrize(("word", "meaning"), [("maning", "lagi"), ("ngalami", "mengalami")])
def test_a_short_form_is_no_core_of_a_word_with_an_affix(word: str, meaning: str) -> None:
    assert translate_word(expand_word(word)) in {word, meaning}


def test_no_affix_harms_a_word_of_the_treebanks(gold: dict[str, set[str]]) -> None:
    changed = {word: translate_affixes(word) for word in gold if translate_affixes(word) != word}
    assert {word: new for word, new in changed.items() if stems_of(new) not in gold[word]} == {}


# Stems


def test_every_mended_stem_differs_from_pysastrawis() -> None:
    lines = lines_of("stems")
    assert len(lines) >= 150
    assert [(word, mended) for word, mended in lines if sastrawi_stem(word) == mended] == []


def test_every_mended_stem_is_given_and_stays() -> None:
    wrong = [(word, mended) for word, mended in lines_of("stems") if stem(word) != mended or stem(mended) != mended]
    assert wrong == []


def test_no_mended_stem_is_mended_again() -> None:
    stems = read_stems()
    assert {word: mended for word, mended in stems.items() if stems.get(mended, mended) != mended} == {}


def test_the_stem_of_a_mended_word_with_an_ending_is_its_own_stem() -> None:
    """What PySastrawi leaves of "selainnya" is "selain", which the table has as "lain"."""
    endings = ("", "nya", "ku", "mu", "lah", "kah", "pun")
    words = {f"{word}{ending}" for word in read_stems() for ending in endings}
    assert {word: stem(word) for word in words if stem(stem(word)) != stem(word)} == {}


def test_mended_stems_are_single_lower_case_words() -> None:
    lines = lines_of("stems")
    assert [word for word, _ in lines if not re.fullmatch("[a-z]+(-[a-z]+)*", word)] == []
    assert [mended for _, mended in lines if not re.fullmatch("[a-z]+(-[a-z]+)*", mended)] == []


def test_mended_stems_agree_with_the_treebanks_ten_times_as_often_as_they_part_from_them(
    gold: dict[str, set[str]],
) -> None:
    known = {word: mended for word, mended in read_stems().items() if word in gold}
    mended_rightly = [word for word, mended in known.items() if mended in gold[word]]
    spoilt = [word for word in known.keys() - set(mended_rightly) if sastrawi_stem(word) in gold[word]]
    assert len(mended_rightly) > 100
    assert len(spoilt) < len(mended_rightly) / 10


def test_the_worst_stems_for_complaints_are_mended() -> None:
    expected = {"kerusakan": "rusak", "penarikan": "tarik", "dikurangi": "kurang"}
    assert {word: stem(word) for word in expected} == expected
    assert all(sastrawi_stem(word) != right for word, right in expected.items())


# Units


@pytest.mark.parametrize(("form", "meaning"), lines_of("units"))
def test_an_amount_is_parted_from_its_unit(form: str, meaning: str) -> None:
    assert MEANING.fullmatch(meaning)
    assert split_units(f"5{form}") == f"5 {meaning}"
    assert split_units(f"1500{form}") == f"1500 {meaning}"
    assert form == meaning or expand_word(meaning) == translate_word(meaning) == meaning


# Names


def test_no_word_is_a_name_and_never_a_name() -> None:
    assert read_lines("names_that_are_words") & read_lines("not_names") == set()


def spellings_of_areas() -> set[str]:
    """Every spelling the finder of areas compares with: names, aliases, and names written as one word."""
    areas = [area for code in known_regions() for area in load_region(code).areas]
    folded = {fold_name(spelling) for area in areas for spelling in (area.name, *area.aliases)}
    return folded | {fold_name(area.name).replace(" ", "") for area in areas}


def test_every_place_name_is_folded_as_it_is_compared() -> None:
    assert [name for name in listed("place_names_that_are_words") if fold_name(name) != name] == []


def test_every_place_name_is_an_area_of_some_region() -> None:
    assert sorted(read_lines("place_names_that_are_words") - spellings_of_areas()) == []


def test_every_region_has_place_names_in_the_list() -> None:
    for code in known_regions():
        folded = {fold_name(area.name) for area in load_region(code).areas}
        assert folded & read_lines("place_names_that_are_words"), code
