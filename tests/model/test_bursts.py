"""A burst is many similar complaints of one place within hours; nothing else is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from model.bursts import ALIKE_FROM, BURST_HOURS, FEWEST_MEMBERS, Sighting, find_bursts, similarity
from model.similar import Traits

PLACE, OTHER_PLACE = 11, 22
FLOOD, WASTE = (1, 2, 3), (7, 8, 9)


def traits(terms: tuple[int, ...], place: int = PLACE, within: int = 0) -> Traits:
    weights = np.full(len(terms), 1 / np.sqrt(max(1, len(terms))), dtype=np.float32)
    return Traits(np.array(terms, dtype=np.int32), weights, place, within)


def stream(count: int, terms: tuple[int, ...], apart: float, start: float = 0.0, **more: int) -> list[Sighting]:
    # Each has a word of its own as well.
    return [
        Sighting(f"{terms[0]}-{start:g}-{i:03}", start + i * apart, traits((*terms, 1_000 * terms[0] + i), **more))
        for i in range(count)
    ]


def test_many_similar_complaints_of_a_place_within_hours_are_one_burst_that_starts_with_the_first() -> None:
    flood = stream(12, FLOOD, 0.2, 50)
    found = find_bursts([*flood[::-1], *stream(30, WASTE, 5)])
    assert [burst.members for burst in found] == [tuple(each.case_id for each in flood)]
    assert found[0].place == PLACE


def test_one_fewer_is_none() -> None:
    assert find_bursts(stream(FEWEST_MEMBERS - 1, FLOOD, 0.1)) == []
    assert len(find_bursts(stream(FEWEST_MEMBERS, FLOOD, 0.1))) == 1


def test_the_same_words_from_many_places_or_from_nowhere_are_none() -> None:
    scattered = [Sighting(str(i), i * 0.1, traits(FLOOD, place=i + 1, within=0)) for i in range(3 * FEWEST_MEMBERS)]
    assert find_bursts(scattered) == []
    assert find_bursts(stream(3 * FEWEST_MEMBERS, FLOOD, 0.1, place=0)) == []


def test_villages_of_one_kecamatan_are_one_place() -> None:
    villages = [Sighting(str(i), i * 0.1, traits(FLOOD, place=i + 1, within=PLACE)) for i in range(FEWEST_MEMBERS)]
    assert len(find_bursts(villages)) == 1


def test_different_matters_of_one_place_at_once_are_none() -> None:
    assert find_bursts([Sighting(str(i), i * 0.1, traits((i * 3, i * 3 + 1))) for i in range(3 * FEWEST_MEMBERS)]) == []


def test_what_comes_slowly_is_none_however_long_it_goes_on() -> None:
    assert find_bursts(stream(50, FLOOD, BURST_HOURS / (FEWEST_MEMBERS - 2))) == []


def test_what_the_place_sends_all_the_time_is_none() -> None:
    busy = [*stream(400, WASTE, 0.5), *stream(FEWEST_MEMBERS + 4, FLOOD, 0.1, 100)]
    calm = [*stream(20, WASTE, 10), *stream(FEWEST_MEMBERS + 4, FLOOD, 0.1, 100)]
    # Waste comes twelve times in six hours all day long; so it is one long burst itself only if it were unusual.
    assert not any(member.startswith("1-") for burst in find_bursts(busy) for member in burst.members)
    assert len(find_bursts(calm)) == 1


def test_a_case_that_is_like_both_does_not_draw_the_places_usual_cases_into_a_burst() -> None:
    flood, usual = stream(12, FLOOD, 0.2, 50), stream(30, WASTE, 5)
    bridge = Sighting("bridge", 50.5, traits((1, 2, 7, 8)))
    members = {member for burst in find_bursts([*flood, *usual, bridge]) for member in burst.members}
    assert members >= {each.case_id for each in flood} | {"bridge"}
    at_its_edge = {each.case_id for each in usual if abs(each.hours - 50.5) <= BURST_HOURS}
    assert members <= {each.case_id for each in flood} | {"bridge"} | at_its_edge


def test_two_floods_far_apart_in_time_are_two() -> None:
    found = find_bursts([*stream(9, FLOOD, 0.1), *stream(9, FLOOD, 0.1, 500)])
    assert [len(burst.members) for burst in found] == [9, 9]


def test_the_order_in_which_cases_are_told_changes_nothing() -> None:
    parts = [stream(9, FLOOD, 0.1), stream(9, WASTE, 0.1, place=OTHER_PLACE), stream(5, (5, 6), 3, place=33)]
    found = [find_bursts([each for part in order for each in part]) for order in permutations(parts)]
    assert all(each == found[0] for each in found)
    assert len(found[0]) == 2


def test_similarity_is_the_cosine_of_the_words() -> None:
    assert similarity(traits(FLOOD), traits(FLOOD)) == pytest.approx(1)
    assert similarity(traits(FLOOD), traits(WASTE)) == 0
    assert similarity(traits((1, 2)), traits((2, 3))) == pytest.approx(0.5)
    assert similarity(traits(()), traits(FLOOD)) == 0
    assert 0 < ALIKE_FROM < 1


def test_no_cases_no_bursts() -> None:
    assert find_bursts([]) == []
