"""Review order: which case a moderator should see first, by the harm expected of letting it wait."""

from __future__ import annotations

from datetime import datetime
from math import log2

from data.complaint import Urgency
from serving.working_time import working_days

# What a wrong or late disposition of each urgency weighs; an unknown one counts as ordinary.
_WEIGHTS = {Urgency.RENDAH: 1.0, Urgency.SEDANG: 2.0, Urgency.TINGGI: 4.0, Urgency.DARURAT: 8.0}
# Nobody is surer than this that an answer is right.
_LEAST_WRONG = 0.01
# An emergency stands before whatever else has waited however long.
_EMERGENCY_FIRST = 10_000.0


def turn(probability: float, urgency: int | None, waits_since: datetime, *, sent_back: bool = False) -> float:
    """Where a case stands in the queue; the lowest is next. It never changes while the case waits.

    The expected harm of waiting is P(wrong) x weight of the urgency x 2 ^ (working days waited): with each working day
    less on the clock it doubles. Its negative logarithm splits into a part that the clock moves for all cases alike,
    which changes no order, and this number: so that a queue of any length is read from an index. `probability` is that
    of the suggestion; what an agency has sent back was wrong. `waits_since` is aware: when its clock began.
    """
    level = Urgency(urgency) if urgency is not None else Urgency.SEDANG
    wrong = 1.0 if sent_back else max(1.0 - probability, _LEAST_WRONG)
    found = working_days(waits_since) - log2(wrong * _WEIGHTS[level])
    return found - _EMERGENCY_FIRST if level is Urgency.DARURAT else found
