"""A case: a complaint that was taken in, with its prediction, its disposition and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import getrandbits
from typing import Any
from uuid import UUID

from data.complaint import Complaint, Confidentiality
from serving.checks import Check

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random id (UUID 4), from Python's own generator: asking the system each time lets other threads go first.

    An id is no secret: who may see what rests on keys and sessions.
    """
    return str(UUID(int=getrandbits(128), version=4))


class Status(StrEnum):
    """Where a case stands: routed by the program, waiting for a moderator, decided by one, sent back by an agency.

    `ASKED`: put off until the citizen tells what is missing. Of a forgotten one the words are gone for good, and nobody
    waits for it any more.
    """

    ROUTED = "routed"
    WAITING = "waiting"
    ASKED = "asked"
    DECIDED = "decided"
    RETURNED = "returned"
    FORGOTTEN = "forgotten"


# What may become of a case in each state. `Store` holds to it; nothing else changes a status.
NEXT: dict[Status, frozenset[Status]] = {
    Status.ROUTED: frozenset({Status.DECIDED, Status.ASKED, Status.RETURNED, Status.FORGOTTEN}),
    Status.WAITING: frozenset({Status.DECIDED, Status.ASKED, Status.FORGOTTEN}),
    Status.ASKED: frozenset({Status.DECIDED, Status.ASKED, Status.FORGOTTEN}),
    Status.DECIDED: frozenset({Status.RETURNED, Status.FORGOTTEN}),
    Status.RETURNED: frozenset({Status.DECIDED, Status.ASKED, Status.FORGOTTEN}),
    Status.FORGOTTEN: frozenset(),
}
# A moderator has something to do.
OPEN = (Status.WAITING, Status.RETURNED)


class LabelSource(StrEnum):
    """Where a verdict's labels come from: given without seeing the suggestion, taken from it, or a correction."""

    HUMAN_BLIND = "human-blind"
    HUMAN_ACCEPTED = "human-accepted"
    HUMAN_CORRECTED = "human-corrected"


@dataclass(frozen=True)
class Answer:
    """What the program said of a case when it came in; kept as it was, whatever is decided later.

    `agency` is None where it depends on an area that isn't known. `detail` holds reasons, alternatives and words.
    """

    model_version: str
    sector: str
    probability: float
    agency: str | None
    area: str | None
    outcome: str
    urgency: int | None
    urgency_probability: float | None
    detail: dict[str, Any]


class Kind(StrEnum):
    """What a moderator may do with a case, in SP4N-LAPOR!'s terms."""

    DISPOSE = "dispose"  # disposisikan
    ASK = "ask"  # tunda, minta kelengkapan
    REFUSE = "refuse"  # bukan wewenang
    ARCHIVE = "archive"  # arsipkan
    MERGE = "merge"  # gabungkan


# Verdicts that name an agency: what a model may learn from.
LABELLING = (Kind.DISPOSE, Kind.REFUSE)
# Verdicts that tell whether a suggestion was right; archiving says that no agency was.
JUDGING = (*LABELLING, Kind.ARCHIVE)


@dataclass(frozen=True)
class Part:
    """One matter of a complaint that holds several: who answers for it, and how urgent it is."""

    sector: str
    agency: str
    urgency: int


@dataclass(frozen=True)
class Verdict:
    """What a moderator decided: the agency and the sector that it stands for, the urgency, and why.

    `sector` and `agency` are empty for a kind that names none; of a refused case they are the other government's.
    `parts` are further matters of a complaint that is split. `reason` is a code (`serving.reasons`): why it isn't what
    was suggested, or why it is archived. `reply` is what the citizen is to be told or asked. `merged_into` is the id of
    the case that this one is a copy of.
    """

    sector: str
    agency: str
    urgency: int
    note: str = ""
    kind: Kind = Kind.DISPOSE
    parts: tuple[Part, ...] = ()
    reason: str = ""
    reply: str = ""
    merged_into: str = ""


@dataclass(frozen=True)
class Review:
    """A verdict with when it was given, by whom, and whether it took the suggestion.

    `seconds` is how long the case was open before it; None where nobody knows.
    """

    verdict: Verdict
    label_source: LabelSource
    decided_at: datetime
    reviewer: str = ""
    seconds: float | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True)
class Return:
    """An agency sent a case back: which, why, when, and who told."""

    agency: str
    reason: str
    returned_at: datetime
    told_by: str


@dataclass(frozen=True)
class Claim:
    """Who is at work on a case, until when, and since when."""

    holder: str
    until: datetime
    since: datetime | None = None


@dataclass(frozen=True)
class Case:
    """One complaint's whole record. Times are aware, in UTC.

    `agency` and `urgency` are the case's own now: the verdict's, or until there is one what the program said. The
    intake's own names for the complaint and (opaquely) its reporter are `intake_id` and `reporter`. `closed_at` is when
    it was last routed or decided, `emptied_at` when its words were removed. `returned` is the latest return, `review`
    the latest that wasn't taken back. `due_at` is when its clock for a moderator runs out. `check`: whether it is
    decided without its suggestion.
    """

    id: str
    status: Status
    complaint: Complaint
    channel: str
    confidentiality: Confidentiality
    received_at: datetime
    created_at: datetime
    answer: Answer
    agency: str | None = None
    urgency: int | None = None
    intake_id: str = ""
    reporter: str = ""
    closed_at: datetime | None = None
    emptied_at: datetime | None = None
    due_at: datetime | None = None
    check: Check = Check.NONE
    review: Review | None = None
    returned: Return | None = None

    @property
    def is_blind(self) -> bool:
        """Whether the suggestion is hidden from who decides it now: it is checked, and nobody has decided before."""
        return self.check is not Check.NONE and self.review is None and self.status is not Status.RETURNED
