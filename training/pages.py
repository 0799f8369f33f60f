"""Pages of reports: each whole in itself, with the project's own style and nothing that is fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).with_name("templates")


def page_of(template: str, filters: Mapping[str, Callable[..., Any]], **shown: Any) -> str:
    """A page of `templates` with what it shows, through filters of its own; its `style` is the reports'."""
    pages = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= filters
    style = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))  # noqa: S704  (the project's own file)
    return pages.get_template(template).render(style=style, **shown)
