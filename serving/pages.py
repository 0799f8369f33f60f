"""How a page is made: a template, a frozen dataclass with what it shows, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.access import Session

# Where pages are, so that errors there are told by a page.
DESK_PATHS = (
    *("/antrean", "/kasus", "/tampilan", "/cari", "/bantuan", "/laporan", "/papan", "/pengaturan", "/model"),
    *("/masuk", "/keluar", "/sandi"),
)

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
    fields = {each.name: getattr(page, each.name) for each in fields_of(page)}
    return HTMLResponse(environment.get_template(template).render(fields, visitor=visitor), status)


def message(page: MessagePage, visitor: Session | None, status: int) -> HTMLResponse:
    """A page that only says something."""
    return render("message.html", page, visitor, status)


def error_page(status: int) -> HTMLResponse:
    """What a moderator sees of an error that no page foresaw."""
    if status == 404:
        return no_such_case(None)
    text = "Ada gangguan, jadi tidak ada yang disimpan. Coba lagi sebentar; bila tetap gagal, hubungi pengelola sistem."
    return message(MessagePage("Ada gangguan", text), None, status)


def no_such_case(visitor: Session | None, typed: str = "") -> HTMLResponse:
    """The page of an address that leads nowhere."""
    text = "Tidak ada kasus dengan nomor itu. Mungkin alamatnya terpotong."
    return message(MessagePage("Tidak ditemukan", text, typed), visitor, 404)
