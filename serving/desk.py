"""The moderators' desk: server-rendered pages in Indonesian that work without JavaScript."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from data.complaint import Complaint, Confidentiality, Jurisdiction, Urgency
from data.region import Region, load_region
from data.sectors import find_sector
from model.completeness import SlotState
from model.routing import REASON_TEXTS, Reason
from model.text import TextChain, shown_word
from serving.access import Access, Session
from serving.case import NEXT, Case, LabelSource, Status, Verdict
from serving.pages import MessagePage, message, render
from serving.privacy import Action, record
from serving.signin import SIGN_IN_PATHS, DeskRoute, Door
from serving.store import AlreadyDecided, NoSuchCase, Taken
from serving.triage import Triage

PAGE_SIZE = 50
LONGEST_NOTE = 2_000
DESK_PATHS = ("/antrean", "/kasus", *SIGN_IN_PATHS)
_WORDS_SHOWN = 8
_OPENING_SHOWN = 140
# A word is listed, and marked in the text, from this share of the strongest word's contribution on.
_LISTED_FROM, _MARKED_FROM = 0.05, 0.2
_JURISDICTION = {
    Jurisdiction.LOCAL: "Ada pada pemerintah daerah ini.",
    Jurisdiction.PROVINCE: "Tampaknya ada pada pemerintah provinsi.",
    Jurisdiction.CENTRAL: "Tampaknya ada pada pemerintah pusat.",
    Jurisdiction.PRIVATE: "Tampaknya tidak ada pada pemerintah, karena ini perkara swasta atau perorangan.",
    Jurisdiction.UNCLEAR: "Belum jelas siapa yang berwenang.",
}
_SLOTS = {"place": "tempat", "object": "hal atau layanan yang dilaporkan", "problem": "masalahnya"}
_ZONE = timezone(timedelta(hours=7), "WIB")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"]
_STATUS = {
    Status.ROUTED: "Diteruskan otomatis",
    Status.WAITING: "Menunggu putusan",
    Status.DECIDED: "Sudah diputuskan",
    Status.RETURNED: "Dikembalikan instansi",
    Status.FORGOTTEN: "Dihapus",
}
_SOURCE = {LabelSource.HUMAN_ACCEPTED: "usulan diterima", LabelSource.HUMAN_CORRECTED: "usulan dikoreksi"}
_CONFIDENTIALITY = {
    Confidentiality.TERBUKA: "Terbuka",
    Confidentiality.ANONIM: "Anonim",
    Confidentiality.RAHASIA: "Rahasia",
}


@dataclass(frozen=True)
class UrgencyView:
    level: int
    name: str


@dataclass(frozen=True)
class OptionView:
    """A choice in the form: `value` is what is sent, `agency/sector`."""

    value: str
    agency: str
    sector: str
    percent: str = ""


@dataclass(frozen=True)
class QueueLine:
    id: str
    opening: str
    agency: str
    sector: str
    percent: str
    urgency: UrgencyView | None
    received: str


@dataclass(frozen=True)
class QueuePage:
    """What `/antrean` shows: the waiting cases, or those the program routed by itself."""

    lines: list[QueueLine]
    shows_routed: bool
    count: int
    page: int
    has_next: bool
    notice: str


@dataclass(frozen=True)
class Piece:
    """A piece of the complaint's text, and whether it is a word that decided."""

    text: str
    decided: bool


@dataclass(frozen=True)
class WordView:
    word: str
    speaks_for: bool
    share: int


@dataclass(frozen=True)
class NoteView:
    """Something to know before deciding, and the draft of what to write to the citizen, if any."""

    title: str
    text: str
    draft: str = ""


@dataclass(frozen=True)
class SimilarView:
    id: str
    percent: str
    is_duplicate: bool
    age: str


@dataclass(frozen=True)
class ReviewView:
    agency: str
    sector: str
    urgency: UrgencyView
    source: str
    decided: str
    note: str


@dataclass(frozen=True)
class SentForm:
    """What the form holds: the suggestion at first, what was sent when it comes back."""

    choice: str
    other: str
    urgency: str
    note: str


@dataclass(frozen=True)
class CasePage:
    """What `/kasus/{id}` shows. `problem` is what was wrong with a verdict that was just sent."""

    id: str
    status: str
    is_open: bool
    is_emptied: bool
    title: list[Piece]
    text: list[Piece]
    location: str
    area: str
    channel: str
    confidentiality: str
    region: str
    received: str
    suggestion: OptionView | None
    suggestion_name: str
    percent: str
    reasons: list[str]
    notes: list[NoteView]
    similar: list[SimilarView]
    words: list[WordView]
    alternatives: list[OptionView]
    likely: list[OptionView]
    others: list[OptionView]
    urgencies: list[UrgencyView]
    review: ReviewView | None
    form: SentForm
    problem: str


