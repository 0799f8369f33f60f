"""Blind checks are picked by chance, in the share that was asked for, and each kind from its own cases."""

from __future__ import annotations

import random

import pytest

from serving.checks import Check, CheckShares

MANY = 20_000


@pytest.fixture(autouse=True)
def seed() -> None:
    random.seed(20_261_124)


@pytest.mark.parametrize("share", [0.03, 0.25, 0.9])
def test_of_cases_that_wait_a_share_is_decided_blind(share: float) -> None:
    picked = [CheckShares(blind=share).pick(routed=False) for _ in range(MANY)]
    assert set(picked) == {Check.NONE, Check.BLIND}
    # Four standard deviations.
    assert picked.count(Check.BLIND) / MANY == pytest.approx(share, abs=4 * (share * (1 - share) / MANY) ** 0.5)


@pytest.mark.parametrize("share", [0.03, 0.5])
def test_of_cases_routed_alone_a_share_is_audited(share: float) -> None:
    picked = [CheckShares(audit=share).pick(routed=True) for _ in range(MANY)]
    assert set(picked) == {Check.NONE, Check.AUDIT}
    assert picked.count(Check.AUDIT) / MANY == pytest.approx(share, abs=4 * (share * (1 - share) / MANY) ** 0.5)


def test_neither_share_picks_from_the_others_cases() -> None:
    assert {CheckShares(blind=1.0).pick(routed=True) for _ in range(100)} == {Check.NONE}
    assert {CheckShares(audit=1.0).pick(routed=False) for _ in range(100)} == {Check.NONE}


def test_a_share_of_all_picks_each_and_one_of_nothing_none() -> None:
    everything = CheckShares(1.0, 1.0)
    assert {everything.pick(routed=False) for _ in range(100)} == {Check.BLIND}
    assert {everything.pick(routed=True) for _ in range(100)} == {Check.AUDIT}
    assert {CheckShares().pick(routed=routed) for routed in (True, False) for _ in range(100)} == {Check.NONE}
