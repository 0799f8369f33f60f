"""Region files are data under test: whole, without contradictions, and knowing every agency that labels name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data.complaint import Jurisdiction
from data.errors import BadRegion, DisposisiError, UnknownName
from data.region import (
    KINDS,
    Agency,
    AreaFamily,
    Region,
    fold_name,
    known_regions,
    load_region,
    read_region,
    region_problems,
)
from data.rows import HEADER_NAMES
from data.sectors import AREA_SECTORS, all_sectors
from data.tables import read_table

every_region = pytest.mark.parametrize("code", known_regions())

DATASETS = ("bandung_lapor.csv", "surabaya_wargaku.csv", "nasional_lapor_2017.csv")
EXPORTS = ("lapor_export_kab_bandung_2024.xlsx", "lapor_export_preamble.xlsx")


def facts_of(region: Region) -> list[Agency | AreaFamily]:
    return [*region.agencies, *region.families]


# The files that are shipped


def test_the_regions_are_those_that_have_a_file() -> None:
    assert known_regions() == tuple(sorted(known_regions()))
    assert {"kab-tangerang", "kab-bandung", "kota-surabaya"} <= set(known_regions())


@every_region
def test_a_region_loads_under_its_own_code(code: str) -> None:
    region = load_region(code)
    assert region.code == code
    assert region.name
    assert region.province
    assert region_problems(region) == []


@every_region
def test_every_sector_reaches_exactly_one_agency_or_area_family(code: str) -> None:
    region = load_region(code)
    reached = Counter(sector for agency in region.agencies for sector in agency.sectors)
    reached.update(family.sector for family in region.families)
    assert reached == dict.fromkeys(all_sectors(), 1)


@every_region
def test_the_area_sectors_belong_to_families_whose_offices_exist(code: str) -> None:
    region = load_region(code)
    assert {family.sector for family in region.families} == set(AREA_SECTORS)
    kinds = [kind for family in region.families for kind in family.kinds]
    assert sorted(kinds) == sorted(KINDS)
    for family in region.families:
        assert any(area.kind in family.kinds for area in region.areas)


@every_region
def test_agency_codes_are_unique_and_of_one_form(code: str) -> None:
    codes = [agency.code for agency in load_region(code).agencies]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", agency) for agency in codes)


@every_region
def test_no_spelling_of_a_name_means_two_agencies(code: str) -> None:
    region = load_region(code)
    owners: dict[str, set[str]] = {}
    for agency in region.agencies:
        for spelling in (agency.code, agency.name, *agency.aliases):
            owners.setdefault(region.name_key(spelling), set()).add(agency.code)
    assert {key: owner for key, owner in owners.items() if len(owner) > 1 or not key} == {}


@every_region
def test_no_agency_repeats_an_alias(code: str) -> None:
    for agency in load_region(code).agencies:
        spellings = [fold_name(spelling) for spelling in (agency.name, *agency.aliases)]
        assert sorted(set(spellings)) == sorted(spellings), agency.code


@every_region
def test_no_agency_takes_the_name_of_an_area_office(code: str) -> None:
    region = load_region(code)
    offices = {
        region.name_key(f"{title} {area.name}")
        for family in region.families
        for area in region.areas
        if area.kind in family.kinds
        for title in (KINDS[area.kind], *family.titles)
    }
    agencies = {region.name_key(s) for agency in region.agencies for s in (agency.code, agency.name, *agency.aliases)}
    assert agencies & offices == set()


@every_region
def test_every_spelling_of_an_agency_finds_it(code: str) -> None:
    region = load_region(code)
    for agency in region.agencies:
        for spelling in (agency.code, agency.name, *agency.aliases, agency.name.upper()):
            named = region.resolve_agency_name(spelling)
            assert named is not None, spelling
            assert (named.agency, named.sector) == (agency.code, agency.label_sector)


@every_region
def test_every_area_office_is_found_by_its_code_and_leads_back_to_its_area(code: str) -> None:
    region = load_region(code)
    offices = [agency for agency in region.all_agencies.values() if ":" in agency.code]
    assert len(offices) == len(region.areas)
    for office in offices:
        area = region.area_of_agency(office.code)
        assert area is not None
        assert region.all_agencies[office.code].name == area.full_name


@every_region
def test_every_fact_has_a_source_a_date_and_says_whether_it_was_verified(code: str) -> None:
    region = load_region(code)
    sources = {source.id: source for source in region.sources}
    assert len(sources) == len(region.sources)
    for source in sources.values():
        assert source.title
        assert re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", source.date), source.id
        assert isinstance(source.verified, bool)
    for fact in facts_of(region):
        assert fact.source in sources
        assert isinstance(fact.verified, bool)
        # A fact can't be better checked than what it was taken from.
        assert sources[fact.source].verified or not fact.verified


@every_region
def test_every_source_is_the_source_of_something(code: str) -> None:
    region = load_region(code)
    used = {fact.source for fact in facts_of(region)}
    assert {source.id for source in region.sources} - used == set()


@every_region
def test_every_village_lies_in_a_kecamatan_and_no_kecamatan_in_anything(code: str) -> None:
    region = load_region(code)
    codes = [area.code for area in region.areas]
    assert len(set(codes)) == len(codes)
    for area in region.areas:
        if area.is_district:
            assert area.parent == ""
        else:
            assert region.areas_by_code[area.parent].is_district, area.code


@every_region
def test_villages_of_one_kecamatan_have_different_names(code: str) -> None:
    counts = Counter((area.parent, area.kind, fold_name(area.name)) for area in load_region(code).areas)
    assert [key for key, count in counts.items() if count > 1] == []


@every_region
def test_every_name_of_an_area_has_letters(code: str) -> None:
    for area in load_region(code).areas:
        for spelling in (area.name, *area.aliases):
            assert re.search("[a-z]", fold_name(spelling)), area.code
            assert spelling == spelling.strip()


@every_region
def test_every_kecamatan_has_villages(code: str) -> None:
    region = load_region(code)
    parents = {area.parent for area in region.areas if not area.is_district}
    assert {area.code for area in region.areas if area.is_district} == parents


def test_kabupaten_tangerang_has_its_twenty_nine_kecamatan_and_274_villages() -> None:
    kinds = Counter(area.kind for area in load_region("kab-tangerang").areas)
    assert kinds == {"kecamatan": 29, "kelurahan": 28, "desa": 246}


@pytest.mark.parametrize("code", ["", "bogor", "kab_tangerang", "../kab-tangerang", "KAB-TANGERANG"])
def test_an_unknown_region_names_the_known_ones(code: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load_region(code)
    assert str(caught.value) == f"No region {code!r}. Known: {', '.join(known_regions())}."


# The names that real labels use


def agency_names(folder: Path) -> dict[str, Counter[str]]:
    """How often each region's rows name each agency; only names of offices, nothing of the texts."""
    names: dict[str, Counter[str]] = {code: Counter() for code in known_regions()}
    for file in DATASETS:
        for row in read_table(folder / file, HEADER_NAMES).rows:
            if row.cells["region"] in names and row.cells["agency"].strip():
                names[row.cells["region"]][row.cells["agency"]] += 1
    for file in EXPORTS:
        for row in read_table(folder / file, HEADER_NAMES).rows:
            if name := row.cells["Instansi Terdisposisi"].strip():
                names["kab-bandung"][name] += 1
    return names