def desk_routes(triage: Triage, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The desk's pages over one triage, for signed-in moderators; each sees the cases of their own region."""
    door = Door(access, secure_cookies)
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        # Said here as well, so that no page is ever open because its route forgot to ask who is there.
        dependencies=[Depends(door.moderator)],
    )

    @routes.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/antrean")

    @routes.get("/antrean")
    def queue(
        halaman: str = "1",
        lihat: str = "",
        selesai: str = "",
        sandi: str = "",
        moderator: Session = Depends(door.moderator),
    ) -> HTMLResponse:
        number = int(halaman) if re.fullmatch(r"[1-9][0-9]{0,6}", halaman) else 1
        routed, region = lihat == "diteruskan", moderator.caller.region
        list_cases = triage.store.routed if routed else triage.store.waiting
        found = list_cases(PAGE_SIZE + 1, (number - 1) * PAGE_SIZE, region)
        notice = f"Putusan untuk kasus {selesai[:8]} tersimpan." if re.fullmatch(r"[0-9a-f-]{36}", selesai) else ""
        notice = notice or ("Sandi Anda sudah diganti." if sandi == "diganti" else "")
        lines = [_queue_line(case) for case in found[:PAGE_SIZE]]
        count = triage.store.count(Status.ROUTED if routed else Status.WAITING, region)
        page = QueuePage(lines, routed, count, number, len(found) > PAGE_SIZE, notice)
        return render("queue.html", page, moderator)

    def shown(case: Case, moderator: Session, sent: SentForm | None = None, problem: str = "") -> CasePage:
        """The page of a case. That a secret one was looked at is on record before it is seen."""
        if case.confidentiality is Confidentiality.RAHASIA:
            record(triage.store, moderator.caller.name, Action.LOOK, case.id)
        return case_page(case, triage.bundle.chain, sent, problem)

    @routes.get("/kasus/{case_id}")
    def case(case_id: str, moderator: Session = Depends(door.moderator)) -> HTMLResponse:
        try:
            found = triage.store.get(case_id, moderator.caller.region)
        except NoSuchCase:
            return _no_such_case(moderator)
        return render("case.html", shown(found, moderator), moderator)

    @routes.post("/kasus/{case_id}/putusan")
    def decide(
        case_id: str,
        pilihan: Annotated[str, Form()] = "",
        instansi_lain: Annotated[str, Form()] = "",
        urgensi: Annotated[str, Form()] = "",
        catatan: Annotated[str, Form()] = "",
        tinjau: Annotated[str, Form()] = "",
        moderator: Session = Depends(door.moderator),
    ) -> Response:
        caller, note = moderator.caller, _plain_note(catatan)
        try:
            found = triage.store.get(case_id, caller.region)
        except NoSuchCase:
            return _no_such_case(moderator, note)
        sent = SentForm(pilihan, instansi_lain, urgensi, note)
        verdict, problem = _parse_verdict(load_region(found.complaint.region), sent)
        # After signing in again one looks once more before anything is stored.
        if tinjau and _is_open(found):
            problem = "Anda sudah masuk lagi. Putusan ini belum tersimpan: periksa, lalu simpan."
            return render("case.html", shown(found, moderator, sent, problem), moderator)
        if verdict is None:
            return render("case.html", shown(found, moderator, sent, problem), moderator, 422)
        try:
            triage.decide(case_id, verdict, by=caller.name, region=caller.region)
        except AlreadyDecided:
            text = "Kasus ini sudah diputuskan sebelumnya. Putusan Anda tidak disimpan."
            return message(MessagePage("Sudah diputuskan", text, note), moderator, 409)
        except Taken:
            text = "Kasus ini sedang dikerjakan orang lain. Putusan Anda tidak disimpan."
            return message(MessagePage("Sedang dikerjakan", text, note), moderator, 409)
        return RedirectResponse(f"/antrean?selesai={case_id}", 303)

    return routes


