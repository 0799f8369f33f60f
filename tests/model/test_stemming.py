"""Stems: PySastrawi's own for every word but those we mend, the same in every thread, remembered within a bound."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from Sastrawi.Stemmer.Filter.TextNormalizer import normalize_text
from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

from data.complaint import LabelledRow
from data.lexicon import read_stems
from data.rows import read_rows
from model.stemming import LONGEST_WORD, REMEMBERED_WORDS, is_root, sastrawi_stem, stem
from model.text import full_text
from tests.conftest import ROOT, SHARED

REFERENCE = SHARED / "reference" / "stemming"
SOURCES = ("bandung_lapor.csv", "nasional_lapor_2017.csv", "surabaya_wargaku.csv")
ROOTS = sorted(word for word in StemmerFactory().get_words() if word)
# PySastrawi's plain stemmer, without the cache before it that grows without bound.
theirs: Callable[[str], str] = StemmerFactory().create_stemmer().delegatedStemmer.stem_word

PREFIXES = (
    "be ber bel di diper dike ke keber ku kau me mem men meng menge meny memper mempe pe pel pem pember pen peng penge "
    "peny per se sebe te tel ter keter"
).split()
SUFFIXES = "i kan an is isme isasi ku mu nya lah kah tah pun wan man".split()
INFIXES = ("er", "el", "em", "in")


def tokens_of(texts: Iterable[str]) -> set[str]:
    """Every distinct token, as PySastrawi's own normaliser cuts a text and by runs of letters, digits and _."""
    tokens: set[str] = set()
    for text in texts:
        tokens.update(normalize_text(text).split(" "), re.findall(r"\w+", text.lower()))
    return tokens


def differences(words: Iterable[str]) -> list[str]:
    """The words that get another stem than PySastrawi gives."""
    return [word for word in words if sastrawi_stem(word) != theirs(word)]


def expected_stems(words: Iterable[str]) -> list[str]:
    """PySastrawi's stems, but for the mended words; what it leaves may be one too."""
    mended = read_stems()

    def expected(word: str) -> str:
        found = mended.get(word) or sastrawi_stem(word)
        return mended.get(found, found)

    return [word if len(word) > LONGEST_WORD else expected(word) for word in words]


@pytest.fixture(scope="module")
def real_tokens(shared_datasets: Path) -> set[str]:
    rows = [row for name in SOURCES for row in read_rows([shared_datasets / name], "kab-bandung", labels=False).rows]
    return tokens_of(full_text(row.complaint) for row in rows)


@pytest.fixture(scope="module")
def sample_tokens(sample_rows: Sequence[LabelledRow]) -> set[str]:
    return tokens_of(full_text(row.complaint) for row in sample_rows)


def lines_of(name: str) -> list[list[str]]:
    """A reference file's lines, cut at tabs."""
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"the reference file {name} (shared/reference/stemming beside the checkout) is not here")
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


# The same as PySastrawi


def test_every_token_of_the_samples_gets_pysastrawis_stem(sample_tokens: set[str]) -> None:
    assert len(sample_tokens) > 2_000
    assert differences(sample_tokens) == []


def test_every_token_of_the_real_complaints_gets_pysastrawis_stem(real_tokens: set[str]) -> None:
    assert len(real_tokens) > 30_000
    # Citizens' words stay out of the report: how many differ must do.
    assert len(differences(real_tokens)) == 0


def test_every_root_is_known_and_gets_pysastrawis_stem() -> None:
    assert len(ROOTS) > 29_000
    assert [root for root in ROOTS if not is_root(root)] == []
    assert [root for root in ROOTS if "-" not in root and sastrawi_stem(root) != root] == []
    assert differences(root for root in ROOTS if "-" in root) == []


def test_what_is_made_of_a_root_is_none() -> None:
    assert not any(map(is_root, ("", "perbaikan", "jalannya", "pju", "jalan rusak")))


def test_every_mended_word_has_pysastrawis_stem_where_it_is_asked_for() -> None:
    assert differences(read_stems()) == []
    assert differences(read_stems().values()) == []


def infixed(root: str, infix: str) -> str:
    return root[0] + infix + root[1:]


