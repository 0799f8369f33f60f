"""The chain of text steps: each step as a function of text, the chain as a whole, its memory, hostile input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.complaint import Complaint, LabelledRow
from data.errors import UnknownName
from data.lexicon import TABLES, read_lines, read_table
from data.rows import read_rows
from model.expansion import ambiguous, expansions, translations
from model.masking import KINDS, mask_personal_data
from model.stemming import LONGEST_WORD, stem
from model.text import (
    ALL_STEPS,
    REQUIRED_STEPS,
    STEM_STEPS,
    SURFACE_STEPS,
    PreparedText,
    Step,
    TextChain,
    full_text,
    prepare,
    shown_word,
    stem_word,
)

REAL_FILES = (
    "bandung_lapor.csv",
    "lapor_export_kab_bandung_2024.xlsx",
    "lapor_export_preamble.xlsx",
    "nasional_lapor_2017.csv",
    "surabaya_wargaku.csv",
)
OPTIONAL_STEPS = [name for name in ALL_STEPS if name not in REQUIRED_STEPS]

# Pieces that the steps look at, put together at random: forms, their neighbours, names, masks, numbers, signs.
NEIGHBOURS = sorted({word for found in ambiguous().values() for row in found for word in row.previous | row.following})
FORMS = sorted({form for table in TABLES for form in read_table(table)})
REAL_LOOKING = (
    "jalan rusak Lampu mati sampah banjir Pelayanan perbaikan kecamatan warga petugas jalan-jalan jalan2 anak2nya "
    "bangeeeet maaaf j4l4n berlarut-larut 5jt 10km 3kk RT.02/RW.05 12/03/2023 Rp1.500.000 &amp; <br> &lt;b&gt; e-KTP"
).split()
PERSONAL = (
    "0812-3456-7890",
    "3603011506780001",
    "siti@contoh.id",
    "https://contoh.example/a?b=1",
    "B 1234 XYZ",
    "a.n. Siti Aminah",
    "Nama: Budi",
    "bernama wayan",
    "ttd",
    "plat",
    "motor",
    "rekening",
    "hubungi",
    "no hp",
)
FORM_FIELDS = ("mohonLokasi Kejadian KABUPATEN X | Y | Z", "Kewenangan Pemerintah Kabupaten X", "rusakTanggal 5")
SIGNS = ("-", ".", ",", "\n", " - ", "_", "/", "!!!", "(", "[", "\u200b", "\u00a0", "İ", "ﬁ", "²", "🙏🏽", "é", "٣")
PIECES = st.one_of(
    st.sampled_from(FORMS),
    st.sampled_from(sorted(ambiguous())),
    st.sampled_from(NEIGHBOURS),
    st.sampled_from(REAL_LOOKING),
    st.sampled_from(PERSONAL),
    st.sampled_from(FORM_FIELDS),
    st.sampled_from([f"[{kind}]" for kind in KINDS] + [f"_{kind.lower()}_" for kind in KINDS]),
    st.sampled_from(sorted(read_lines("names_that_are_words"))).map(str.title),
    st.sampled_from(SIGNS),
    st.text("0123456789", min_size=1, max_size=8),
    st.text(max_size=4),
)
FROM_PIECES = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", " ", " "])).map("".join), max_size=10).map("".join)
TEXTS = FROM_PIECES | st.text(max_size=200)


def words_of(text: str) -> str:
    return prepare(Complaint(text)).words


def stays(complaint: Complaint) -> bool:
    """Whether the chain leaves its own words as they are."""
    words = prepare(complaint).words
    return words_of(words) == words


@pytest.fixture(scope="module")
def real_rows(shared_datasets: Path) -> list[LabelledRow]:
    """The real complaints: of the one long file every twentieth, of the others all."""
    found: list[LabelledRow] = []
    for name in REAL_FILES:
        rows = read_rows([shared_datasets / name], "kab-bandung", labels=False).rows
        found += rows[::20] if len(rows) > 2_000 else rows
    assert len(found) > 3_000
    return found


# Each step by itself


def test_the_steps_are_known_by_name_and_order() -> None:
    assert [*ALL_STEPS] == [
        "mask_personal_data",
        "cut_boilerplate",
        "fold",
        "split_words",
        "join_letters",
        "expand",
        "unstretch",
        "undouble",
        "split_units",
        "unleet",
        "translate",
        "tell_apart",
        "blur_numbers",
        "stem_words",
    ]
    assert [*ALL_STEPS.values()] == [*SURFACE_STEPS, *STEM_STEPS]
    assert REQUIRED_STEPS == ("mask_personal_data", "fold", "split_words", "blur_numbers")


def test_a_step_works_on_one_thing() -> None:
    for step in ALL_STEPS.values():
        functions = (step.of_text, step.to_words, step.of_words, step.of_word)
        assert sum(function is not None for function in functions) == 1, step.name


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mask_personal_data", "a.n. Siti Aminah, hp 0812-3456-7890", "a.n. [NAMA], hp [TELEPON]"),
        ("mask_personal_data", "air &amp;amp; listrik &lt;b&gt;", "air & listrik <b>"),
        ("mask_personal_data", "Ｊalan\u200b ①", "Jalan 1"),
        ("cut_boilerplate", "tidak diambilLokasi Kejadian KABUPATEN X | Y", "tidak diambil   KABUPATEN X | Y"),
        ("cut_boilerplate", "lapor. Kewenangan Pemerintah Kabupaten X", "lapor.  "),
        ("fold", "Jalan<br>RUSAK", "jalan rusak"),
        ("split_words", "lampu (PJU) mati, [NIK]", "lampu PJU mati _nik_"),
        ("join_letters", "rt b a n j i r", "rt banjir"),
        ("unstretch", "bangeeeet maaaf", "banget maaf"),
        ("undouble", "jalan-jalan jalan2 daun2nya sayur-mayur", "jalan jalan daunnya sayur mayur"),
        ("split_units", "5jt 10km", "5 juta 10 kilometer"),
        ("unleet", "j4l4n s4mp4h rt02", "jalan sampah rt02"),
        ("expand", "pju yg kelurhan", "penerangan jalan umum yang kelurahan"),
        ("translate", "dalan diewangi downloadke", "jalan dibantu downloadkan"),
        ("tell_apart", "km 12 sd 08 no kk", "kilometer 12 sampai 08 nomor kartu keluarga"),
        ("blur_numbers", "sk 188 45 123", "sk nomor"),
        ("stem_words", "kerusakan penarikan perbaikan rt02 _nik_", "rusak tarik baik rt02 _nik_"),
    ],
)
def test_a_step_called_by_itself_takes_and_gives_a_text(name: str, before: str, after: str) -> None:
    assert ALL_STEPS[name](before) == after


@pytest.mark.parametrize("name", ALL_STEPS)
@pytest.mark.parametrize("text", ["", "jalan", "rusak parah"])
def test_a_step_leaves_plain_words_alone(name: str, text: str) -> None:
    assert ALL_STEPS[name](text) == text


def test_a_step_without_a_function_changes_nothing() -> None:
    assert Step("nothing")("  as  it stands ") == "  as  it stands "


def by_calling(names: Sequence[str], complaint: Complaint) -> PreparedText:
    """What the steps make of a complaint, each called as a function of text, round after round."""
    text = full_text(complaint)
    for _ in range(6):
        for name in names:
            text = text if name == "stem_words" else ALL_STEPS[name](text)
    return PreparedText(text, ALL_STEPS["stem_words"](text) if "stem_words" in names else text, complaint.region)


@given(TEXTS, st.sets(st.sampled_from(OPTIONAL_STEPS)))
@settings(max_examples=75, deadline=None)
def test_the_chain_gives_what_its_steps_give_called_one_after_the_other(text: str, chosen: set[str]) -> None:
    chain = TextChain({*REQUIRED_STEPS, *chosen})
    complaint = Complaint(text, region="kab-tangerang")
    assert chain.prepare(complaint) == by_calling(chain.names, complaint)


def test_the_chain_gives_what_its_steps_give_on_the_samples(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows[::5]:
        assert replace(prepare(row.complaint), title="") == by_calling([*ALL_STEPS], row.complaint)


@given(FROM_PIECES, st.sampled_from(sorted(ALL_STEPS)))
@settings(max_examples=75, deadline=None)
def test_a_step_gives_the_same_twice_and_keeps_the_list_it_was_given(text: str, name: str) -> None:
    step = ALL_STEPS[name]
    assert step(text) == step(text)
    words = text.split()
    if step.of_words:
        assert step.of_words(words) == step.of_words(list(words))
    assert words == text.split()


# The chain


def test_a_chain_holds_its_steps_in_their_order_whatever_the_order_they_are_named_in() -> None:
    assert TextChain(["stem_words", "fold", "split_words", "fold"]).names == ["fold", "split_words", "stem_words"]
    assert TextChain(reversed([*ALL_STEPS])).names == [*ALL_STEPS]


def test_an_unknown_step_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName) as raised:
        TextChain([*REQUIRED_STEPS, "spell_words"])
    assert "spell_words" in str(raised.value)
    assert "split_words" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cut_boilerplate", "rusak. Kewenangan Pemkab", "rusak kewenangan pemerintah kabupaten"),
        ("join_letters", "b a n j i r", "b a n j i r"),
        ("unstretch", "rusaaaak", "rusaaaak"),
        ("undouble", "sayur-mayur", "sayur-mayur"),
        ("split_units", "5jt", "5jt"),
        ("unleet", "j4l4n", "j4l4n"),
        ("expand", "pju", "pju"),
        ("translate", "dalane", "dalane"),
        ("tell_apart", "kk hilang", "kk hilang"),
    ],
)
def test_a_chain_without_a_step_leaves_what_that_step_would_change(name: str, text: str, words: str) -> None:
    without = TextChain(step for step in ALL_STEPS if step != name)
    assert without.prepare(Complaint(text)).words == words
    assert words_of(text) != words


def test_a_chain_without_stems_gives_the_words_twice() -> None:
    complaint = Complaint("Perbaikan jalan", region="kota-surabaya")
    without = TextChain(step for step in ALL_STEPS if step != "stem_words")
    assert without.prepare(complaint) == PreparedText("perbaikan jalan", "perbaikan jalan", "kota-surabaya")
    assert prepare(complaint) == PreparedText("perbaikan jalan", "baik jalan", "kota-surabaya")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bangeeeet", "sangat"),
        ("maaaf", "maaf"),
        ("jalan2 anak2nya jalan-jalan berlarut-larut", "jalan anaknya jalan berlarut"),
        ("j4l4n", "jalan"),
        ("b a n j i r", "banjir"),
        ("5jt 10km", "5 juta 10 kilometer"),
        ("5 jt 10 km", "5 juta 10 kilometer"),
        ("mohonLokasi Kejadian KABUPATEN BOGOR | CIBINONG | CIRIUNG", "mohon kabupaten bogor cibinong ciriung"),
        ("tolong pak. Kewenangan Pemerintah Kabupaten Bandung", "tolong pak"),
        ("Jalan<br>rusak &lt;b&gt;parah&lt;/b&gt; &amp;amp; gelap", "jalan rusak parah gelap"),
        ("NIK 3603011506780001", "nomor induk kependudukan _nik_"),
        ("[TELEPON][nama]", "_telepon_ _nama_"),
        ("a.n. Siti Aminah, hp 0812-3456-7890", "a n _nama_ telepon genggam _telepon_"),
        ("tagihan pelanggan 51234567", "tagihan pelanggan _nomor_"),
        ("tiket 51234567 salah", "tiket nomor salah"),
        ("Rp 1.500.000", "rp nomor"),
        ("tgl 12/03/2023", "tanggal nomor"),
        ("RT 02/RW 05", "rukun tetangga 02 rukun warga 05"),
        ("Jl. Raya Serang KM 12,5", "jalan raya serang kilometer 12 5"),
        ("dalane rusak, lampune mati", "jalannya rusak lampunya mati"),
        ("daun\u00c2\u00b2nya", "daunnya"),
        ("", ""),
    ],
)
def test_a_text_comes_out_in_plain_words(text: str, words: str) -> None:
    assert words_of(text) == words


def test_a_name_announced_in_digits_for_letters_is_masked() -> None:
    assert words_of("atas n4ma budi santoso") == "atas nama _nama_"


@pytest.mark.parametrize(("text", "word"), [("B.A.N.J.I.R", "banjir"), ("J.A.L.A.N.A.N", "jalanan")])
def test_letters_with_dots_between_them_announce_no_name(text: str, word: str) -> None:
    assert words_of(text) == word


def test_every_short_form_is_reached_through_the_whole_chain() -> None:
    wrong = {}
    for form, meaning in expansions().items():
        reached = words_of(form)
        # "anak2" is "anak anak" in the table, and a plural is no other matter.
        is_plural = ALL_STEPS["undouble"](form) != form and {*map(stem, meaning.split())} == {
            *map(stem, reached.split())
        }
        if reached != meaning and not is_plural:
            wrong[form] = (meaning, reached)
    assert wrong == {}


@pytest.mark.parametrize("language", sorted({*TABLES} - {"abbreviations", "informal"}))
def test_every_regional_form_is_reached_through_the_whole_chain(language: str) -> None:
    forms = {form: meaning for form, meaning in read_table(language).items() if form in translations()}
    assert len(forms) > 200
    assert {form: words_of(form.upper()) for form, meaning in forms.items() if words_of(form.upper()) != meaning} == {}


def test_texts_that_differ_in_a_long_number_read_alike() -> None:
    one, other = (prepare(Complaint(f"tiket {number} salah")) for number in ("51234567", "598765432"))
    assert one == other
    assert "nomor" in one.words.split()


@pytest.mark.parametrize(
    ("title", "text", "read"),
    [
        ("", "isi", "isi"),
        ("Judul", "isi", "Judul\nisi"),
        ("Jalan rusak", "JALAN RUSAK di depan", "JALAN RUSAK di depan"),
        ("  Judul ", "  ", "Judul\n"),
        (" ", " isi ", "isi"),
    ],
)
def test_a_title_is_read_unless_the_text_opens_with_it(title: str, text: str, read: str) -> None:
    assert full_text(Complaint(text, title=title)) == read


@pytest.mark.parametrize(
    ("word", "shown"), [*((f"_{kind.lower()}_", f"[{kind}]") for kind in KINDS), ("jalan", "jalan"), ("", "")]
)
def test_a_mask_is_shown_as_it_stands_in_the_text(word: str, shown: str) -> None:
    assert shown_word(word) == shown


@pytest.mark.parametrize("word", ["_", "__", "_penting_", "_a_b_", "_nik", "nik_", "a_b"])
def test_a_word_between_low_lines_that_is_no_mask_is_shown_as_typed(word: str) -> None:
    assert shown_word(word) == word


# The chain on its own words


@given(st.text(max_size=200))
@settings(max_examples=75, deadline=None)
def test_the_chain_leaves_its_own_words_of_random_text_as_they_are(text: str) -> None:
    assert stays(Complaint(text))


@given(FROM_PIECES)
@settings(max_examples=75, deadline=None)
def test_the_chain_leaves_its_own_words_of_any_pieces_as_they_are(text: str) -> None:
    assert stays(Complaint(text))


def test_the_chain_leaves_the_words_of_the_samples_as_they_are(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        assert stays(row.complaint), row.id


def test_the_chain_leaves_the_words_of_real_complaints_as_they_are(real_rows: Sequence[LabelledRow]) -> None:
    changed = sum(not stays(row.complaint) for row in real_rows)
    assert changed == 0


# Texts in which one step brings out what an earlier step looks for.
BROUGHT_OUT = {
    "a place's label after a sign": "Lokasi Kejadian [KABUPATEN X | Y",
    "a place's label in short": "lksi kjdian kab",
    "the routing line in short": "Kewenangan pmkab",
    "the routing line six times": "Kewenangan Pemda " * 6,
    "a cue in full before a number with a letter": "nik 537577i",
    "a cue in full before a number and a letter": "hub 551392b",
    "a cue in full before a number and a stretched letter": "nik xxxxx810021",
    "a cue that was doubled": "rek2 s966683",
    "a cue behind a line break": "bca\n 123456a",
    "a cue that a unit was parted from": "5va n130450",
    "a cue that was a unit": "847374m 741615a",
    "a cue that was stretched": "telllp465064",
    "a name's cue that was stretched": "berrrnamalp",
    "a bank in a meaning": "isoman 123456s",
    "a plate after a plate": "D192Q b12ab",
    "a plate after its word in full": "plsi b12ab",
    "a plate after its word and a sign": "nopol [] B3Y",
    "a plate with a doubled end": "nopol2 t8b",
    "a blurred number that tells a form": "500000 loro",
    "a blurred number that tells another form": "500000 rm",
    "letters apart behind a hyphen": "mo-b a j i",
    "letters apart that were stretched": "b a jjj i",
    "an affix that leaves a form": "kayakna",
}


@pytest.mark.parametrize("text", BROUGHT_OUT.values(), ids=BROUGHT_OUT)
def test_the_chain_leaves_as_they_are_the_words_that_its_own_steps_brought_out(text: str) -> None:
    words = words_of(text)
    assert words_of(words) == words


def test_a_stored_and_masked_sample_gives_the_same_words(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        text, title = (mask_personal_data(field) for field in (row.complaint.text, row.complaint.title))
        assert prepare(replace(row.complaint, text=text, title=title)) == prepare(row.complaint), row.id


@given(TEXTS)
@settings(max_examples=75, deadline=None)
def test_each_word_has_one_stem_beside_it(text: str) -> None:
    prepared = prepare(Complaint(text))
    assert len(prepared.words.split()) == len(prepared.stems.split())
    assert prepared.words == " ".join(prepared.words.split())


def test_each_word_of_the_samples_has_one_stem_beside_it(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        prepared = prepare(row.complaint)
        pairs = zip(prepared.words.split(), prepared.stems.split(), strict=True)
        assert [pair for pair in pairs if stem_word(pair[0]) != pair[1]] == []


def test_each_word_of_real_complaints_has_one_stem_beside_it(real_rows: Sequence[LabelledRow]) -> None:
    prepared = [prepare(row.complaint) for row in real_rows]
    uneven = sum(len(text.words.split()) != len(text.stems.split()) for text in prepared)
    assert uneven == 0


def test_the_stem_of_a_stem_is_that_stem_on_all_words_of_the_samples(sample_rows: Sequence[LabelledRow]) -> None:
    words = {word for row in sample_rows for word in prepare(row.complaint).words.split()}
    assert len(words) > 5_000
    assert {word for word in words if stem_word(stem_word(word)) != stem_word(word)} == set()


@pytest.mark.parametrize("word", ["kerusakan", "pelayanannya", "berlarut", "selainnya", "reratanya"])
def test_the_stem_of_a_stem_is_that_stem(word: str) -> None:
    assert stem_word(word) != word
    assert stem_word(stem_word(word)) == stem_word(word)


def test_a_stem_that_our_tables_read_as_something_else_is_not_taken() -> None:
    kept = [
        form
        for form in ("hutangnya", "dikesel", "prakteknya", "resikonya", "penumbas")
        if stem(form) != form and stem(form) in {**expansions(), **translations()}
    ]
    assert len(kept) > 2
    assert [stem_word(form) for form in kept] == kept


# The chain's memory


class Spy:
    """A step on a word that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, word: str) -> str:
        self.asked.append(word)
        return f"{word}x"


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """In place of the stemmer, with room for eight words."""
    spied = Spy()
    monkeypatch.setattr("model.text._MOST_ROUNDS", 1)
    monkeypatch.setattr("model.text.STEM_STEPS", (Step("stem_words", of_word=spied),))
    monkeypatch.setattr("model.text.REMEMBERED_WORDS", 8)
    return spied


