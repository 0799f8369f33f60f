"""The desk's pages as its tests read them: taken apart and checked, their forms sent as a browser would."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx2
from starlette.testclient import TestClient

from data.complaint import Complaint
from serving.access import Access
from serving.case import Case, Review
from serving.triage import Intake, Triage
from tests.serving.clients import PASSWORD

RUBBISH = "Sampah menumpuk di pinggir kali Cirarab, baunya sampai ke rumah warga"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>&amp;"
# What is kept of it, and so what must be shown.
KEPT_SCRIPT = SCRIPT.replace("&amp;", "&")
# A Tuesday morning at work.
MORNING = datetime.fromisoformat("2026-11-24T09:00:00+07:00")
HEALTH = "Dinas Kesehatan: Kesehatan"
_VOID = {"meta", "link", "input", "img", "br", "hr"}
_POINTING = ("aria-labelledby", "aria-describedby", "list")


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, its forms' fields, and how they are nested."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.unlabelled: list[dict[str, str]] = []
        self.words: list[str] = []
        self.marked: list[str] = []
        self.script = ""
        # What a browser would send of each form, by where it goes.
        self.forms: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}
        self._area = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in ("input", "select", "textarea") and "label" not in self._open:
            self.unlabelled.append(attributes)
        if tag == "form":
            self._fields = self.forms.setdefault(attributes.get("action", ""), {})
        elif tag == "input" and (attributes.get("type") not in ("radio", "checkbox") or "checked" in attributes):
            self._fields[attributes.get("name", "")] = attributes.get("value", "")
        elif tag == "textarea":
            self._area = attributes.get("name", "")
            self._fields[self._area] = ""
        # The end of an option may be left out.
        if tag == "option" and self._open[-1] == "option":
            self._open.pop()
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "datalist" and self._open[-1:] == ["option"]:
            self._open.pop()
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "mark" in self._open:
            self.marked.append(data)
        if self._open[-1:] == ["script"]:
            self.script += data
        if self._open[-1:] == ["textarea"]:
            # A browser passes over the line end that a textarea begins with.
            before = self._fields[self._area]
            self._fields[self._area] = before + (data if before else data.removeprefix("\n"))

    def every(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self, start: str = "") -> list[str]:
        """Where the page's links lead, as far as that starts so."""
        return [link["href"] for link in self.every("a") if link["href"].startswith(start)]

    @property
    def verdict_forms(self) -> list[str]:
        """Where the forms for a verdict go."""
        return [action for action in self.forms if action.endswith("/putusan")]

    def hidden(self, name: str) -> list[str]:
        """The values of the hidden fields of that name."""
        return [box["value"] for box in self.every("input") if (box.get("type"), box.get("name")) == ("hidden", name)]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def checked(self, name: str) -> list[str]:
        """The values of the radio buttons of that name that are on."""
        return [box["value"] for box in self.every("input") if box.get("name") == name and "checked" in box]

    def choices(self, name: str) -> list[str]:
        """The values of all radio buttons of that name."""
        return [box["value"] for box in self.every("input") if box.get("name") == name and box.get("type") == "radio"]

    def offers(self, datalist: str) -> list[str]:
        """What a list of suggestions for a field holds."""
        place = next(n for n, (tag, each) in enumerate(self.elements) if tag == "datalist" and each["id"] == datalist)
        found = []
        for tag, attributes in self.elements[place + 1 :]:
            if tag != "option":
                break
            found.append(attributes["value"])
        return found


def checked_page(answer: httpx2.Response, status: int = 200) -> Page:
    """A page of that status that passes what every page must."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    page = Page(answer.text)
    assert page.every("html") == [{"lang": "id"}]
    assert len(page.every("h1")) == len(page.every("title")) == len(page.every("main")) == 1
    # One's own files only, nothing inline.
    assert all(script["src"].startswith("/static/") for script in page.every("script"))
    assert page.script == ""
    assert not page.every("style")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not any(value.lower().lstrip().startswith("javascript:") for value in attributes.values())
    _check_names(page)
    return page


def _check_names(page: Page) -> None:
    """Ids are there once, whatever points at one finds it, and every field has a label."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert not [name for name, count in Counter(ids).items() if count > 1]
    labelled = {label["for"] for label in page.every("label") if "for" in label}
    pointed = {attributes[name] for _, attributes in page.elements for name in _POINTING if name in attributes}
    assert labelled | pointed <= set(ids)
    assert not [box for box in page.unlabelled if box.get("type") != "hidden" and box.get("id") not in labelled]


class Hand:
    """A clock that is set by hand."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **time: float) -> None:
        """Let so many `hours`, `minutes`, `seconds` pass."""
        self.at += timedelta(**time)


def take_in(triage: Triage, text: str = RUBBISH, **more: Any) -> Case:
    told = {name: more.pop(name) for name in ("title", "location", "region") if name in more}
    return triage.receive(Intake(Complaint(text, **told), **more))


def suggestion(case: Case) -> dict[str, str]:
    """The fields that accept the suggestion."""
    assert case.answer.urgency is not None
    return {
        "jenis": "disposisi",
        "pilihan": f"{case.answer.agency}/{case.answer.sector}",
        "instansi_lain": "",
        "urgensi": str(case.answer.urgency),
        "catatan": "",
    }


def other_agency(label: str = HEALTH) -> dict[str, str]:
    """The fields that name an agency which isn't among the choices."""
    return {"pilihan": "lain", "instansi_lain": label}


def token_of(client: TestClient) -> dict[str, str]:
    """The hidden field that every form of this session holds."""
    return {"csrf": Page(client.get("/sandi").text).hidden("csrf")[0]}


def opened_form(client: TestClient, case: Case, query: str = "") -> dict[str, str]:
    """Open a case, which takes it, and give back the form as a browser would send it untouched."""
    return checked_page(client.get(f"/kasus/{case.id}{query}")).forms[f"/kasus/{case.id}/putusan"]


def post(client: TestClient, case: Case, form: dict[str, str], **headers: str) -> httpx2.Response:
    """Send a verdict's form as it is."""
    return client.post(f"/kasus/{case.id}/putusan", data=form, headers=headers)


def send(client: TestClient, case: Case, changes: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
    """Open a case, change some fields of its form, and send it."""
    return post(client, case, opened_form(client, case) | (changes or {}), **headers)


def review_of(triage: Triage, case: Case) -> Review:
    """The latest verdict on a case, which has one."""
    review = triage.store.get(case.id).review
    assert review is not None
    return review


def sign_in_as(client: TestClient, access: Access, name: str, region: str = "", scope: str = "review") -> TestClient:
    """The same client, from now on as a moderator of that name."""
    client.cookies.set(
        "disposisi", access.change_password(name, access.create_moderator(name, [scope], region), PASSWORD)
    )
    return client
