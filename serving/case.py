"""A case: a complaint that was taken in, with its prediction, its disposition and the moderators' verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from data.complaint import Complaint, Confidentiality


class Status(StrEnum):
    """Where a case stands: routed by the program, waiting for a moderator, or decided by one."""

    ROUTED = "routed"
    WAITING = "waiting"
    DECIDED = "decided"


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
    """A verdict with when it was given and whether it took the suggestion."""

    verdict: Verdict
    label_source: LabelSource
    decided_at: datetime


@dataclass(frozen=True)
class Case:
    """One complaint's whole record. Times are aware, in UTC."""

    id: str
    status: Status
    complaint: Complaint
    channel: str
    confidentiality: Confidentiality
    received_at: datetime
    created_at: datetime
    answer: Answer
    review: Review | None = None