def nasal(root: str, prefix: str) -> str:
    """The prefix in the place of the root's first letter: "sapu" -> "menyapu"."""
    return prefix + root[1:]


CORES = st.one_of(
    st.sampled_from(ROOTS),
    st.builds(infixed, st.sampled_from(ROOTS), st.sampled_from(INFIXES)),
    st.builds(nasal, st.sampled_from(ROOTS), st.sampled_from(PREFIXES)),
    st.text("aiueobdgklmnprsty", min_size=1, max_size=6),
)
PLAIN = st.builds(
    lambda prefixes, core, suffixes: "".join([*prefixes, core, *suffixes]),
    st.lists(st.sampled_from(PREFIXES), max_size=4),
    CORES,
    st.lists(st.sampled_from(SUFFIXES), max_size=3),
)
TWICE = st.builds(
    lambda before, core, between, after: f"{before}{core}-{between}{core}{after}",
    st.sampled_from(["", *PREFIXES]),
    CORES,
    st.sampled_from(["", *PREFIXES]),
    st.sampled_from(["", *SUFFIXES, "-nya", "-ku", "-lah", "-an"]),
)
HYPHENED = st.lists(st.one_of(PLAIN, st.sampled_from([*SUFFIXES, ""])), min_size=2, max_size=4).map("-".join)
ANY = st.text("abdeghiklmnprstuwy-0é", max_size=12)
WORDS = st.one_of(PLAIN, TWICE, HYPHENED, ANY)


@given(words=st.lists(WORDS, min_size=20, max_size=40))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_word_made_of_roots_affixes_and_hyphens_gets_pysastrawis_stem(words: list[str]) -> None:
    assert differences(words) == []


@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_every_prefix_before_and_every_suffix_behind_some_roots_gives_pysastrawis_stem(prefix: str) -> None:
    roots = [root for root in ROOTS if root.isalpha()][PREFIXES.index(prefix) if prefix else 0 :: 1_500]
    assert len(roots) >= 15
    assert differences(f"{prefix}{root}{suffix}" for root in roots for suffix in ("", *SUFFIXES)) == []


@pytest.mark.parametrize("prefix", ["be", "ber", "te", "ter", "pe", "per"])
def test_prefixes_before_roots_with_er_in_their_first_syllable_give_pysastrawis_stem(prefix: str) -> None:
    """Where the papers' rules 5, 7, 9 and 34 to 36 part: "berkerja", "termerdeka", "pekerja"."""
    roots = [root for root in ROOTS if re.match("[a-z]er|[a-z][aiueo][a-z]er", root)]
    assert len(roots) > 500
    assert differences(f"{prefix}{root}" for root in roots) == []


@pytest.mark.parametrize(
    "word",
    "-,--,a-,-a,-nya,a-nya,anak-nya,anak-anak-nya,anak-anaknya,nya-nya-nya,ku-ku,lah-lah,meniru-nirukan,berbalas-balasan,"
    "bolak-balik,tunggang-langgang,be,ber,belajar,pelajar,me,pe,ter,kan,nya,di,ke,menge,mengebom,menyapu,memukan,kakikaki,"
    "kuku,kukuku,kaukaukau,a,aa,aaa,aaaa,0,rt02,é,éé,kafé,الشارع,ﬁ,_,__,nik_".split(","),
)
def test_edges_get_pysastrawis_stem(word: str) -> None:
    assert sastrawi_stem(word) == theirs(word)


# Mended stems


def test_a_stem_is_pysastrawis_but_for_the_mended_words(sample_tokens: set[str]) -> None:
    words = [word for word in sample_tokens if word.isalpha() and len(word) <= LONGEST_WORD]
    assert len(words) > 2_000
    assert read_stems().keys() & set(words)
    assert list(map(stem, words)) == expected_stems(words)