def made_up_words(count: int) -> list[str]:
    """Different words that no step changes."""
    return ["x".join(letters) for letters in islice(product("bcdfghjklmnprstvw", repeat=5), count)]


def stems_of(chain: TextChain, words: Sequence[str]) -> list[str]:
    return chain.prepare(Complaint(" ".join(words))).stems.split()


def test_a_word_is_computed_once(spy: Spy) -> None:
    chain = TextChain(ALL_STEPS)
    for _ in range(3):
        assert stems_of(chain, ["qaoq", "qboq", "qaoq"]) == ["qaoqx", "qboqx", "qaoqx"]
    assert spy.asked == ["qaoq", "qboq"]


def test_no_more_words_are_remembered_than_there_is_room_for(spy: Spy) -> None:
    chain, words = TextChain(ALL_STEPS), made_up_words(1_000)
    assert stems_of(chain, words) == [f"{word}x" for word in words]
    assert spy.asked == words
    spy.asked.clear()
    # Each is asked for once more, so what isn't computed again was remembered before.
    assert stems_of(chain, words[::-1]) == [f"{word}x" for word in words[::-1]]
    assert 1_000 - 8 <= len(spy.asked) < 1_000


def test_given_stems_outlive_the_emptying_and_take_no_room(spy: Spy) -> None:
    stems = dict.fromkeys(made_up_words(20), "diberi")
    chain = TextChain(ALL_STEPS, stems)
    others = made_up_words(100)[20:]
    assert stems_of(chain, others) == [f"{word}x" for word in others]
    assert stems_of(chain, [*stems]) == ["diberi"] * 20
    assert set(spy.asked) == set(others)
    spy.asked.clear()
    assert stems_of(chain, others[-3:]) == [f"{word}x" for word in others[-3:]]
    assert spy.asked == []
    assert chain.stems == stems


