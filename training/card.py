"""The model card: what a bundle is, for whom and how good, in the form of the Dutch Algorithm Register."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from training.figures import Figure
    from training.report import Report

_HEADS = {
    "sector": "sektor (urusan) pemerintahan",
    "urgency": "tingkat urgensi, 0 sampai 3",
    "jurisdiction": "kewenangan: pemerintah mana yang boleh bertindak",
    "completeness": "kelengkapan: cukup jelas untuk ditangani atau tidak",
}
_METRICS = {
    "sector_accuracy": ("accuracy", "Sector right"),
    "sector_top3": ("top_3_accuracy", "Sector among the first three"),
    "sector_macro_f1": ("f1", "Sector macro-F1"),
    "auto_share": ("coverage", "Share routed without a person"),
    "agency_accuracy": ("accuracy", "Agency right"),
    "urgency_kappa": ("cohen_kappa", "Urgency quadratic kappa"),
    "jurisdiction_macro_f1": ("f1", "Jurisdiction macro-F1"),
    "incomplete_f1": ("f1", "Incomplete F1"),
}


def card_text(report: Report) -> str:
    """The card as Markdown: front matter as the Hugging Face Hub reads it, then the register's three parts.

    What only the government that uses the bundle knows is left for it to fill in, marked with "[isi: ...]".
    """
    found: dict[str, Figure | None] = {name: getattr(report.figures, name) for name in _METRICS}
    metrics = [
        (kind, title, round(figure.value, 4))
        for (kind, title), figure in zip(_METRICS.values(), found.values(), strict=True)
        if figure is not None
    ]
    # Markdown, not HTML: nothing in it comes from citizens, and quotes must stay what they are.
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["yaml"] = _yaml
    pages.filters["figure"] = _figure
    pages.filters["share"] = _share
    return pages.get_template("card.md").render(report=report, metrics=metrics, heads=_HEADS)


def _yaml(text: str) -> str:
    """A text in quotes: JSON's are YAML's too."""
    return json.dumps(text, ensure_ascii=False)


def _figure(figure: Figure | None) -> str:
    """A share with its interval, as an Indonesian reads it."""
    if figure is None:
        return "tidak diukur"
    return f"{_share(figure.value)} (selang 95 %: {_share(figure.low)} sampai {_share(figure.high)}; n={figure.rows})"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %".replace(".", ",")