@pytest.fixture(scope="module")
def named_agencies(shared_datasets: Path) -> dict[str, Counter[str]]:
    return agency_names(shared_datasets)


@every_region
def test_the_agencies_that_real_rows_name_are_known(code: str, named_agencies: dict[str, Counter[str]]) -> None:
    region, names = load_region(code), named_agencies[code]
    if not names:
        pytest.skip(f"no real rows of {code}")
    unknown = {name: count for name, count in names.items() if region.resolve_agency_name(name) is None}
    assert sum(unknown.values()) <= 0.01 * names.total(), sorted(unknown, key=lambda name: -unknown[name])


# Files that contradict themselves


LOCAL_SECTORS = [sector for sector in all_sectors() if sector not in AREA_SECTORS]
AREAS = "code,kind,name,parent,aliases\n1,kecamatan,Atas,,\n1.1,desa,Hulu,1,Ulu|Hulu Raya\n1.2,kelurahan,Hilir,1,\n"


def agency(code: str, name: str, sectors: list[str], *, more: str = "", source: str = "perda") -> str:
    return (
        f'[[agencies]]\ncode = "{code}"\nname = "{name}"\nlevel = "local"\nsectors = {sectors}\n'
        f'source = "{source}"\nverified = false\n{more}\n'
    )


def family(sector: str, kinds: list[str], *, source: str = "perda") -> str:
    return (
        f'[[area_families]]\nsector = "{sector}"\nkinds = {kinds}\ntitles = []\nsource = "{source}"\nverified = false\n'
    )


