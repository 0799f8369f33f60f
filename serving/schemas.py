"""What comes over the wire: requests of the API, checked as they come in, every problem at once."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from data.complaint import Complaint, Confidentiality
from data.region import known_regions
from model.masking import mask_for_storage
from serving.case import Verdict
from serving.store import Place
from serving.triage import LONGEST_CHANNEL, Intake

LONGEST_TEXT = 20_000
MOST_PREDICTIONS = 1_000
LONGEST_NAME = 128
LONGEST_NOTE = 2_000
MOST_LISTED = 200
_LARGEST = 2**31

# White space is fine; other control characters, and halves of characters, are remains of something that isn't text.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_WRITTEN_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
# The same for whoever reads the API's description: text, and text that isn't blank.
_TEXT_PATTERN = r"^[^\u0000-\u0008\u000e-\u001f\u007f]*$"
_WORDS_PATTERN = r"^\s*[^\s\u0000-\u0008\u000e-\u001f\u007f][^\u0000-\u0008\u000e-\u001f\u007f]*$"


def _is_text(value: str) -> str:
    if found := _NOT_TEXT.search(value):
        raise ValueError(
            f"text without control characters; character {found.start() + 1} is U+{ord(found[0]):04X}: take it out"
        )
    return value


def _is_not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("a complaint's text, not only blanks")
    return value


def _is_region(value: str) -> str:
    value = value.casefold()
    if value and value not in known_regions():
        raise ValueError(f"a known region: {', '.join(known_regions())}")
    return value


def _is_written_time(value: object) -> object:
    if value is not None and not (isinstance(value, str) and _WRITTEN_TIME.match(value)):
        raise ValueError("a time such as 2026-11-24T08:15:00+07:00")
    return value


def _is_of_our_time(value: datetime | None) -> datetime | None:
    if value is not None and not 2000 <= value.year < 2100:
        raise ValueError("a time between the years 2000 and 2099")
    return value


def _is_opaque(value: str) -> str:
    if value and mask_for_storage(value, Confidentiality.TERBUKA) != value:
        raise ValueError("a reference that means nothing outside the intake, not a phone or ID number, name or address")
    return value


CitizensText = Annotated[str, AfterValidator(_is_text), Field(json_schema_extra={"pattern": _TEXT_PATTERN})]
# A time of ours with its zone; a bare number, which could be seconds or milliseconds, is none.
WrittenTime = Annotated[
    AwareDatetime | None,
    Field(strict=False),
    BeforeValidator(_is_written_time),
    AfterValidator(_is_of_our_time),
]
_EXAMPLE: JsonDict = {
    "text": "lampu PJU di Jl Raya Serang KM 18 Cikupa mati sudah 2 minggu, gelap dan rawan begal",
    "title": "PJU mati",
    "region": "kab-tangerang",
    "location": "Kecamatan Cikupa",
    "channel": "WhatsApp",
    "intake_id": "7352227",
}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ComplaintText(_Request):
    """A complaint to predict; nothing of it is kept."""

    text: Annotated[
        CitizensText,
        Field(
            min_length=1,
            max_length=LONGEST_TEXT,
            description="The complaint as typed.",
            json_schema_extra={"pattern": _WORDS_PATTERN},
        ),
        AfterValidator(_is_not_blank),
    ]
    title: Annotated[CitizensText, Field(max_length=500)] = ""
    location: Annotated[CitizensText, Field(max_length=500, description="The intake form's location field.")] = ""
    region: Annotated[
        str,
        AfterValidator(_is_region),
        Field(
            description="A region code; by default the server's.", json_schema_extra={"enum": ["", *known_regions()]}
        ),
    ] = ""

    def to_complaint(self) -> Complaint:
        return Complaint(self.text, self.title, self.location, self.region)


class NewComplaint(ComplaintText):
    """A complaint to take in as a case."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    received_at: Annotated[WrittenTime, Field(description="When the citizen sent it, with its time zone.")] = None
    channel: Annotated[CitizensText, Field(max_length=LONGEST_CHANNEL)] = ""
    confidentiality: Annotated[Confidentiality, Field(strict=False)] = Confidentiality.TERBUKA
    intake_id: Annotated[
        CitizensText,
        Field(max_length=LONGEST_NAME, description="The intake's own id: sent again, it gives the same case."),
    ] = ""
    reporter: Annotated[
        CitizensText,
        Field(max_length=LONGEST_NAME, description="The intake's opaque reference for the person who complains."),
        AfterValidator(_is_opaque),
    ] = ""

    def to_intake(self, region: str) -> Intake:
        """With the region of a complaint that names none."""
        complaint = self.to_complaint()
        return Intake(
            Complaint(complaint.text, complaint.title, complaint.location, complaint.region or region),
            self.received_at,
            self.channel,
            self.confidentiality,
            self.intake_id,
            self.reporter,
        )


class NewPredictions(_Request):
    """Complaints to predict, keeping nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"complaints": [{"text": _EXAMPLE["text"]}], "explain": True}]}
    )

    complaints: Annotated[list[ComplaintText], Field(min_length=1, max_length=MOST_PREDICTIONS)]
    explain: Annotated[bool, Field(description="Add the words that decided.")] = False


class NewReturn(_Request):
    """An agency sends a case back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Jalan ini jalan provinsi."}]})

    reason: Annotated[
        CitizensText, Field(min_length=1, max_length=LONGEST_NOTE, description="Why, in the agency's own words.")
    ]
    agency: Annotated[
        CitizensText, Field(max_length=LONGEST_NAME, description="Its code; by default the one the case was given to.")
    ] = ""


class NewVerdict(_Request):
    """A moderator's verdict."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agency": "dishub", "sector": "transport", "urgency": 2}]}
    )

    agency: Annotated[CitizensText, Field(min_length=1, max_length=LONGEST_NAME, description="The agency's code.")]
    sector: Annotated[CitizensText, Field(min_length=1, max_length=LONGEST_NAME, description="One of the agency's.")]
    urgency: Annotated[int, Field(ge=0, le=3)]
    note: Annotated[CitizensText, Field(max_length=LONGEST_NOTE)] = ""

    def to_verdict(self) -> Verdict:
        return Verdict(self.sector, self.agency, self.urgency, self.note)


class Reload(_Request):
    """Which bundle to answer with: a folder beside the present one, by name; by default the present one, read anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"bundle": "2026-12"}]})

    bundle: Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]*)?$")] = ""


def write_cursor(place: Place | None) -> str | None:
    """A place in a listing as a word for the next request."""
    if place is None:
        return None
    values = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kinds: tuple[type, ...]) -> Place | None:
    """The place that a cursor stands for, whose values are of these kinds; raises ValueError for any other word."""
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(kinds):
            raise ValueError
        return tuple(_of_kind(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ValueError("the `next` of an earlier answer to the same question") from None


def _of_kind(value: Any, kind: type) -> Any:
    if kind is datetime:
        found = _is_of_our_time(datetime.fromisoformat(value))
        if found is None or found.tzinfo is None:
            raise ValueError
        return found
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise ValueError
    # What no database could even compare with.
    if isinstance(value, str) and not value.isprintable():
        raise ValueError
    if isinstance(value, int | float) and not abs(value) < _LARGEST:
        raise ValueError
    return value