def test_given_stems_are_the_chains_own() -> None:
    stems = {"kerusakan": "diberi"}
    chain = TextChain(ALL_STEPS, stems)
    stems["kerusakan"] = stems["perbaikan"] = "later"
    assert stems_of(chain, ["kerusakan", "perbaikan"]) == ["diberi", "baik"]
    assert chain.stems == {"kerusakan": "diberi"}


@pytest.mark.parametrize(("length", "times"), [(LONGEST_WORD, 1), (LONGEST_WORD + 1, 3), (500, 3)])
def test_only_words_that_are_not_too_long_are_remembered(spy: Spy, length: int, times: int) -> None:
    chain = TextChain(ALL_STEPS)
    word = ("qo" * length)[:length]
    for _ in range(3):
        assert stems_of(chain, [word]) == [f"{word}x"]
    assert spy.asked == [word] * times


def test_a_word_that_becomes_several_is_remembered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def doubled(word: str) -> str:
        asked.append(word)
        return f"{word} {word}"

    steps = tuple(replace(step, of_word=doubled) if step.name == "expand" else step for step in SURFACE_STEPS)
    monkeypatch.setattr("model.text.SURFACE_STEPS", steps)
    monkeypatch.setattr("model.text._MOST_ROUNDS", 1)
    chain = TextChain([*REQUIRED_STEPS, "expand", "undouble"])
    for _ in range(2):
        assert chain.prepare(Complaint("jalan sayur-mayur")).words == "jalan jalan sayur mayur sayur mayur"
    assert asked == ["jalan", "sayur-mayur", "sayur", "mayur"]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("room", [4, 65_536])
