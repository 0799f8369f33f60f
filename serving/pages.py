"""How a page is made: a template, a frozen dataclass with what it shows, and who is signed in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.access import Session

environment = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class MessagePage:
    """A page that only says something; `typed` is what the moderator wrote and shouldn't lose."""

    title: str
    text: str
    typed: str = ""
    way_on: str = "/antrean"
    way_on_name: str = "Kembali ke antrean"


def render(template: str, page: Any, visitor: Session | None, status: int = 200) -> HTMLResponse:
    """The page, a dataclass, in its template. Templates see its fields, and `visitor`: who is signed in, if anybody."""
    return HTMLResponse(environment.get_template(template).render(asdict(page), visitor=visitor), status)


def message(page: MessagePage, visitor: Session | None, status: int) -> HTMLResponse:
    """A page that only says something."""
    return render("message.html", page, visitor, status)
