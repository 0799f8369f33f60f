"""Bursts: many similar complaints of one place within hours, which are one incident and not a change of all complaints.

Numbers only: what is compared are `model.similar`'s traits of complaints.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.similar import Traits

# Two of a place belong together if one came so soon after the other, and their words are so alike: people who stand in
# the same water tell of it in other words.
BURST_HOURS = 6.0
ALIKE_FROM = 0.15
# So many within those hours, and so many times what the place sends otherwise.
FEWEST_MEMBERS = 8
# Who tells of a burst that is known may do so in still other words, if they are a little like those of several members.
JOINS_FROM = 0.08
TIMES_THE_USUAL = 4.0
_CORE_LINKS = 4


@dataclass(frozen=True)
class Sighting:
    """A case as bursts look at it: its traits, and when it came, in hours since some moment."""

    case_id: str
    hours: float
    traits: Traits


@dataclass(frozen=True)
class Burst:
    """One incident: its cases in the order they came, the first of which is the parent. `place` is a hash."""

    place: int
    members: tuple[str, ...]


def find_bursts(sightings: Sequence[Sighting]) -> list[Burst]:
    """The bursts among cases of one region, in the order they began; cases of an unknown place are in none.

    A place is a kecamatan with all that lies in it, or a location's own name. Cases of a place are joined that came
    within `BURST_HOURS` of each other and share words, if several do. What is joined is a burst if in so many hours
    `FEWEST_MEMBERS` came, and `TIMES_THE_USUAL` of what the place sends in them otherwise.
    """
    if not sightings:
        return []
    ordered = sorted(sightings, key=lambda each: (each.hours, each.case_id))
    span = max(ordered[-1].hours - ordered[0].hours, BURST_HOURS)
    places = defaultdict(list)
    for each in ordered:
        if place := each.traits.within or each.traits.place:
            places[place].append(each)
    found = []
    for place, cases in places.items():
        for group in _joined(cases):
            usual = (len(cases) - len(group)) * BURST_HOURS / span
            if _peak(group) >= max(FEWEST_MEMBERS, TIMES_THE_USUAL * usual):
                whole = _with_those_who_join(group, cases)
                found.append((whole[0].hours, Burst(place, tuple(each.case_id for each in whole))))
    return [burst for _, burst in sorted(found, key=lambda each: (each[0], each[1].members))]


def _joined(cases: Sequence[Sighting]) -> list[list[Sighting]]:
    """Cases of a place, in order of time, in groups that hang together (DBSCAN, Ester and others 1996).

    Only cases with `_CORE_LINKS` alike ones hold a group together, others lie at its edge: so a burst doesn't take in
    what the place sends all the time because one case is like both.
    """
    hours = [each.hours for each in cases]
    links: list[list[int]] = [[] for _ in cases]
    for later, case in enumerate(cases):
        for earlier in range(bisect_left(hours, case.hours - BURST_HOURS), later):
            if similarity(cases[earlier].traits, case.traits) >= ALIKE_FROM:
                links[later].append(earlier)
                links[earlier].append(later)
    is_core = [len(linked) >= _CORE_LINKS for linked in links]
    taken: set[int] = set()
    groups = []
    for first in range(len(cases)):
        if first in taken or not is_core[first]:
            continue
        group, waiting = {first}, [first]
        while waiting:
            fresh = [i for i in links[waiting.pop()] if i not in group and i not in taken]
            group.update(fresh)
            waiting += [i for i in fresh if is_core[i]]
        taken |= group
        groups.append([cases[i] for i in sorted(group)])
    return groups


def _with_those_who_join(group: Sequence[Sighting], cases: Sequence[Sighting]) -> list[Sighting]:
    """A burst with the other cases of its place that came meanwhile and are a little like several members."""
    members = {each.case_id for each in group}
    start, end = group[0].hours, group[-1].hours + BURST_HOURS
    whole = list(group)
    for case in cases:
        if case.case_id in members or not start <= case.hours <= end:
            continue
        near = (each for each in group if abs(each.hours - case.hours) <= BURST_HOURS)
        if sum(similarity(each.traits, case.traits) >= JOINS_FROM for each in near) >= _CORE_LINKS:
            whole.append(case)
    return sorted(whole, key=lambda each: (each.hours, each.case_id))


def similarity(one: Traits, other: Traits) -> float:
    """The cosine of two complaints' words, 0 to 1: both are of length 1."""
    _, mine, theirs = np.intersect1d(one.terms, other.terms, assume_unique=True, return_indices=True)
    return float(one.weights[mine] @ other.weights[theirs])


def _peak(group: Sequence[Sighting]) -> int:
    """The most cases of a group, in order of time, within `BURST_HOURS`."""
    hours = [each.hours for each in group]
    return max(i + 1 - bisect_left(hours, hour - BURST_HOURS) for i, hour in enumerate(hours))