def test_eight_threads_on_one_chain_give_what_one_gives(
    monkeypatch: pytest.MonkeyPatch, sample_rows: Sequence[LabelledRow], room: int
) -> None:
    monkeypatch.setattr("model.text.REMEMBERED_WORDS", room)
    complaints = [row.complaint for row in sample_rows[::25]]
    alone = [TextChain(ALL_STEPS).prepare(complaint) for complaint in complaints]
    stems = {word: stem_word(word) for word in alone[0].words.split()}
    shared = TextChain(ALL_STEPS, stems)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [shared.prepare(complaint) for complaint in complaints], range(8)))
    assert together == [alone] * 8


@pytest.mark.usefixtures("hasty_threads")
def test_no_thread_misses_a_given_stem_while_another_empties_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.text.REMEMBERED_WORDS", 1)
    stems = {f"q{number}oq": "x" for number in range(20_000)} | {"kerusakan": "diberi"}
    chain, rounds = TextChain(ALL_STEPS, stems), 300
    others = Complaint(" ".join(made_up_words(10)))
    with ThreadPoolExecutor(2) as pool:
        emptying = pool.submit(lambda: [chain.prepare(others) for _ in range(rounds)])
        found = set()
        while not emptying.done():
            found.add(chain.prepare(Complaint("kerusakan")).stems)
    assert found == {"diberi"}


