"""A region: one government's agencies and areas, and which of them answers for which sector."""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from data.complaint import Jurisdiction
from data.errors import BadRegion, UnknownName
from data.sectors import all_sectors

FOLDER = Path(__file__).with_name("regions")
KINDS = {"kecamatan": "Kecamatan", "kelurahan": "Kelurahan", "desa": "Desa"}


@dataclass(frozen=True)
class Source:
    """Where facts of a region file come from, as of when, and whether an official page was checked."""

    id: str
    title: str
    date: str
    verified: bool
    note: str = ""


@dataclass(frozen=True)
class Agency:
    """An office that answers complaints for `sectors`; `label_sector` is the sector that a label naming it means."""

    code: str
    name: str
    level: Jurisdiction
    sectors: tuple[str, ...] = ()
    label_sector: str | None = None
    aliases: tuple[str, ...] = ()
    source: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Area:
    """A kecamatan, kelurahan or desa; `parent` is the code of the kecamatan a village lies in."""

    code: str
    kind: str
    name: str
    parent: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as people write it: "Kecamatan Curug"."""
        return f"{KINDS.get(self.kind, self.kind)} {self.name}"

    @property
    def is_district(self) -> bool:
        return self.kind == "kecamatan"


@dataclass(frozen=True)
class AreaFamily:
    """Offices of one kind, one per area, that answer for a sector: the kecamatan offices, the village offices."""

    sector: str
    kinds: tuple[str, ...]
    titles: tuple[str, ...] = ()
    source: str = ""
    verified: bool = False


@dataclass(frozen=True)
class NamedAgency:
    """What an agency name in a label means: agency code, sector and area, each None where the name tells none."""

    agency: str | None
    sector: str | None
    area: str | None = None


@dataclass(frozen=True)
class Region:
    """One government's agencies and areas. Built by `load_region`, which checks that it is whole."""

    code: str
    name: str
    province: str
    dropped_words: frozenset[str]
    agencies: tuple[Agency, ...]
    families: tuple[AreaFamily, ...]
    areas: tuple[Area, ...]
    sources: tuple[Source, ...] = field(default=())

    @cached_property
    def agency_of_sector(self) -> dict[str, Agency]:
        """The one agency that answers for a sector; sectors of area families are not in it."""
        return {sector: agency for agency in self.agencies for sector in agency.sectors}

    @cached_property
    def family_of_sector(self) -> dict[str, AreaFamily]:
        return {family.sector: family for family in self.families}

    @cached_property
    def areas_by_code(self) -> dict[str, Area]:
        return {area.code: area for area in self.areas}

    def area_agency(self, family: AreaFamily, area: Area) -> Agency:
        """The office of a family in one area."""
        return Agency(
            code=f"{family.sector}:{area.code}",
            name=area.full_name,
            level=Jurisdiction.LOCAL,
            sectors=(family.sector,),
            label_sector=family.sector,
            source=family.source,
            verified=family.verified,
        )

    @cached_property
    def all_agencies(self) -> dict[str, Agency]:
        """Every office by its code, the area families' included."""
        offices = [
            self.area_agency(family, area)
            for family in self.families
            for area in self.areas
            if area.kind in family.kinds
        ]
        return {agency.code: agency for agency in (*self.agencies, *offices)}

    def area_of_agency(self, code: str) -> Area | None:
        """The area of an area family's office; None for any other agency."""
        sector, _, area = code.partition(":")
        return self.areas_by_code.get(area) if sector in self.family_of_sector else None

    def resolve_agency_name(self, name: str) -> NamedAgency | None:
        """What an agency name means here, in any spelling the region file knows; None if it knows none."""
        return self._names.get(self.name_key(name))

    def name_key(self, name: str) -> str:
        """A name as it is compared: no case, accents, punctuation or words like "Kabupaten"."""
        words = fold_name(name).split()
        return " ".join(word for word in words if word not in self.dropped_words)

    def office_names(self, family: AreaFamily) -> dict[str, NamedAgency]:
        """The names of a family's offices as they are compared, and what each means.

        Villages that share a name can't be told apart by it: their sector is known, their office is not.
        """
        names: dict[str, NamedAgency] = {}
        for area in self.areas:
            if area.kind in family.kinds:
                named = NamedAgency(self.area_agency(family, area).code, family.sector, area.name)
                for title in (KINDS.get(area.kind, ""), *family.titles):
                    for spelling in (area.name, *area.aliases):
                        key = self.name_key(f"{title} {spelling}")
                        if names.setdefault(key, named).agency != named.agency and spelling == area.name:
                            names[key] = NamedAgency(None, family.sector, area.name)
        return names

    @cached_property
    def _names(self) -> dict[str, NamedAgency]:
        names = {key: named for family in self.families for key, named in self.office_names(family).items()}
        for agency in self.agencies:
            for spelling in (agency.code, agency.name, *agency.aliases):
                names[self.name_key(spelling)] = NamedAgency(agency.code, agency.label_sector)
        return names


