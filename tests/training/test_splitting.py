"""Splits: near-copies stay together, folds hold whole groups, the newest rows are the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.complaint import Complaint, LabelledRow
from model.text import prepare
from training import splitting
from training.splitting import assign_folds, near_copy_groups, newest_share


def groups_of(*texts: str) -> list[int]:
    return near_copy_groups([prepare(Complaint(text)) for text in texts]).tolist()


def row(number: int, received_at: str) -> LabelledRow:
    return LabelledRow(str(number), Complaint("teks"), received_at)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lampu jalan mati sejak kemarin malam", "LAMPU JALAN MATI, sejak kemarin malam!!!"),
        ("lampu jalan mati sejak kemarin malam", "lampu jalan mati sejak kemarin malam pak"),
        (
            "mohon perbaiki jalan rusak depan pasar kami karena sudah banyak yang jatuh",
            "tolong mohon perbaiki jalan rusak depan pasar kami karena sudah banyak yang jatuh pak",
        ),
        ("banjir", "Banjir."),
        ("air mati", "air mati"),
    ],
)
def test_near_copies_are_one_group(one: str, other: str) -> None:
    assert len(set(groups_of(one, other))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lampu jalan mati sejak kemarin malam", "sampah menumpuk di depan rumah kami"),
        ("mohon bantuannya jalan rusak di depan pasar", "mohon bantuannya air mati sudah tiga hari"),
        ("banjir", "macet"),
        ("", "macet"),
    ],
)
def test_different_complaints_are_different_groups(one: str, other: str) -> None:
    assert len(set(groups_of(one, other))) == 2


def test_near_copies_of_near_copies_are_one_group() -> None:
    words = ["satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan", "sepuluh", "sebelas"]
    chain = [" ".join(words[start : start + 9]) for start in range(3)]
    assert len(set(groups_of(*chain, "lain sekali isinya"))) == 2


@pytest.mark.parametrize("copies", [400, 401, 1_000])
def test_copies_are_one_group_however_many_there_are(copies: int) -> None:
    groups = groups_of(*["lampu jalan mati di depan rumah saya sejak kemarin"] * copies, "sampah menumpuk")
    assert len(set(groups)) == 2


def test_a_greeting_shared_by_hundreds_makes_no_copies() -> None:
    texts = [f"assalamualaikum warahmatullahi wabarakatuh hal{n} perkara{n} urusan{n} masalah{n}" for n in range(450)]
    assert len(set(groups_of(*texts))) == 450


@pytest.mark.parametrize(
    "text",
    [
        "saya {} mohon lampu jalan di depan rumah diperbaiki karena sudah mati sejak minggu lalu",
        "{} melaporkan lampu jalan di depan rumah sudah mati sejak minggu lalu",
        "lampu jalan di depan rumah pak {} sudah mati sejak minggu lalu dan belum diperbaiki",
        "lampu jalan di depan rumah sudah mati sejak minggu lalu hormat saya {}",
    ],
)
@pytest.mark.parametrize("count", [390, 500, 1_000])
def test_hundreds_of_texts_that_differ_in_a_name_are_one_group(text: str, count: int) -> None:
    names = [f"{first}{second}" for first in range(40) for second in "abcdefghijklmnopqrstuvwxyz"][:count]
    assert len(set(groups_of(*[text.format(f"nama{name}") for name in names], "sampah menumpuk di pasar"))) == 2


def test_hundreds_of_copies_are_told_from_complaints_that_share_their_greeting() -> None:
    greeting = "assalamualaikum warahmatullahi wabarakatuh yang terhormat bapak bupati"
    copies = [f"{greeting} lampu jalan di depan rumah pak nama{n} mati sejak minggu lalu" for n in range(500)]
    others = [f"{greeting} " + " ".join(f"{letter}{n}" for letter in "abcdefghij") for n in range(500)]
    mixed = [text for pair in zip(copies, others, strict=True) for text in pair]
    groups = groups_of(*mixed)
    assert len(set(groups[::2])) == 1
    assert len(set(groups)) == 501


def test_different_complaints_with_a_long_greeting_are_not_grouped() -> None:
    greeting = "assalamualaikum warahmatullahi wabarakatuh yang terhormat bapak bupati kami sampaikan bahwa"
    texts = [f"{greeting} " + " ".join(f"{letter}{n}" for letter in "abcdefghijkl") for n in range(500)]
    assert len(set(groups_of(*texts))) == 500


def test_no_texts_have_no_groups() -> None:
    assert groups_of() == []


def test_every_sample_has_a_group(sample_rows: Sequence[LabelledRow]) -> None:
    groups = near_copy_groups([prepare(row.complaint) for row in sample_rows])
    assert groups.shape == (len(sample_rows),)
    assert groups.min() == 0
    assert len(np.unique(groups)) == groups.max() + 1


def test_groups_are_the_same_however_few_texts_are_compared_at_once(
    sample_rows: Sequence[LabelledRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [prepare(row.complaint) for row in sample_rows[:600]]
    texts += [replace(text, words=f"aduan {text.words}") for text in texts[::7]]  # sorted far from its like
    expected = near_copy_groups(texts)
    assert len(np.unique(expected)) < len(texts) - 50
    monkeypatch.setattr(splitting, "_AT_ONCE", 37)
    assert near_copy_groups(texts).tolist() == expected.tolist()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=100), st.integers(2, 6))
def test_a_group_is_in_one_fold(numbers: list[int], folds: int) -> None:
    groups = np.array(numbers, dtype=np.int64)
    assigned = assign_folds(groups, folds, seed=1)
    assert assigned.shape == groups.shape
    assert 0 <= assigned.min() <= assigned.max() < folds
    for number in set(numbers):
        assert len(set(assigned[groups == number].tolist())) == 1


def test_folds_are_of_like_size_and_the_same_for_the_same_seed() -> None:
    groups = np.arange(103)
    assigned = assign_folds(groups, 5, seed=7)
    assert sorted(np.bincount(assigned).tolist()) == [20, 20, 21, 21, 21]
    assert (assigned == assign_folds(groups, 5, seed=7)).all()
    assert (assigned != assign_folds(groups, 5, seed=8)).any()


def test_the_newest_share_is_the_newest_by_full_date() -> None:
    dates = ["2023-01-05", "2021-01-01", "2023", "", "2022-06-01T10:00:00", "2023-01-05T08:00:00"]
    rows = [row(number, date) for number, date in enumerate(dates)]
    assert np.flatnonzero(newest_share(rows, 0.5)).tolist() == [0, 5]
    assert np.flatnonzero(newest_share(rows, 0.75)).tolist() == [0, 4, 5]


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.2, 2), (1.0, 10)])
def test_the_share_is_of_the_rows_with_a_date(share: float, count: int) -> None:
    rows = [row(number, f"2022-01-{number + 1:02}") for number in range(10)] + [row(99, "2024")]
    mask = newest_share(rows, share)
    assert mask.sum() == count
    assert not mask[-1]


def test_rows_without_dates_have_no_newest() -> None:
    assert not newest_share([row(1, ""), row(2, "2023")], 0.5).any()
