"""Charts as SVG to stand in a page: by Matplotlib, which this module alone knows and imports only once one is drawn.

A text of two languages is "Indonesian‖English"; each becomes an element with its `lang`, and the page's style shows
one. The same numbers give the same bytes: no date, and element ids from the chart's name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from training.learning import LearningCurve
    from training.quality import Curve
    from training.reliability import Bin

_BETWEEN = "‖"
# Blue and vermilion of Okabe and Ito, which colour-blind readers tell apart; styles and words tell them apart in grey.
_BLUE, _RED, _INK, _GREY = "#0072b2", "#b34700", "#1b2430", "#6b7480"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "disposisi",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_SMALL = 8


def both(indonesian: str, english: str) -> str:
    """A text of a chart in both languages."""
    return f"{indonesian}{_BETWEEN}{english}"


def curve_chart(curve: Curve) -> str:
    """Precision by coverage, with its 95 % band, the promised precision and the point the threshold makes."""

    def draw(axes: Axes) -> None:
        x = [100 * point.coverage for point in curve.points]
        low, high = (
            [100 * value for value in side] for side in zip(*((p.low, p.high) for p in curve.points), strict=True)
        )
        axes.fill_between(x, low, high, color=_BLUE, alpha=0.15, linewidth=0)
        axes.plot(x, [100 * point.precision for point in curve.points], color=_BLUE, linewidth=2)
        target, floor = 100 * curve.target, _floor(min(low), 100 * curve.target)
        axes.axhline(target, color=_INK, linestyle="--", linewidth=1)
        axes.text(
            100,
            target + (100 - floor) * 0.015,
            both(f"janji {target:.0f} %", f"promise {target:.0f} %"),
            ha="right",
            va="bottom",
        )
        if curve.chosen:
            _mark(axes, 100 * curve.chosen.coverage, 100 * curve.chosen.precision, floor)
        axes.set(xlim=(0, 100), ylim=(floor, 101))
        _percent(axes)
        _name_axes(
            axes,
            both(
                "laporan yang diteruskan otomatis, dari yang paling yakin", "complaints routed alone, the surest first"
            ),
            both("sektor benar di antaranya", "of those, sector right"),
        )

    title = both("Ketepatan menurut cakupan", "Precision by coverage")
    return _svg("curve", title, draw, (5.0, 3.4))


def reliability_chart(name: str, bins: Sequence[Bin], title: str) -> str:
    """What was said against what happened, a point with its interval for each bin; on the diagonal they are equal."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=_INK, linestyle="--", linewidth=1)
        most = max(each.rows for each in bins)
        for each in bins:
            x, y = 100 * each.probability, 100 * each.share
            axes.plot([x, x], [100 * each.low, 100 * each.high], color=_GREY, linewidth=1)
            axes.plot(
                [x],
                [y],
                "o",
                color=_BLUE,
                markersize=4 + 6 * (each.rows / most) ** 0.5,
                markeredgecolor="white",
                clip_on=False,
            )
            # Above the interval, or below it where the frame ends.
            above = each.high < 0.9
            edge = 100 * (each.high if above else each.low)
            axes.text(
                x,
                edge + (2 if above else -2),
                str(each.rows),
                fontsize=_SMALL,
                ha="center",
                va="bottom" if above else "top",
            )
        axes.set(xlim=(0, 103), ylim=(0, 103))
        _percent(axes)
        _name_axes(axes, both("peluang yang disebut", "probability told"), both("kenyataannya", "what happened"))

    return _svg(f"reliability-{name}", title, draw, (3.4, 3.2))


def learning_chart(curve: LearningCurve) -> str:
    """The share of right sectors by the rows learned from, each with its 95 % interval and its number."""

    def draw(axes: Axes) -> None:
        x = [step.rows for step in curve.steps]
        y = [100 * step.accuracy.value for step in curve.steps]
        low, high = (
            [100 * v for v in side]
            for side in zip(*((s.accuracy.low, s.accuracy.high) for s in curve.steps), strict=True)
        )
        axes.vlines(x, low, high, color=_GREY, linewidth=1)
        axes.plot(x, y, "o-", color=_BLUE, linewidth=2, markeredgecolor="white", markersize=7)
        for rows, value, top in zip(x, y, high, strict=True):
            axes.text(rows, top + 0.5, f"{value:.0f} %", ha="center", va="bottom")
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [str(rows) for rows in x])
        axes.minorticks_off()
        axes.set_xlim(x[0] / 1.3, x[-1] * 1.3)
        axes.set_ylim(max(0.0, min(low) - 4), min(104.0, max(high) + 6))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
        _name_axes(
            axes, both("baris nyata yang dipelajari", "real rows learned from"), both("sektor benar", "sector right")
        )

    return _svg("learning", both("Kurva belajar", "Learning curve"), draw, (5.0, 3.0))


def _mark(axes: Axes, x: float, y: float, floor: float) -> None:
    """The chosen point, with its numbers on the side that has room."""
    axes.plot([x], [y], "D", color=_RED, markersize=9, markeredgecolor="white")
    axes.plot([x, x], [floor, y], color=_RED, linestyle=":", linewidth=1)
    left = x > 50
    words = both(f"ambang: {x:.0f} % diteruskan, {y:.0f} % benar", f"threshold: {x:.0f} % routed, {y:.0f} % right")
    axes.text(x + (-2 if left else 2), floor + (100 - floor) * 0.05, words, ha="right" if left else "left", color=_RED)


def _floor(lowest: float, target: float) -> float:
    """Where the scale begins: a ten below all that is shown, so that what matters isn't squeezed."""
    return float(max(0, 10 * np.floor((min(lowest, target) - 2) / 10)))


def _percent(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")


def _name_axes(axes: Axes, x: str, y: str) -> None:
    """Names of the axes, both level: a text that stands upright is hard to read."""
    axes.set_xlabel(x)
    axes.text(0.0, 1.04, y, transform=axes.transAxes, ha="left", va="bottom")


def _svg(name: str, title: str, draw: Callable[[Axes], None], inches: tuple[float, float]) -> str:
    """Draw on axes of a figure of that size and give its SVG, fit to stand in a page among others."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=inches)
        wide, high = inches
        axes = figure.add_axes((0.5 / wide, 0.55 / high, 1 - 0.8 / wide, 1 - 0.9 / high))
        draw(axes)
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
    return _for_a_page(written.getvalue(), name, title)


def _for_a_page(svg: str, name: str, title: str) -> str:
    """The SVG without what only a file of its own needs, with ids and a name of its own, and in two languages."""
    svg = re.sub(
        r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL
    )
    [box] = re.findall(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    body = body.replace("xlink:href", "href").replace("'DejaVu Sans'", "sans-serif")
    body = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(rf"<text([^>]*)>([^<{_BETWEEN}]*){_BETWEEN}([^<]*)</text>", _in_both, body)
    label = escape(" / ".join(title.split(_BETWEEN)))
    return f'<svg {box} role="img" aria-label="{label}">{re.sub(chr(10) + r" *", chr(10), body)}'


def _in_both(match: re.Match[str]) -> str:
    attributes, indonesian, english = match.groups()
    return f'<text lang="id"{attributes}>{indonesian}</text><text lang="en"{attributes}>{english}</text>'
