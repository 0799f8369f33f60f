"""Local and working time in SQL: a time's day in western Indonesia, and where in its working hours it lies."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, String, case, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from serving.working_time import HOURS_A_DAY, OPENS, ZONE, is_working_day, working_days

_OFFSET = int((ZONE.utcoffset(None) or timedelta()) / timedelta(hours=1))


class local_day(FunctionElement[str]):  # noqa: N801  (a function of SQL)
    """The day of a time in western Indonesia, as "2026-11-24"."""

    inherit_cache = True
    type = String()


class _local_hour(FunctionElement[float]):  # noqa: N801
    """The hours since midnight in western Indonesia of a time, with fractions."""

    inherit_cache = True
    type = Float()


def _whole_seconds(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    """SQLite rounds to a thousandth of a second, which would carry the last one of a day into the next."""
    return f"substr({compiler.process(element.clauses, **more)}, 1, 19)"


@compiles(local_day, "sqlite")
def _day_sqlite(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    return f"date({_whole_seconds(element, compiler, **more)}, '+{_OFFSET} hours')"


@compiles(local_day, "postgresql")
def _day_postgresql(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    return f"to_char({compiler.process(element.clauses, **more)} + interval '{_OFFSET} hours', 'YYYY-MM-DD')"


@compiles(_local_hour, "sqlite")
def _hour_sqlite(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    return f"((strftime('%s', {_whole_seconds(element, compiler, **more)}, '+{_OFFSET} hours') % 86400) / 3600.0)"


@compiles(_local_hour, "postgresql")
def _hour_postgresql(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    moment = f"({compiler.process(element.clauses, **more)} + interval '{_OFFSET} hours')"
    return f"(extract(epoch from {moment} - date_trunc('day', {moment})) / 3600.0)::float"


def opening_tenths(moment: Any) -> ColumnElement[int]:
    """Tenths of an hour from the opening of offices to a column's time, within the day: 0 to 80."""
    since = _local_hour(moment) - OPENS
    return cast(func.round(case((since < 0, 0.0), (since > HOURS_A_DAY, HOURS_A_DAY), else_=since) * 10), Integer)


def working_hours(day: str, tenths: int) -> float:
    """Working hours from a fixed day to a time told as `local_day` and `opening_tenths`, as `working_days` counts."""
    before, is_worked = _of_day(day)
    return before + is_worked * tenths / 10


@lru_cache(10_000)
def _of_day(day: str) -> tuple[float, bool]:
    """The working hours before a day, and whether it is worked."""
    found = date.fromisoformat(day)
    return working_days(datetime.combine(found, time(), ZONE)) * HOURS_A_DAY, is_working_day(found)