def case_page(case: Case, chain: TextChain, sent: SentForm | None = None, problem: str = "") -> CasePage:
    """The page of one case; `sent` and `problem` are of a verdict that was refused."""
    region, answer = load_region(case.complaint.region), case.answer
    detail = answer.detail
    words = [(entry["word"], entry["contribution"]) for entry in detail["explanation"]["words"]]
    strongest = max((abs(contribution) for _, contribution in words), default=0.0)
    deciding = {word for word, contribution in words if contribution > _MARKED_FROM * strongest}
    alternatives = [
        _option(region, entry["agency"], entry["sector"], entry["probability"])
        for entry in detail["alternatives"]
        if entry["agency"]
    ]
    options = _all_options(region)
    suggestion = _option(region, answer.agency, answer.sector, answer.probability) if answer.agency else None
    return CasePage(
        id=case.id,
        status=_STATUS[case.status],
        is_open=_is_open(case),
        is_emptied=case.emptied_at is not None,
        title=marked_pieces(case.complaint.title, deciding, chain),
        text=marked_pieces(case.complaint.text, deciding, chain),
        location=case.complaint.location,
        area=answer.area or "",
        channel=case.channel,
        confidentiality=_CONFIDENTIALITY[case.confidentiality],
        region=region.name,
        received=_time(case.received_at),
        suggestion=suggestion,
        suggestion_name=suggestion.agency
        if suggestion
        else f"{find_sector(answer.sector).name}: wilayah belum diketahui",
        percent=_percent(answer.probability),
        reasons=[REASON_TEXTS[Reason(code)] for code in detail["reasons"]],
        notes=_return_notes(case, region) + _notes(answer.detail, region),
        similar=_similar(answer.detail),
        words=[
            WordView(word, contribution > 0, round(100 * abs(contribution) / strongest) if strongest else 0)
            for word, contribution in words[:_WORDS_SHOWN]
            if abs(contribution) > _LISTED_FROM * strongest
        ],
        alternatives=alternatives,
        likely=[option for option in options if option.value.endswith(f"/{answer.sector}")],
        others=[option for option in options if not option.value.endswith(f"/{answer.sector}")],
        urgencies=[_urgency(level) for level in Urgency],
        review=_review(case, region),
        form=sent or SentForm(suggestion.value if suggestion else "lain", "", str(answer.urgency), ""),
        problem=problem,
    )


def _is_open(case: Case) -> bool:
    """Whether the case may still be decided, if only to correct where it went by itself."""
    return Status.DECIDED in NEXT[case.status]


def _return_notes(case: Case, region: Region) -> list[NoteView]:
    """Who sent the case back, when and why, if it waits because of that."""
    if case.status is not Status.RETURNED or case.returned is None:
        return []
    returned = case.returned
    office = region.all_agencies.get(returned.agency)
    told = f"Oleh {office.name if office else returned.agency or 'instansi'}, {_time(returned.returned_at)}."
    return [NoteView("Dikembalikan", f"{told} Alasan: {returned.reason}" if returned.reason else told)]


def _notes(detail: dict[str, Any], region: Region) -> list[NoteView]:
    """What is worth knowing of jurisdiction, completeness, urgency and a second matter; old cases lack some of it."""
    notes = []
    if detail.get("urgency_reasons"):
        notes.append(NoteView("Tanda bahaya", f"Terbaca dalam laporan: {', '.join(detail['urgency_reasons'])}."))
    jurisdiction, completeness, split = (detail.get(name) for name in ("jurisdiction", "completeness", "split"))
    if jurisdiction and jurisdiction["referral"]:
        who = f" Dapat dirujuk ke {jurisdiction['responsible']}." if jurisdiction["responsible"] else ""
        text = _JURISDICTION[Jurisdiction(jurisdiction["level"])] + who
        notes.append(NoteView("Kewenangan", text, jurisdiction["referral"]))
    if completeness and completeness["question"]:
        missing = [_SLOTS[slot["name"]] for slot in completeness["slots"] if slot["state"] == SlotState.MISSING]
        text = f"Belum disebut: {', '.join(missing)}." if missing else "Laporan ini mungkin belum jelas."
        notes.append(NoteView("Kelengkapan", text, completeness["question"]))
    if split:
        both = [_option(region, choice["agency"] or "", choice["sector"]) for choice in split["choices"]]
        text = " serta ".join(option.agency or option.sector for option in both)
        notes.append(NoteView("Dua perkara", f"Mungkin untuk {text}, peluang {_percent(split['probability'])}."))
    return notes


def _similar(detail: dict[str, Any]) -> list[SimilarView]:
    return [
        SimilarView(found["case_id"], _percent(found["similarity"]), found["is_duplicate"], _age(found["days_apart"]))
        for found in detail.get("similar", [])
    ]


def _age(days: float) -> str:
    return "kurang dari sehari sebelumnya" if days < 1 else f"{days:.0f} hari sebelumnya"


def marked_pieces(text: str, deciding: set[str], chain: TextChain) -> list[Piece]:
    """The text cut at white space, each piece marked if the model reads a deciding word in it."""
    pieces = re.findall(r"\s+|\S+", text)
    alone = [_words(piece, chain) for piece in pieces]
    marked = []
    for place, piece in enumerate(pieces):
        # Words and white space take turns, so that a word's neighbours are two places away.
        before = alone[place - 2] if place >= 2 else []
        after = alone[place + 2] if place + 2 < len(pieces) else []
        together = _words("".join(pieces[max(place - 2, 0) : place + 3]), chain) if alone[place] else []
        read = together[len(before) : len(together) - len(after)]
        # Where the neighbours are read otherwise beside the piece, which words are its own can't be told.
        if before + read + after != together:
            read = alone[place]
        marked.append(Piece(piece, not deciding.isdisjoint(read)))
    return marked