HEAD = (
    'code = "kab-uji"\nname = "Kabupaten Uji"\nprovince = "Uji"\ndropped_words = ["kabupaten", "kab", "uji"]\n'
    '[[sources]]\nid = "perda"\ntitle = "Perda"\ndate = "2020"\nverified = false\n'
)
AGENCIES = agency("satu", "Dinas Satu", LOCAL_SECTORS[:-1]) + agency("dua", "Dinas Dua", LOCAL_SECTORS[-1:])
FAMILIES = family("district-office", ["kecamatan"]) + family("village-office", ["kelurahan", "desa"])


def write_region(folder: Path, toml: str = HEAD + AGENCIES + FAMILIES, areas: str = AREAS) -> Path:
    (folder / "kab-uji.toml").write_text(toml, encoding="utf-8")
    (folder / "kab-uji.areas.csv").write_text(areas, encoding="utf-8")
    return folder / "kab-uji.toml"


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(BadRegion) as caught:
        read_region(path)
    assert "'kab-uji'" in str(caught.value)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_a_small_whole_region_is_read(tmp_path: Path) -> None:
    region = read_region(write_region(tmp_path))
    assert [agency.code for agency in region.agencies] == ["satu", "dua"]
    assert region.areas_by_code["1.1"].aliases == ("Ulu", "Hulu Raya")
    assert region.agency_of_sector["other"].code == "dua"
    named = region.resolve_agency_name("Desa Ulu, Kab. Uji")
    assert named is not None
    assert (named.agency, named.area) == ("village-office:1.1", "Hulu")


def test_a_sector_that_reaches_nobody_is_refused(tmp_path: Path) -> None:
    [problem] = problems_of(write_region(tmp_path, HEAD + agency("satu", "Satu", LOCAL_SECTORS[1:]) + FAMILIES))
    assert problem == "sector 'public-works' must reach exactly one agency or area family, not none"


def test_a_sector_that_reaches_two_is_refused(tmp_path: Path) -> None:
    more = agency("tiga", "Dinas Tiga", ["health"])
    [problem] = problems_of(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))
    assert "'health'" in problem
    assert "['satu', 'tiga']" in problem


def test_a_sector_that_reaches_an_agency_and_a_family_is_refused(tmp_path: Path) -> None:
    more = agency("tiga", "Dinas Tiga", ["village-office"])
    [problem] = problems_of(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))
    assert "['tiga', 'village-office']" in problem


@pytest.mark.parametrize("spelling", ["Dinas Satu", "DINAS SATU KAB. UJI", "satu", "Dínas  satu!"])
def test_a_name_that_means_two_agencies_is_refused(spelling: str, tmp_path: Path) -> None:
    more = agency("tiga", "Dinas Tiga", [], more=f'aliases = ["{spelling}"]')
    [problem] = problems_of(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))
    assert "means both 'satu' and 'tiga'" in problem


def test_a_name_of_dropped_words_only_is_refused(tmp_path: Path) -> None:
    more = agency("tiga", "Kabupaten Uji", [])
    [problem] = problems_of(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))
    assert "'tiga'" in problem


@pytest.mark.parametrize(
    "more",
    [agency("tiga", "Dinas Tiga", [], source="x"), FAMILIES.replace('"perda"', '"x"', 1)],
    ids=["agency", "family"],
)
def test_a_fact_of_an_unlisted_source_is_refused(more: str, tmp_path: Path) -> None:
    families = "" if "area_families" in more else FAMILIES
    [problem] = problems_of(write_region(tmp_path, HEAD + AGENCIES + more + families))
    assert problem == "source 'x' is not listed under [[sources]]"


def test_an_area_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    problems = problems_of(write_region(tmp_path, areas=AREAS + "1.3,nagari,Tengah,1,\n"))
    assert any("'1.3' is of kind 'nagari'" in problem for problem in problems)


def test_an_area_in_an_area_that_is_not_there_is_refused(tmp_path: Path) -> None:
    [problem] = problems_of(write_region(tmp_path, areas=AREAS + "9.1,desa,Tengah,9,\n"))
    assert problem == "area '9.1' lies in '9', which is not an area"


def test_every_problem_of_a_region_is_told_at_once(tmp_path: Path) -> None:
    agencies = agency("satu", "Satu", LOCAL_SECTORS[2:]) + agency("dua", "Satu", ["other"], source="x")
    path = write_region(tmp_path, HEAD + agencies + FAMILIES, AREAS + "9.1,desa,Tengah,9,\n")
    problems = problems_of(path)
    assert len(problems) == 6
    for part in ("'public-works'", "'spatial-planning'", "'other'", "means both", "source 'x'", "'9.1'"):
        assert any(part in problem for problem in problems), part


def test_a_family_of_an_unknown_sector_is_refused(tmp_path: Path) -> None:
    path = write_region(tmp_path, HEAD + AGENCIES + FAMILIES + family("rt-rw", ["desa"]))
    with pytest.raises(BadRegion, match="rt-rw"):
        read_region(path)


