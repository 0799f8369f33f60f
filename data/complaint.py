"""A complaint as it comes in, and a row: a complaint with whatever labels people gave it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Urgency(IntEnum):
    """How soon harm follows if nobody acts; the names are the ones moderators see."""

    RENDAH = 0
    SEDANG = 1
    TINGGI = 2
    DARURAT = 3


class Jurisdiction(StrEnum):
    """Which government may act on a complaint, if any."""

    LOCAL = "local"
    PROVINCE = "province"
    CENTRAL = "central"
    PRIVATE = "private"
    UNCLEAR = "unclear"


class Confidentiality(StrEnum):
    """What the reporter asked for: open, anonymous to the agency, or secret to all but the desk."""

    TERBUKA = "terbuka"
    ANONIM = "anonim"
    RAHASIA = "rahasia"


class Provenance(StrEnum):
    """Where a row's labels come from; a row of another source, or of none, was labelled elsewhere by people.

    A moderator decided without seeing the suggestion, took it, or decided otherwise; data staff labelled what the
    program had chosen because it was hard; the program routed it alone and nobody looked; an agency sent it back, which
    labels nothing but rules some labels out; or it was written for the project.
    """

    HUMAN_BLIND = "human-blind"
    HUMAN_ACCEPTED = "human-accepted"
    HUMAN_CORRECTED = "human-corrected"
    HUMAN_CHOSEN = "human-chosen"
    MACHINE = "machine"
    RETURNED = "returned"
    WRITTEN = "written"


@dataclass(frozen=True)
class Complaint:
    """What a citizen sent. `location` is the intake form's own field; `region` a region code."""

    text: str
    title: str = ""
    location: str = ""
    region: str = ""


@dataclass(frozen=True)
class LabelledRow:
    """A complaint with an id and the labels known for it; a label that is None is unknown.

    `received_at` is an ISO 8601 date or date-time, possibly only a year, so that it sorts as text; "" is unknown.
    `label_source` is a `Provenance`, or whatever the file says. `not_agencies` sent the complaint back, and so it is of
    none of `not_sectors`.
    """

    id: str
    complaint: Complaint
    received_at: str = ""
    agency: str | None = None
    sector: str | None = None
    area: str | None = None
    urgency: int | None = None
    jurisdiction: Jurisdiction | None = None
    complete: bool | None = None
    label_source: str = ""
    confidentiality: Confidentiality = Confidentiality.TERBUKA
    language: str = ""
    channel: str = ""
    not_agencies: tuple[str, ...] = ()
    not_sectors: tuple[str, ...] = ()