def test_a_chain_that_has_read_much_gives_what_a_new_one_gives(sample_rows: Sequence[LabelledRow]) -> None:
    used = TextChain(ALL_STEPS)
    complaints = [row.complaint for row in sample_rows[::50]]
    for complaint in complaints:
        used.prepare(complaint)
    for complaint in complaints:
        assert used.prepare(complaint) == TextChain(ALL_STEPS).prepare(complaint)


# Hostile input

REPEATED = {
    "one letter": ("a", 1_000_000),
    "one word": ("jalan", 100_000),
    "digits": ("1", 1_000_000),
    "numbers": ("12345 ", 50_000),
    "mobile numbers": ("0812-", 50_000),
    "open brackets": ("[", 200_000),
    "open masks": ("[NIK", 50_000),
    "open tags": ("<p ", 100_000),
    "affixes": ("-ku-mu-nya", 100_000),
    "prefixes": ("memper", 100_000),
    "marks from right to left": ("\u202e\u200f", 100_000),
    "words from right to left": ("jalan\u202e \u200frusak ", 20_000),
    "lone surrogates": ("\ud800", 200_000),
    "letters and lone surrogates": ("a\udfff", 100_000),
    "zero-width joiners": ("\u200d", 200_000),
    "letters and zero-width joiners": ("a\u200d", 100_000),
    "hyphens": ("a-", 100_000),
    "hyphens alone": ("-", 200_000),
    "low lines": ("_", 200_000),
    "an ambiguous form": ("kk ", 100_000),
    "two ambiguous forms": ("no kk ", 50_000),
    "letters apart": ("b a ", 100_000),
    "a word in letters apart": ("b a n j i r ", 20_000),
    "stretched": ("aaab", 50_000),
    "doubled": ("jalan2", 50_000),
    "emoji": ("😀", 100_000),
    "emoji of several signs": ("👨\u200d👩\u200d👧", 30_000),
    "combining marks": ("\u0301", 200_000),
    "letters with two marks": ("a\u0301\u0323", 50_000),
    "escapes": ("&amp;", 50_000),
    "a broken encoding": ("Ã¢", 50_000),
    "labels": ("aLokasi Kejadian KABUPATEN ", 10_000),
    "routing lines": ("Kewenangan Pemerintah ", 10_000),
    "a cue": ("nama ", 30_000),
    "announcements": ("a/n Budi ", 10_000),
    "plates": ("B 1234 ", 30_000),
    "addresses": ("a@", 100_000),
    "a letter that becomes two": ("İ", 50_000),
    "a letter that becomes four words": ("ﷺ", 20_000),
    "a short form with a long meaning": ("oss ", 20_000),
    "announcements joined": ("a.n. Budi dan ", 250),
    "short announcements joined": ("AN A & ", 200),
    "announcements in a list": ("bernama , A", 300),
    "signatures joined": ("ttd'", 2_000),
    "empty lines": ("\n\u200b", 4_000),
}
HOSTILE = {name: piece * times for name, (piece, times) in REPEATED.items()} | {
    "nested brackets": "[" * 100_000 + "]" * 100_000,
    "nested masks": "[NIK" * 50_000 + "]" * 50_000,
    "nested tags": "<b" * 100_000 + ">" * 100_000,
    "a letter under many marks": "a" + "\u0301" * 200_000,
    "names joined": "a.n. " + "Budi dan " * 20_000,
    "words that are all new": " ".join(made_up_words(30_000)),
    "a long word before many": "a" * 200_000 + " jalan" * 10_000,
}
# The longest meaning of a form, and "ﷺ", are some twenty times as long as what they stand for.
MOST_GROWTH = 20


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_read_to_its_end_and_not_much_longer_than_it_was(text: str) -> None:
    prepared = prepare(Complaint(text))
    assert len(prepared.words) <= MOST_GROWTH * len(text)
    assert len(prepared.stems) <= MOST_GROWTH * len(text)
    assert len(prepared.words.split()) == len(prepared.stems.split())
    assert prepared.words.encode("utf-8").decode("utf-8") == prepared.words


