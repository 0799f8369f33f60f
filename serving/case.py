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

    Of a forgotten one the words are gone for good, and nobody waits for it any more.
    """

    ROUTED = "routed"
    WAITING = "waiting"
    DECIDED = "decided"
    RETURNED = "returned"
    FORGOTTEN = "forgotten"


# What may become of a case in each state. `Store` holds to it; nothing else changes a status.
NEXT: dict[Status, frozenset[Status]] = {
    Status.ROUTED: frozenset({Status.DECIDED, Status.RETURNED, Status.FORGOTTEN}),
    Status.WAITING: frozenset({Status.DECIDED, Status.FORGOTTEN}),
    Status.DECIDED: frozenset({Status.RETURNED, Status.FORGOTTEN}),
    Status.RETURNED: frozenset({Status.DECIDED, Status.FORGOTTEN}),
    Status.FORGOTTEN: frozenset(),
}
# A moderator has something to do.
OPEN = (Status.WAITING, Status.RETURNED)


class LabelSource(StrEnum):
    """Where a verdict's labels come from: the suggestion as it was, or a moderator's correction of it."""

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


@dataclass(frozen=True)
class Verdict:
    """What a moderator decided: the agency and the sector that it stands for, the urgency, and why."""

    sector: str
    agency: str
    urgency: int
    note: str = ""


@dataclass(frozen=True)
class Review:
    """A verdict with when it was given, by whom, and whether it took the suggestion."""

    verdict: Verdict
    label_source: LabelSource
    decided_at: datetime
    reviewer: str = ""


@dataclass(frozen=True)
class Return:
    """An agency sent a case back: which, why, when, and who told."""

    agency: str
    reason: str
    returned_at: datetime
    told_by: str


@dataclass(frozen=True)
class Claim:
    """Who is at work on a case, until when."""

    holder: str
    until: datetime


@dataclass(frozen=True)
class Case:
    """One complaint's whole record. Times are aware, in UTC.

    `agency` and `urgency` are the case's own now: the verdict's, or until there is one what the program said. The
    intake's own names for the complaint and (opaquely) its reporter are `intake_id` and `reporter`. `closed_at` is when
    it was last routed or decided, `emptied_at` when its words were removed. `returned` is the latest return.
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
    review: Review | None = None
    returned: Return | None = None