@given(words=st.lists(st.one_of(PLAIN, TWICE), min_size=10, max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_words_stem_is_pysastrawis_but_for_the_mended_words(words: list[str]) -> None:
    assert list(map(stem, words)) == expected_stems(words)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("perbaikan", "baik"),
        ("pelayanannya", "layan"),
        ("memperbaiki", "baik"),
        ("jalan-jalan", "jalan"),
        ("kerusakan", "rusak"),
        ("dikurangi", "kurang"),
        ("jalan", "jalan"),
        ("pju", "pju"),
        ("rt02", "rt02"),
        ("2023", "2023"),
        ("perbaikan2", "perbaikan2"),
        ("a_b", "a_b"),
        ("_nik_", "_nik_"),
        ("-", "-"),
        ("الشارع", "الشارع"),
        ("", ""),
    ],
)
def test_words_are_cut_to_their_stems_and_other_things_stay(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_a_word_longer_than_any_stays() -> None:
    longest = "memperbaiki".rjust(LONGEST_WORD, "-")
    too_long = "di" * ((LONGEST_WORD - 4) // 2 + 1) + "baik"
    assert len(too_long) > LONGEST_WORD
    assert stem(longest) == sastrawi_stem(longest)
    assert stem(too_long) == too_long
    of_two = "memperbaiki-" * 4 + "memperbaiki"
    assert stem(of_two) == of_two


# How good they are


def test_stems_are_the_lemmas_of_the_treebank_pud_for_ninety_eight_of_a_hundred_tokens() -> None:
    header, *lines = lines_of("gold_ud.tsv")
    assert header == ["src", "form", "lemma", "upos", "count"]
    pud = [(form.lower(), lemma.lower(), int(count)) for source, form, lemma, _, count in lines if source == "PUD"]
    tokens = sum(count for *_, count in pud)
    assert tokens > 10_000
    right = sum(count for form, lemma, count in pud if stem(form) == lemma)
    before = sum(count for form, lemma, count in pud if sastrawi_stem(form) == lemma)
    assert right / tokens >= 0.979
    assert right > before


def test_stems_are_those_that_sastrawis_authors_test_with() -> None:
    pairs = lines_of("sastrawi_php_test_pairs.tsv")
    assert len(pairs) > 190
    assert sum(stem(word) == expected for word, expected in pairs) / len(pairs) >= 0.99


# Threads and memory


def with_affixes(roots: Sequence[str]) -> list[str]:
    return [f"memper{root}kan" for root in roots if "-" not in root]


def test_threads_that_start_together_get_the_same_stems() -> None:
    """In a process of its own, so that the roots too are read by all threads at once."""
    words = with_affixes(ROOTS[::40])
    program = f"""
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from model.stemming import stem
barrier = Barrier(8)
def stems(words):
    barrier.wait()
    return [stem(word) for word in words]
with ThreadPoolExecutor(8) as pool:
    together = list(pool.map(stems, [{words!r}] * 8))
for found in together:
    print(*found)
"""
    ran = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [line.split() for line in ran.stdout.splitlines()] == [expected_stems(words)] * 8


def test_threads_that_make_each_other_forget_get_the_same_stems() -> None:
    words = with_affixes(ROOTS[::30])
    others = ["".join(letters) for letters in islice(product("bcdfghjklm", repeat=6), 2 * REMEMBERED_WORDS)]
    per_word = len(others) // len(words) // 4
    barrier = Barrier(4)

    def stems(number: int) -> list[str]:
        barrier.wait()
        own, found = iter(others[number::4]), []
        for word in words:
            found.append(stem(word))
            for other in islice(own, per_word):
                assert stem(other) == other
        return found

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(stems, range(4)))
    assert 4 * per_word * len(words) > REMEMBERED_WORDS, "nothing was forgotten"
    assert together == [expected_stems(words)] * 4


def test_the_memory_of_words_is_bounded() -> None:
    for letters in islice(product("bcdfghjklm", repeat=7), REMEMBERED_WORDS + 1_000):
        stem("".join(letters))
    assert stem.cache_info().maxsize == stem.cache_info().currsize == REMEMBERED_WORDS


def test_a_remembered_word_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stem("mempergunakannya") == "guna"
    monkeypatch.setattr("model.stemming.sastrawi_stem", None)
    assert stem("mempergunakannya") == "guna"
    with pytest.raises(TypeError):
        stem("dipergunakannyalah")


def test_the_memory_of_words_fits_a_small_server() -> None:
    assert 10_000 <= REMEMBERED_WORDS <= 200_000
    assert 20 <= LONGEST_WORD <= 60
