"""Areas: what a text or location field names, what it leaves open, and how often it is right on real complaints."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.complaint import Complaint
from data.region import load_region
from data.rows import read_rows
from data.sectors import AREA_SECTORS, DISTRICT_OFFICE, VILLAGE_OFFICE
from model.areas import AreaFinder, Manner
from training.evaluation import evaluate
from training.fitting import Training

OTHER_SECTOR = "public-works"


@pytest.fixture(scope="module")
def finder() -> AreaFinder:
    return AreaFinder(load_region("kab-tangerang"))


def choose(finder: AreaFinder, sector: str, text: str = "", location: str = "", title: str = "") -> str | None:
    """The full name of the area chosen for a sector."""
    area = finder.choose(finder.find(Complaint(text, title=title, location=location)), sector)
    return area.full_name if area else None


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("jalan rusak di Kecamatan Curug", "Kecamatan Curug"),
        ("jalan rusak di kec. Curug", "Kecamatan Curug"),
        ("KEC.CURUG", "Kecamatan Curug"),
        ("kec: curug", "Kecamatan Curug"),
        ("pak camat Curug", "Kecamatan Curug"),
        ("di Curug ada lubang", "Kecamatan Curug"),
        ("di kecamatan Sindang Jaya", "Kecamatan Sindang Jaya"),
        ("di kecamatan sindangjaya", "Kecamatan Sindang Jaya"),
        ("kecamatan Kemiri", "Kecamatan Kemiri"),
    ],
)
def test_a_named_kecamatan_is_found_for_its_office(finder: AreaFinder, text: str, area: str) -> None:
    assert choose(finder, DISTRICT_OFFICE, text) == area


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("di kelurahan Sukabakti", "Kelurahan Sukabakti"),
        ("di kel. Sukabakti", "Kelurahan Sukabakti"),
        ("lurah Sukabakti", "Kelurahan Sukabakti"),
        ("di Suka Bakti", "Kelurahan Sukabakti"),
        ("desa Klebet", "Desa Klebet"),
        ("ds Klebet", "Desa Klebet"),
        ("kades Klebet", "Desa Klebet"),
        ("kelurahan Klebet", "Desa Klebet"),
        ("desa Jayanti", "Desa Jayanti"),
        ("desa sindangjaya", "Desa Sindang Jaya"),
        ("Curug Kulon", "Kelurahan Curug Kulon"),
        ("CURUG   kulon", "Kelurahan Curug Kulon"),
    ],
)
def test_a_named_village_is_found_for_its_office(finder: AreaFinder, text: str, area: str) -> None:
    assert choose(finder, VILLAGE_OFFICE, text) == area


def test_a_kecamatan_office_answers_for_the_village_named(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "di kelurahan Sukabakti") == "Kecamatan Curug"
    assert choose(finder, DISTRICT_OFFICE, "desa Jayanti") == "Kecamatan Jayanti"


def test_other_sectors_get_the_most_exact_area_named(finder: AreaFinder) -> None:
    assert choose(finder, OTHER_SECTOR, "kelurahan Sukabakti kecamatan Curug") == "Kelurahan Sukabakti"
    assert choose(finder, OTHER_SECTOR, "kecamatan Curug") == "Kecamatan Curug"
    assert choose(finder, OTHER_SECTOR, "di depan rumah") is None


def test_the_longest_name_wins(finder: AreaFinder) -> None:
    mentions = finder.find(Complaint("di Curug Sangereng"))
    assert [mention.area.full_name for mention in mentions] == ["Desa Curug Sangereng"]


def test_a_name_inside_another_word_is_no_mention(finder: AreaFinder) -> None:
    assert finder.find(Complaint("Curugan, mencurugkan, curug2, sukabaktian")) == []


@pytest.mark.parametrize("sector", [DISTRICT_OFFICE, VILLAGE_OFFICE, OTHER_SECTOR])
def test_two_names_of_one_strength_are_ambiguous(finder: AreaFinder, sector: str) -> None:
    assert choose(finder, sector, "kelurahan Sukabakti atau desa Klebet") is None


def test_two_kecamatan_are_ambiguous(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "antara kecamatan Curug dan kecamatan Legok") is None


def test_villages_that_share_a_name_are_ambiguous_until_their_kecamatan_is_named(finder: AreaFinder) -> None:
    assert choose(finder, VILLAGE_OFFICE, "desa Talagasari") is None
    assert choose(finder, DISTRICT_OFFICE, "desa Talagasari") is None
    region = finder.region
    for district in ("Balaraja", "Cikupa"):
        area = finder.choose(finder.find(Complaint(f"desa Talagasari, kecamatan {district}")), VILLAGE_OFFICE)
        assert area is not None
        assert (area.name, region.areas_by_code[area.parent].name) == ("Talagasari", district)


@pytest.mark.parametrize("name", ["Jayanti", "Sindang Jaya", "sindangjaya", "Balaraja"])
def test_a_name_of_both_a_kecamatan_and_its_village_means_the_kecamatan_to_its_office(
    finder: AreaFinder, name: str
) -> None:
    chosen = choose(finder, DISTRICT_OFFICE, f"di {name}")
    assert chosen is not None
    assert chosen.startswith("Kecamatan ")
    assert choose(finder, OTHER_SECTOR, f"di {name}") == chosen


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("desa Jayanti kecamatan Jayanti", ""),
        ("di kec. Jayanti, desa Jayanti", ""),
        ("", "Kelurahan Jayanti, Kecamatan Jayanti"),
        ("di desa Jayanti", "Kecamatan Jayanti"),
    ],
)
def test_a_village_announced_beside_its_kecamatan_of_the_same_name_is_found(
    finder: AreaFinder, text: str, location: str
) -> None:
    assert choose(finder, VILLAGE_OFFICE, text, location) == "Desa Jayanti"
    assert choose(finder, DISTRICT_OFFICE, text, location) == "Kecamatan Jayanti"


def test_a_name_that_only_a_kecamatan_has_gives_no_village(finder: AreaFinder) -> None:
    assert choose(finder, VILLAGE_OFFICE, "kecamatan Curug") is None
    assert choose(finder, VILLAGE_OFFICE, "kelurahan Curug") is None


def test_the_location_field_goes_before_the_text(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "kecamatan Legok", "Curug") == "Kecamatan Curug"
    assert choose(finder, VILLAGE_OFFICE, "desa Klebet", "Sukabakti") == "Kelurahan Sukabakti"
    assert choose(finder, OTHER_SECTOR, "desa Klebet", "Sukabakti") == "Kelurahan Sukabakti"


def test_the_location_field_goes_before_a_village_and_kecamatan_in_the_text(finder: AreaFinder) -> None:
    text = "petugas dari kecamatan Curug, kelurahan Curug Kulon, tidak datang"
    assert choose(finder, VILLAGE_OFFICE, text, "Desa Klebet") == "Desa Klebet"
    assert choose(finder, OTHER_SECTOR, text, "Desa Klebet") == "Desa Klebet"


def test_the_kecamatan_office_is_that_of_the_village_in_the_location_field(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "dulu saya di kecamatan Curug", "Desa Klebet") == "Kecamatan Kemiri"


def test_the_title_is_read_too(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, title="Camat Curug") == "Kecamatan Curug"


def test_a_cue_goes_before_a_bare_name(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "saya orang Legok, lapor soal kecamatan Curug") == "Kecamatan Curug"


def test_a_cue_of_the_wrong_kind_does_not_hide_a_name(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "di kelurahan Curug") == "Kecamatan Curug"


@pytest.mark.parametrize("word", ["pangkat", "kemiri", "benda", "waluya", "pondok", "jambu", "kresek"])
def test_a_name_that_is_an_ordinary_word_needs_a_cue_or_the_location_field(finder: AreaFinder, word: str) -> None:
    assert finder.find(Complaint(f"soal {word} itu", title=f"{word}")) == []
    named = [area for area in finder.region.areas if area.name.casefold() == word]
    for area in named:
        assert area in [mention.area for mention in finder.find(Complaint(f"di {area.kind} {word}"))]
        assert area in [mention.area for mention in finder.find(Complaint("", location=word))]


def test_the_ordinary_words_tried_above_are_names_here(finder: AreaFinder) -> None:
    names = {area.name.casefold() for area in finder.region.areas}
    assert {"pangkat", "kemiri", "kresek"} <= names


@pytest.mark.parametrize(
    "text", ["", " ", "kecamatan", "kec kel desa", "di kecamatan", "\ud800", "الشارع", "5"], ids=ascii
)
def test_a_text_without_a_name_mentions_nothing(finder: AreaFinder, text: str) -> None:
    assert finder.find(Complaint(text, title=text, location=text)) == []
    assert choose(finder, DISTRICT_OFFICE, text) is None


def test_mentions_come_once_each_and_the_strongest_first(finder: AreaFinder) -> None:
    mentions = finder.find(Complaint("Legok, kec. Legok, Curug, legok", location="Sukabakti", title="Legok"))
    names = [mention.area.name for mention in mentions]
    assert len({mention.area.code for mention in mentions}) == len(mentions)
    assert names[0] == "Sukabakti"
    strengths = [mention.strength for mention in mentions]
    assert strengths == sorted(strengths, reverse=True)
    assert next(m for m in mentions if m.area.full_name == "Kecamatan Legok").strength > strengths[-1]


CODES = ["kab-tangerang", "kab-bandung", "kota-surabaya"]


@pytest.fixture(scope="module")
def finders() -> dict[str, AreaFinder]:
    return {code: AreaFinder(load_region(code)) for code in CODES}


def named(finder: AreaFinder, text: str = "", location: str = "") -> set[str]:
    """The full names of all areas that may be meant, weakly named ones too."""
    return {mention.area.full_name for mention in finder.find(Complaint(text, location=location))}


@pytest.mark.parametrize(
    ("code", "text", "area"),
    [
        ("kab-bandung", "kecamatan Balenda", "Kecamatan Baleendah"),
        ("kab-bandung", "kec. cileunyii", "Kecamatan Cileunyi"),
        ("kab-bandung", "desa Rancaekekkulon", "Desa Rancaekek Kulon"),
        ("kab-bandung", "desa Rancaekekulon", "Desa Rancaekek Kulon"),
        ("kab-bandung", "ds cinunk", "Desa Cinunuk"),
        ("kab-bandung", "desa/kel. cinunk", "Desa Cinunuk"),
        ("kota-surabaya", "kecamatan Sukolillo", "Kecamatan Sukolilo"),
        ("kota-surabaya", "kelurahan medokna ayu", "Kelurahan Medokan Ayu"),
        ("kota-surabaya", "lurah siwalan kerto", "Kelurahan Siwalankerto"),
        ("kota-surabaya", "kel. ngagel rjeo", "Kelurahan Ngagel Rejo"),
        ("kab-tangerang", "kelurahan curug kuln", "Kelurahan Curug Kulon"),
    ],
)
def test_a_misspelt_name_is_found_behind_a_cue_and_in_the_location_field(
    finders: dict[str, AreaFinder], code: str, text: str, area: str
) -> None:
    sector = DISTRICT_OFFICE if area.startswith("Kecamatan") else VILLAGE_OFFICE
    assert choose(finders[code], sector, f"mohon petugas di {text} datang") == area
    assert choose(finders[code], sector, location=text) == area


@pytest.mark.parametrize("location", ["Balenda", "Baleendahh", "Bale endah", "rt 3 rw 4 Balendah, Kab. Bandung"])
def test_the_location_field_needs_no_cue_for_a_misspelt_name(finders: dict[str, AreaFinder], location: str) -> None:
    assert choose(finders["kab-bandung"], DISTRICT_OFFICE, location=location) == "Kecamatan Baleendah"


def test_a_bare_misspelt_name_in_the_text_is_a_candidate_until_its_kecamatan_is_named(
    finders: dict[str, AreaFinder],
) -> None:
    finder = finders["kota-surabaya"]
    mentions = finder.find(Complaint("saluran di siwalankrto mampet"))
    assert [area.full_name for area in finder.candidates(mentions, VILLAGE_OFFICE)] == ["Kelurahan Siwalankerto"]
    assert finder.choose(mentions, VILLAGE_OFFICE) is None
    located = choose(finder, VILLAGE_OFFICE, "saluran di siwalankrto mampet", "Kecamatan Wonocolo")
    assert located == "Kelurahan Siwalankerto"


def test_a_misspelling_as_near_to_two_names_gives_both(finders: dict[str, AreaFinder]) -> None:
    finder = finders["kab-bandung"]
    mentions = finder.find(Complaint("desa langinsari"))
    assert {area.name for area in finder.candidates(mentions, VILLAGE_OFFICE)} == {"Langensari", "Langonsari"}
    assert finder.choose(mentions, VILLAGE_OFFICE) is None
    assert choose(finder, VILLAGE_OFFICE, "desa langinsari, kecamatan Solokan Jeruk") == "Desa Langensari"


def test_a_name_spelt_right_is_not_taken_for_its_neighbour(finders: dict[str, AreaFinder]) -> None:
    assert named(finders["kab-bandung"], "desa Langensari") == {"Desa Langensari"}
    assert named(finders["kab-tangerang"], "kecamatan Cikupa") == {"Kecamatan Cikupa"}


def test_two_announced_villages_are_a_doubt_even_if_one_is_misspelt(finders: dict[str, AreaFinder]) -> None:
    assert choose(finders["kab-bandung"], VILLAGE_OFFICE, "antara desa Cimekar dan desa Cinunk") is None


@pytest.mark.parametrize(
    "text",
    [
        "kecamatan setempat dan kelurahan tersebut tidak melayani",
        "desa dalam keadaan gelap, kades menjanjikan perbaikan",
        "kelurahan sukarela, desa bahagia, kecamatan tanggap",
        "kel. pemohon, ds. terkait, kec. tujuan",
        "sukarelawan menyampaikan keluhan soal pasir, benda, jambu dan merak",
        "desakan warga, desain kelas kecil, kelapa, kecapi, dsb",
        "pak lurah tidak ada di tempat, bu camat cuti",
    ],
)
@pytest.mark.parametrize("code", CODES)
def test_ordinary_words_are_no_misspelt_names(finders: dict[str, AreaFinder], code: str, text: str) -> None:
    assert named(finders[code], text) == set()


def test_a_name_of_four_letters_is_never_taken_for_misspelt(finders: dict[str, AreaFinder]) -> None:
    short = [area for area in finders["kab-tangerang"].region.areas if len(area.name) == 4]
    assert short
    for area in short:
        assert area not in [m.area for m in finders["kab-tangerang"].find(Complaint(f"{area.kind} {area.name}x"))]


@pytest.mark.parametrize(
    ("location", "area"),
    [
        ("Kec.Cileunyi", "Kecamatan Cileunyi"),
        ("kec:cileunyi", "Kecamatan Cileunyi"),
        ("kecamatancileunyi", "Kecamatan Cileunyi"),
        ("KECAMATANCILENYI", "Kecamatan Cileunyi"),
        ("keccileunyi", "Kecamatan Cileunyi"),
        ("Ds. Cinunuk", "Desa Cinunuk"),
        ("dscinunuk", "Desa Cinunuk"),
        ("rt 02 rw 01desa cinunuk", "Desa Cinunuk"),
        ("desa/kel. Cinunuk", "Desa Cinunuk"),
        ("Kel Cinunuk Kec Cileunyi", "Desa Cinunuk"),
        ("Kecamatan Cileunyi, Kelurahan Cinunuk", "Desa Cinunuk"),
        ("Kelurahan Cinunuk, Kecamatan Cileunyi", "Desa Cinunuk"),
        ("Kab. Bandung - Kec. Cileunyi - Ds. Cinunuk", "Desa Cinunuk"),
    ],
)
def test_forms_that_people_write_in_either_field_are_read(
    finders: dict[str, AreaFinder], location: str, area: str
) -> None:
    assert choose(finders["kab-bandung"], OTHER_SECTOR, location=location) == area
    assert choose(finders["kab-bandung"], OTHER_SECTOR, f"mohon bantuan {location}") == area


@pytest.mark.parametrize(
    "text",
    [
        "macet di Jl. Raya Cikupa",
        "macet di jalan Cikupa",
        "Perumahan Taman Cikupa Indah",
        "Komplek Cikupa",
        "Perum Cikupa",
        "Cluster Cikupa",
        "Griya Cikupa",
        "Pasar Cikupa",
        "Stasiun Cikupa",
        "RSUD Cikupa",
        "Cikupa Regency",
        "kp Cikupa",
    ],
)
def test_a_street_or_estate_with_an_areas_name_is_a_candidate_and_no_answer(finder: AreaFinder, text: str) -> None:
    mentions = finder.find(Complaint(text))
    assert {mention.manner for mention in mentions} == {Manner.WEAK}
    assert [area.full_name for area in finder.candidates(mentions, DISTRICT_OFFICE)] == ["Kecamatan Cikupa"]
    assert finder.choose(mentions, DISTRICT_OFFICE) is None
    assert choose(finder, DISTRICT_OFFICE, f"{text}, kecamatan Panongan") == "Kecamatan Panongan"
    assert choose(finder, DISTRICT_OFFICE, f"{text}, di Panongan") == "Kecamatan Panongan"
    assert choose(finder, DISTRICT_OFFICE, "kecamatan Panongan", text) == "Kecamatan Panongan"
    assert choose(finder, DISTRICT_OFFICE, f"{text}, kecamatan Cikupa") == "Kecamatan Cikupa"


def test_a_street_in_its_own_kecamatan_tells_the_village(finders: dict[str, AreaFinder]) -> None:
    finder = finders["kota-surabaya"]
    assert choose(finder, VILLAGE_OFFICE, "lampu di Jl. Ketintang mati") is None
    assert choose(finder, VILLAGE_OFFICE, "lampu di Jl. Ketintang mati", "Kecamatan Gayungan") == "Kelurahan Ketintang"
    assert choose(finder, VILLAGE_OFFICE, "lampu di Jl. Ketintang mati", "Kecamatan Tandes") is None


@pytest.mark.parametrize("office", ["Puskesmas", "Polsek", "KUA", "SDN"])
def test_an_office_or_school_stands_in_the_area_it_is_named_after(finder: AreaFinder, office: str) -> None:
    assert choose(finder, DISTRICT_OFFICE, f"antre di {office} Cikupa 2") == "Kecamatan Cikupa"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("kota-surabaya", "saya asli Kabupaten Jepara"),
        ("kota-surabaya", "Kab. Jepara"),
        ("kota-surabaya", "Kota Jepara"),
        ("kab-bandung", "Kota Bandung, Kabupaten Bandung Barat"),
        ("kab-tangerang", "Kab. Tangerang, Kota Tangerang Selatan, Kota Tangerang"),
    ],
)
def test_the_name_of_another_government_is_no_area(finders: dict[str, AreaFinder], code: str, text: str) -> None:
    assert named(finders[code], text) == set()
    assert named(finders[code], location=text) == set()


def test_a_village_announced_goes_before_a_kecamatan_merely_named(finder: AreaFinder) -> None:
    assert choose(finder, DISTRICT_OFFICE, "saya orang Legok, soal desa Klebet") == "Kecamatan Kemiri"
    assert choose(finder, DISTRICT_OFFICE, "desa Talagasari, Cikupa") == "Kecamatan Cikupa"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 100_000,
        "kecamatan" * 11_000,
        ".,;:!?-/" * 12_500,
        "区政府没有回应" * 1_000,
        "الشارع مظلم " * 1_000,
        "ꦗꦭꦤ꧀ " * 1_000,
        "kec " * 25_000,
        "kel desa " * 10_000,
        "\x00\ufeff\u202e",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_bad_input_names_nothing(finders: dict[str, AreaFinder], text: str) -> None:
    for finder in finders.values():
        assert finder.find(Complaint(text, title=text[:200], location=text)) == []


def test_misspelt_names_are_looked_for_to_a_limit_and_exact_ones_to_the_end(finders: dict[str, AreaFinder]) -> None:
    text = "kecamatan cileunyii " * 1_000 + "kecamatan soreangg kecamatan margaasih"
    mentions = finders["kab-bandung"].find(Complaint(text))
    assert {m.area.name for m in mentions if m.announced} == {"Cileunyi", "Margaasih"}


@pytest.mark.parametrize("code", CODES)
def test_a_letter_dropped_from_a_long_name_behind_its_cue_never_leads_elsewhere(
    finders: dict[str, AreaFinder], code: str
) -> None:
    for area in finders[code].region.areas:
        if len(area.name) >= 9:
            typed = f"di {area.kind} {area.name[:4]}{area.name[5:]}, mohon bantuan"
            assert area in [mention.area for mention in finders[code].find(Complaint(typed))], typed


@pytest.mark.parametrize("code", CODES)
def test_every_area_of_a_region_is_found_by_its_full_name(code: str) -> None:
    region = load_region(code)
    finder = AreaFinder(region)
    for area in region.areas:
        mentions = finder.find(Complaint(f"di {area.full_name}"))
        assert area in [mention.area for mention in mentions]
        assert {mention.area.name for mention in mentions} == {area.name}


@pytest.mark.parametrize("code", CODES)
def test_every_village_is_chosen_by_its_name_and_its_kecamatans(code: str) -> None:
    region = load_region(code)
    finder = AreaFinder(region)
    for area in region.areas:
        if not area.is_district:
            parent = region.areas_by_code[area.parent]
            complaint = Complaint("", location=f"{area.full_name}, {parent.full_name}")
            assert finder.choose(finder.find(complaint), VILLAGE_OFFICE) == area
            assert finder.choose(finder.find(complaint), DISTRICT_OFFICE) == parent


@pytest.mark.parametrize(
    ("code", "file"), [("kab-bandung", "bandung_lapor.csv"), ("kota-surabaya", "surabaya_wargaku.csv")]
)
def test_nine_in_ten_real_complaints_that_name_their_area_get_it(
    shared_datasets: Path, training: Training, code: str, file: str
) -> None:
    rows = [row for row in read_rows([shared_datasets / file], code).rows if row.sector in AREA_SECTORS]
    share = evaluate(training.bundle, rows, load_region(code)).area_accuracy
    assert share is not None
    assert share.rows >= 100
    assert share.value >= 0.9