def calls_for(text: str) -> int:
    """How many functions are called to read a text."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    prepare(Complaint(text))
    sys.setprofile(note)
    try:
        prepare(Complaint(text))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", [piece for piece, _ in REPEATED.values()], ids=REPEATED)
def test_twice_the_text_takes_no_more_than_twice_the_calls(piece: str) -> None:
    assert calls_for(piece * 200) <= 2.2 * calls_for(piece * 100) + 200


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_title_is_read_too(text: str) -> None:
    title = text[:20_000]
    prepared = prepare(Complaint("jalan rusak", title=title))
    assert prepared.words.split()[-2:] == ["jalan", "rusak"]
    assert len(prepared.words) <= MOST_GROWTH * (len(title) + 20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" \n\t\u200b\ufeff ", ""),
        ("jalan \ud800 rusak", "jalan rusak"),
        ("\udfff", ""),
        ("\u200fjalan\u200e \u202erusak\u202c", "jalan rusak"),
        ("ja\u200blan", "jalan"),
        ("ja\u00adlan", "jalan"),
        ("😡😡😡 rusak", "rusak"),
        ("الشارع مكسور", "الشارع مكسور"),
        ("cafe\u0301", "café"),
        ("a" * 20_000, "a"),
        ("ab" * 10_000, "ab" * 10_000),
        ("\x00", ""),
        ("jalan\x00rusak", "jalan rusak"),
        ("&#0;&#x110000;", "\ufffd\ufffd"),
    ],
    ids=lambda value: ascii(value[:24]),
)
def test_odd_input_is_read_for_what_it_holds(text: str, words: str) -> None:
    assert words_of(text) == words.replace("\ufffd", "")