def _words(text: str, chain: TextChain) -> list[str]:
    """The words that the model reads in a text, as people are shown them."""
    return list(map(shown_word, chain.prepare(Complaint(text)).words.split()))


def _parse_verdict(region: Region, sent: SentForm) -> tuple[Verdict | None, str]:
    """The verdict that a form holds, or what is wrong with it, all of it, in Indonesian."""
    problems = []
    chosen = sent.other if sent.choice == "lain" else sent.choice
    agency, _, sector = chosen.rpartition("/")
    if chosen not in {option.value for option in _all_options(region)}:
        problems.append("Pilih instansi yang harus menjawab.")
    if sent.urgency not in {str(int(level)) for level in Urgency}:
        problems.append("Pilih tingkat urgensi.")
    if len(sent.note) > LONGEST_NOTE:
        problems.append(f"Catatan paling panjang {LONGEST_NOTE} huruf; yang dikirim {len(sent.note)}.")
    if problems:
        return None, " ".join(problems)
    return Verdict(sector, agency, int(sent.urgency), sent.note), ""


def _plain_note(note: str) -> str:
    """A note with one character a line end, as the browser counted it, and no control characters."""
    whole = note.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", " ", whole).strip()


def _all_options(region: Region) -> list[OptionView]:
    """Every sector with the agency that answers for it, then every area's office."""
    return [
        _option(region, agency.code, sector)
        for agency in region.all_agencies.values()
        for sector in agency.sectors or ((agency.label_sector,) if agency.label_sector else ())
    ]


def _option(region: Region, agency: str, sector: str, probability: float | None = None) -> OptionView:
    office = region.all_agencies.get(agency)
    return OptionView(
        value=f"{agency}/{sector}",
        agency=office.name if office else agency,
        sector=find_sector(sector).name,
        percent="" if probability is None else _percent(probability),
    )


def _queue_line(case: Case) -> QueueLine:
    region, answer = load_region(case.complaint.region), case.answer
    office = region.all_agencies.get(answer.agency) if answer.agency else None
    unreadable = Reason.UNREADABLE.value in answer.detail["reasons"]
    # Each look at a secret case is on record, so the list shows nothing of it.
    is_secret = case.confidentiality is Confidentiality.RAHASIA
    opening = "Laporan rahasia" if is_secret else " ".join((case.complaint.title or case.complaint.text).split())
    return QueueLine(
        id=case.id,
        opening=opening if len(opening) <= _OPENING_SHOWN else opening[:_OPENING_SHOWN] + " …",
        agency="Tidak terbaca" if unreadable else office.name if office else "Wilayah belum diketahui",
        sector=find_sector(answer.sector).name,
        percent=_percent(answer.probability),
        urgency=None if answer.urgency is None else _urgency(answer.urgency),
        received=_time(case.received_at),
    )


def _review(case: Case, region: Region) -> ReviewView | None:
    if case.review is None:
        return None
    verdict = case.review.verdict
    option = _option(region, verdict.agency, verdict.sector)
    who = case.review.reviewer.rpartition(":")[2]
    return ReviewView(
        agency=option.agency,
        sector=option.sector,
        urgency=_urgency(verdict.urgency),
        source=_SOURCE[case.review.label_source],
        decided=_time(case.review.decided_at) + (f" oleh {who}" if who else ""),
        note=verdict.note,
    )


def _urgency(level: int) -> UrgencyView:
    return UrgencyView(int(level), Urgency(level).name.capitalize())


def _percent(probability: float) -> str:
    """A probability in per cent; never 100 or 0, which no model can know."""
    share = (
        "lebih dari 99" if probability > 0.99 else "kurang dari 1" if probability < 0.01 else f"{probability * 100:.0f}"
    )
    return f"{share}\N{NO-BREAK SPACE}%"


def _time(moment: datetime) -> str:
    """A time as people in western Indonesia read it: "24 Nov 2026 08.15 WIB"."""
    local = moment.astimezone(_ZONE)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year} {local:%H.%M} WIB"


def error_page(status: int) -> HTMLResponse:
    """What a moderator sees of an error that no page foresaw."""
    if status == 404:
        return _no_such_case(None)
    text = "Ada gangguan, jadi tidak ada yang disimpan. Coba lagi sebentar; bila tetap gagal, hubungi pengelola sistem."
    return message(MessagePage("Ada gangguan", text), None, status)


def _no_such_case(moderator: Session | None, typed: str = "") -> HTMLResponse:
    text = "Tidak ada kasus dengan nomor itu. Mungkin alamatnya terpotong."
    return message(MessagePage("Tidak ditemukan", text, typed), moderator, 404)