def test_a_family_of_an_unknown_kind_of_area_is_refused(tmp_path: Path) -> None:
    families = family("district-office", ["kecamtan"]) + family("village-office", ["kelurahan", "desa"])
    with pytest.raises(BadRegion, match="kecamtan"):
        read_region(write_region(tmp_path, HEAD + AGENCIES + families))


def test_two_agencies_of_one_code_are_refused(tmp_path: Path) -> None:
    more = agency("satu", "Dinas Lain", [])
    with pytest.raises(BadRegion, match="'satu'"):
        read_region(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))


def test_two_areas_of_one_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRegion, match=r"'1\.1'"):
        read_region(write_region(tmp_path, areas=AREAS + "1.1,desa,Tengah,1,\n"))


def test_a_village_in_a_village_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRegion, match=r"'1\.3'"):
        read_region(write_region(tmp_path, areas=AREAS + "1.3,desa,Tengah,1.1,\n"))


def test_an_area_whose_name_has_no_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRegion, match=r"'1\.3'"):
        read_region(write_region(tmp_path, areas=AREAS + "1.3,desa,--,1,\n"))


def test_an_agency_that_takes_an_area_offices_name_is_refused(tmp_path: Path) -> None:
    more = agency("tiga", "Desa Hulu", [])
    with pytest.raises(BadRegion, match="desa hulu"):
        read_region(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))


def test_a_region_whose_code_is_not_its_files_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRegion, match="kab-lain"):
        read_region(write_region(tmp_path, HEAD.replace("kab-uji", "kab-lain") + AGENCIES + FAMILIES))


def test_an_agency_of_an_unknown_sector_is_refused_with_the_region_and_every_other_problem(tmp_path: Path) -> None:
    more = agency("tiga", "Dinas Tiga", ["jalan"], source="x")
    with pytest.raises(DisposisiError) as caught:
        read_region(write_region(tmp_path, HEAD + AGENCIES + more + FAMILIES))
    assert "'jalan'" in str(caught.value)
    assert "kab-uji" in str(caught.value)
    assert "source 'x'" in str(caught.value)


def unclosed(path: Path) -> None:
    path.write_text(HEAD + '[[agencies]]\ncode = "satu', encoding="utf-8")


def without_agencies(path: Path) -> None:
    path.write_text(HEAD + FAMILIES, encoding="utf-8")


def without_areas(path: Path) -> None:
    path.with_suffix(".areas.csv").unlink()


def without_parent_column(path: Path) -> None:
    path.with_suffix(".areas.csv").write_text("code,kind,name,aliases\n1,kecamatan,Atas,\n", encoding="utf-8")


def with_a_short_line(path: Path) -> None:
    path.with_suffix(".areas.csv").write_text(AREAS + "1.3,desa,Tengah,1\n", encoding="utf-8")


def with_an_unknown_key(path: Path) -> None:
    path.write_text(HEAD + AGENCIES + agency("t", "Tiga", [], more='alias = ["T"]') + FAMILIES, encoding="utf-8")


def with_an_unknown_level(path: Path) -> None:
    path.write_text(HEAD + AGENCIES.replace('"local"', '"lokal"') + FAMILIES, encoding="utf-8")


def not_utf_8(path: Path) -> None:
    path.write_bytes((HEAD + "# é\n" + AGENCIES + FAMILIES).encode("latin-1"))


@pytest.mark.parametrize(
    "spoil",
    [
        unclosed,
        without_agencies,
        without_areas,
        without_parent_column,
        with_a_short_line,
        with_an_unknown_key,
        with_an_unknown_level,
        not_utf_8,
    ],
)
def test_a_region_file_that_is_spoilt_is_refused(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    path = write_region(tmp_path)
    spoil(path)
    assert len(problems_of(path)) == 1


# Names


@pytest.mark.parametrize(
    ("name", "folded"),
    [("Dinas Sosial", "dinas sosial"), ("  KEC.  Curug, ", "kec curug"), ("Café-É", "cafe e"), ("…", "")],
)
def test_names_are_compared_without_case_accents_and_punctuation(name: str, folded: str) -> None:
    assert fold_name(name) == folded


def test_an_area_office_answers_for_its_area_at_the_local_level() -> None:
    region = load_region("kab-tangerang")
    office = region.all_agencies["district-office:36.03.17"]
    assert (office.name, office.level, office.sectors) == ("Kecamatan Curug", Jurisdiction.LOCAL, ("district-office",))
    assert region.area_of_agency("dinkes") is None