def fold_name(name: str) -> str:
    """A name without case, accents and punctuation, words parted by one space."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


@cache
def known_regions() -> tuple[str, ...]:
    """The codes of the regions that have a file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def load_region(code: str) -> Region:
    """The region of that code; `UnknownName` tells the known ones, `BadRegion` what its file has wrong."""
    if code not in known_regions():
        raise UnknownName("region", code, known_regions())
    return read_region(FOLDER / f"{code}.toml")


def read_region(path: Path) -> Region:
    """Read `<code>.toml` and `<code>.areas.csv` beside it, and check that they hold together."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        region = _build(table, _read_areas(path.with_suffix(".areas.csv")))
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise BadRegion(path.stem, [f"{type(error).__name__}: {error}"]) from error
    problems = region_problems(region)
    if region.code != path.stem:
        problems.append(f"its code is {region.code!r}, but its file is named {path.stem!r}")
    if problems:
        raise BadRegion(path.stem, problems)
    return region


def region_problems(region: Region) -> list[str]:
    """What a region has wrong: sectors without one office, names that mean two things, facts without source."""
    return [*_sector_problems(region), *_name_problems(region), *_source_problems(region), *_area_problems(region)]


def _sector_problems(region: Region) -> list[str]:
    answers = [(sector, agency.code) for agency in region.agencies for sector in agency.sectors]
    answers += [(family.sector, family.sector) for family in region.families]
    meant = [agency.label_sector for agency in region.agencies if agency.label_sector]
    problems = [f"there is no sector {sector!r}" for sector in sorted({*dict(answers), *meant} - all_sectors().keys())]
    for sector in all_sectors():
        offices = [office for answered, office in answers if answered == sector]
        if len(offices) != 1:
            problems.append(f"sector {sector!r} must reach exactly one agency or area family, not {offices or 'none'}")
    return problems


def _name_problems(region: Region) -> list[str]:
    problems = [f"two agencies have the code {code!r}" for code in _repeated(agency.code for agency in region.agencies)]
    owner = {key: f"an office of {family.sector}" for family in region.families for key in region.office_names(family)}
    for agency in region.agencies:
        for key in {region.name_key(spelling) for spelling in (agency.code, agency.name, *agency.aliases)}:
            if not key:
                problems.append(f"agency {agency.code!r} has a name made of dropped words only")
            elif owner.setdefault(key, agency.code) != agency.code:
                problems.append(f"the name {key!r} means both {owner[key]!r} and {agency.code!r}")
    return problems


def _source_problems(region: Region) -> list[str]:
    named = {agency.source for agency in region.agencies} | {family.source for family in region.families}
    listed = {source.id for source in region.sources}
    return [f"source {source!r} is not listed under [[sources]]" for source in sorted(named - listed)]


def _area_problems(region: Region) -> list[str]:
    problems = [f"two areas have the code {code!r}" for code in _repeated(area.code for area in region.areas)]
    used = [(f"area family {family.sector!r}", kind) for family in region.families for kind in family.kinds]
    used += [(f"area {area.code!r}", area.kind) for area in region.areas]
    problems += [
        f"{what} is of kind {kind!r}, not one of {', '.join(KINDS)}" for what, kind in used if kind not in KINDS
    ]
    for area in region.areas:
        parent = region.areas_by_code.get(area.parent)
        if not all(fold_name(name) for name in (area.name, *area.aliases)):
            problems.append(f"area {area.code!r} has a name without letters")
        if not area.is_district and (parent is None or not parent.is_district):
            what = "a kecamatan" if parent else "an area"
            problems.append(f"area {area.code!r} lies in {area.parent!r}, which is not {what}")
    return problems


def _repeated(codes: Iterable[str]) -> list[str]:
    return sorted(code for code, count in Counter(codes).items() if count > 1)


def _build(table: dict[str, Any], areas: tuple[Area, ...]) -> Region:
    return Region(
        code=table["code"],
        name=table["name"],
        province=table["province"],
        dropped_words=frozenset(table["dropped_words"]),
        agencies=tuple(_agency(**entry) for entry in table["agencies"]),
        families=tuple(_family(**entry) for entry in table["area_families"]),
        areas=areas,
        sources=tuple(Source(**entry) for entry in table["sources"]),
    )


def _agency(
    *,
    code: str,
    name: str,
    level: str,
    sectors: list[str],
    source: str,
    verified: bool,
    aliases: list[str] | None = None,
    counts_as: str | None = None,
) -> Agency:
    label_sector = counts_as or (sectors[0] if sectors else None)
    return Agency(code, name, Jurisdiction(level), tuple(sectors), label_sector, tuple(aliases or ()), source, verified)


def _family(*, sector: str, kinds: list[str], titles: list[str], source: str, verified: bool) -> AreaFamily:
    return AreaFamily(sector, tuple(kinds), tuple(titles), source, verified)


def _read_areas(path: Path) -> tuple[Area, ...]:
    with path.open(encoding="utf-8", newline="") as handle:
        return tuple(
            Area(row["code"], row["kind"], row["name"], row["parent"], tuple(a for a in row["aliases"].split("|") if a))
            for row in csv.DictReader(handle)
        )
