"""Dates in every form that exports and spreadsheets use become ISO 8601 text, and nothing else does."""

from __future__ import annotations

import pytest

from data.dates import parse_date


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("", ""),
        ("   ", ""),
        ("2024", "2024"),
        ("2024-01", "2024-01"),
        ("2024-1", "2024-01"),
        ("2024-01-18", "2024-01-18"),
        ("2024-1-8", "2024-01-08"),
        (" 2024-01-18 ", "2024-01-18"),
        ("2024-01-18T07:30:00", "2024-01-18T07:30:00"),
        ("2024-01-18 07:30", "2024-01-18T07:30:00"),
        ("2024-01-18T07:30:00.123456", "2024-01-18T07:30:00"),
        ("2024-01-18T07:30:00Z", "2024-01-18T07:30:00Z"),
        ("2024-01-18T07:30:00+07:00", "2024-01-18T07:30:00+07:00"),
        ("18 Jan 2024", "2024-01-18"),
        ("1 Jan 2024", "2024-01-01"),
        ("18 Januari 2024", "2024-01-18"),
        ("18 JANUARI 2024", "2024-01-18"),
        ("18-Agu-2024", "2024-08-18"),
        ("18 Agt. 2024", "2024-08-18"),
        ("17 Agustus 2023 14:05:09", "2023-08-17T14:05:09"),
        ("17 Agustus 2023, 14.05", "2023-08-17T14:05:00"),
        ("18/01/2024", "2024-01-18"),
        ("8/1/2024", "2024-01-08"),
        ("18-01-2024", "2024-01-18"),
        ("18.01.2024", "2024-01-18"),
        ("18/01/2024 07:30", "2024-01-18T07:30:00"),
        ("29 Februari 2024", "2024-02-29"),
    ],
)
def test_a_date_becomes_iso_text(text: str, iso: str) -> None:
    assert parse_date(text) == iso


@pytest.mark.parametrize(
    ("names", "month"),
    [
        ("Jan Januari January", 1),
        ("Feb Peb Februari February", 2),
        ("Mar Maret March", 3),
        ("Apr April", 4),
        ("Mei May", 5),
        ("Jun Juni June", 6),
        ("Jul Juli July", 7),
        ("Agu Agt Agust Aug Agustus August", 8),
        ("Sep Sept September", 9),
        ("Okt Oct Oktober October", 10),
        ("Nov Nop November", 11),
        ("Des Dec Desember December", 12),
    ],
)
def test_every_month_is_known_in_indonesian_and_english(names: str, month: int) -> None:
    assert {parse_date(f"3 {name} 2024") for name in names.split()} == {f"2024-{month:02}-03"}


def test_the_day_comes_before_the_month() -> None:
    assert parse_date("03/04/2024") == "2024-04-03"


@pytest.mark.parametrize(
    "text",
    [
        "kemarin",
        "18 Januarius 2024",
        "18 Jan 24",
        "Jan 2024",
        "31 Februari 2024",
        "29/02/2023",
        "01/18/2024",
        "0/1/2024",
        "2024-00",
        "2024-13",
        "2024-02-30",
        "20240118",
        "202",
        "45309",
        "2024-01-18T25:00",
        "2024-01-18 07:60",
        "2024-01-18 pagi",
        "18 Jan 2024 nanti",
        "2024-01-18\n2024-01-19",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reader of rows says what was expected
        parse_date(text)


@pytest.mark.parametrize(
    ("clock", "time"),
    [
        ("", ""),
        ("02:35:18", "T02:35:18"),
        ("2:35", "T02:35:00"),
        ("14.05", "T14:05:00"),
        ("14.05.09", "T14:05:09"),
        ("07:30:00.5", "T07:30:00"),
        ("07:30 +07:00", "T07:30:00+07:00"),
    ],
)
def test_a_clock_beside_the_date_is_added(clock: str, time: str) -> None:
    assert parse_date("18 Jan 2024", clock) == "2024-01-18" + time


@pytest.mark.parametrize("clock", ["24:00", "07:60", "pagi", "7", "-1:00"])
def test_a_clock_that_is_none_is_refused(clock: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_date("18 Jan 2024", clock)


def test_a_time_in_the_text_goes_before_the_clock_beside_it() -> None:
    assert parse_date("2024-01-18 07:30", "23:59") == "2024-01-18T07:30:00"


def test_a_date_without_a_day_has_no_clock() -> None:
    assert parse_date("2024", "23:59") == "2024"


def test_iso_text_sorts_as_time_does() -> None:
    times = ["2023", "31 Des 2023", "1 Jan 2024", "01/01/2024 00:01", "2 Feb 2024", "10 Februari 2024", "2024-11-01"]
    assert [parse_date(t) for t in times] == sorted(parse_date(t) for t in times)


@pytest.mark.parametrize("text", ["٢٠٢٤", "٢٠٢٤-01-18", "२०२४"])
def test_digits_of_other_scripts_are_refused_because_they_do_not_sort(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_date(text)
