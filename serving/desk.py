"""The moderators' desk: the queue, a case, and its verdict; pages in Indonesian that work without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from data.complaint import Confidentiality
from data.region import load_region
from serving.access import Access, Session
from serving.case import Case, Claim, Kind, Review, Verdict
from serving.case_page import Beside, CasePage, case_page, is_open
from serving.history import find_by_number, outcomes_of, verdicts_and_returns
from serving.pages import MessagePage, message, no_such_case, render
from serving.privacy import Action, record
from serving.queue import Choice, Queue
from serving.queue_page import PAGE_SIZE, case_address, choice_query, parse_choice, queue_page
from serving.reasons import KIND_NAMES
from serving.signin import DeskRoute, Door, own_form
from serving.store import AlreadyDecided, BadMerge, CannotUndo, ClaimGone, NoSuchCase, Taken
from serving.triage import Triage
from serving.verdict_form import SentForm, parse_verdict, read_form
from serving.views import LONGEST_NAME, TooManyViews, drop_view, save_view, views_of
from serving.wording import STATUS_NAMES, agency_name, clock

_CASE_ID = re.compile(r"[0-9a-f-]{36}")
# Cases that two moderators reach for at once: who comes second takes the next, so many times.
_TRIES = 5


@dataclass(frozen=True)
class Shortcuts:
    """What `/bantuan` shows; it needs nothing."""


class Desk:
    """What moderators do, over one triage; each sees the cases of their own region."""

    def __init__(self, triage: Triage) -> None:
        self.triage = triage
        self.queue = Queue(triage.store, triage.now)

    def list_cases(self, moderator: Session, fields: dict[str, str], problem: str = "", status: int = 200) -> Response:
        """The queue; a notice tells what has just been done."""
        region, written = moderator.caller.region, fields.get("halaman", "1")
        number = int(written) if re.fullmatch(r"[1-9][0-9]{0,6}", written) else 1
        choice = parse_choice(fields, region)
        done, undone = (_id_in(fields.get(name, "")) for name in ("selesai", "diurungkan"))
        notice = _saved(done) or ("Sandi Anda sudah diganti." if fields.get("sandi") == "diganti" else "")
        notice = notice or (f"Putusan untuk kasus {undone[:8]} diurungkan." if undone else "")
        page = queue_page(
            self.queue.lines(choice, PAGE_SIZE + 1, (number - 1) * PAGE_SIZE),
            self.queue.counts(choice.region),
            choice,
            region,
            self.triage.now(),
            page=number,
            views=views_of(self.triage.store, moderator.name),
            count=None if choice == Choice(choice.region) else self.queue.count(choice),
            notice=notice,
            problem=problem,
            undo=done,
        )
        return render("queue.html", page, moderator, status)

    def go_to_next(self, moderator: Session, choice: Choice, done: str = "", passed: str = "") -> Response:
        """The next case of a choice, taken for the moderator; the queue if none is left."""
        caller = moderator.caller
        query = choice_query(choice, caller.region)
        told = {"selesai": done} if done else {}
        for _ in range(_TRIES):
            found = self.queue.next_free(choice, caller.name, passed)
            if found is None:
                break
            try:
                self.triage.claim(found, by=caller.name, region=caller.region)
            except (Taken, AlreadyDecided, NoSuchCase):
                continue
            return RedirectResponse(case_address(found, query, **told), 303)
        rest = "&".join(part for part in (f"selesai={done}" if done else "", query) if part)
        return RedirectResponse("/antrean" + (f"?{rest}" if rest else ""), 303)

    def open_case(self, moderator: Session, case_id: str, fields: dict[str, str]) -> Response:
        """A case's page; whoever may decide it has it from now on, for a while."""
        try:
            case = self.triage.store.get(case_id, moderator.caller.region)
        except NoSuchCase:
            return no_such_case(moderator)
        done, undone = _id_in(fields.get("selesai", "")), fields.get("diurungkan") == "ya"
        notice = _saved(done) or ("Putusan diurungkan." if undone else "")
        return self._shown(moderator, case, fields, notice=notice, undo=done)

    def decide(self, moderator: Session, case_id: str, fields: dict[str, str]) -> Response:
        """Keep a verdict, and go on to the next case; or the form again, with everything that was wrong with it."""
        caller, sent = moderator.caller, read_form(fields)
        try:
            case = self.triage.store.get(case_id, caller.region)
        except NoSuchCase:
            return no_such_case(moderator, sent.typed)
        if not is_open(case):
            return _too_late(moderator, case, sent)
        verdict, problems = parse_verdict(load_region(case.complaint.region), case.answer, sent, blind=case.is_blind)
        # After signing in again one looks once more before anything is stored.
        if fields.get("tinjau"):
            problems = ["Anda sudah masuk lagi. Putusan ini belum tersimpan: periksa, lalu simpan.", *problems]
            return self._shown(moderator, case, fields, sent, problems)
        if verdict is None:
            return self._shown(moderator, case, fields, sent, problems, status=422)
        return self._keep(moderator, case, fields, sent, verdict)

    def _keep(
        self, moderator: Session, case: Case, fields: dict[str, str], sent: SentForm, verdict: Verdict
    ) -> Response:
        caller, store = moderator.caller, self.triage.store
        try:
            if verdict.kind is Kind.MERGE:
                verdict = replace(
                    verdict, merged_into=find_by_number(store, verdict.merged_into, case.complaint.region)
                )
            seen = _whole(fields.get("melihat", ""))
            self.triage.decide(case.id, verdict, by=caller.name, region=caller.region, claimed=True, seen=seen)
        except (NoSuchCase, BadMerge):
            problem = "Laporan ini tidak dapat digabungkan dengan nomor itu: pilih laporan lain yang belum digabungkan."
            return self._shown(moderator, case, fields, sent, [problem], status=422)
        except AlreadyDecided:
            return _too_late(moderator, store.get(case.id), sent)
        except Taken:
            return _taken(moderator, store.claims_of([case.id], self.triage.now()).get(case.id), sent)
        except ClaimGone:
            problem = (
                "Waktu Anda untuk kasus ini sudah habis, jadi putusan belum disimpan. Sementara itu tidak ada yang "
                "mengubahnya, dan kasus ini kembali untuk Anda: periksa, lalu simpan lagi."
            )
            return self._shown(moderator, case, fields, sent, [problem], status=409)
        self.queue.forget_counts()
        return self.go_to_next(moderator, _choice_in(fields, caller.region), case.id, passed=case.id)

    def undo(self, moderator: Session, case_id: str) -> Response:
        """Take back one's own verdict of the last half minute."""
        caller = moderator.caller
        try:
            self.triage.undo(case_id, by=caller.name, region=caller.region)
        except NoSuchCase:
            return no_such_case(moderator)
        except CannotUndo:
            text = (
                "Putusan hanya dapat diurungkan oleh yang memutuskan, dalam 30 detik, dan selama kasusnya belum "
                "berubah lagi. Putusan itu tetap berlaku."
            )
            page = MessagePage("Tidak dapat diurungkan", text, "", f"/kasus/{case_id}", "Lihat kasusnya")
            return message(page, moderator, 409)
        self.queue.forget_counts()
        return RedirectResponse(f"/kasus/{case_id}?diurungkan=ya", 303)

    def renew_claim(self, moderator: Session, case_id: str) -> Response:
        """Go on with a case; JSON for the page's script: until when, or why not."""
        caller = moderator.caller
        try:
            claim = self.triage.claim(case_id, by=caller.name, region=caller.region)
        except (NoSuchCase, AlreadyDecided, Taken):
            return JSONResponse({"until": None}, 409)
        return JSONResponse({"until": claim.until.isoformat()})

    def let_go(self, moderator: Session, case_id: str, fields: dict[str, str]) -> Response:
        """Release a case; `lanjut=berikutnya` goes on to the one after it."""
        caller = moderator.caller
        try:
            self.triage.store.get(case_id, caller.region)
        except NoSuchCase:
            return no_such_case(moderator)
        if "sampai" in fields:
            # The page's script, as the page is left: nobody reads an answer, and a later claim isn't its business.
            until = _moment(fields["sampai"])
            if until is not None:
                self.triage.store.release(case_id, caller.name, until)
            return Response(status_code=204)
        self.triage.store.release(case_id, caller.name)
        choice = _choice_in(fields, caller.region)
        if fields.get("lanjut") == "berikutnya":
            return self.go_to_next(moderator, choice, passed=case_id)
        query = choice_query(choice, caller.region)
        return RedirectResponse("/antrean" + (f"?{query}" if query else ""), 303)

    def save_view(self, moderator: Session, fields: dict[str, str]) -> Response:
        """Keep the choice that is shown under a name, or remove the one of that name."""
        choice = _choice_in(fields, moderator.caller.region)
        name, query = " ".join(fields.get("nama", "").split()), choice_query(choice, moderator.caller.region)
        shown = dict(parse_qsl(query))
        is_name = bool(name) and len(name) <= LONGEST_NAME and name.isprintable()
        if fields.get("hapus"):
            if is_name:
                drop_view(self.triage.store, moderator.name, name)
            return RedirectResponse("/antrean", 303)
        if not is_name:
            problem = f"Beri tampilan ini nama, paling panjang {LONGEST_NAME} huruf."
            return self.list_cases(moderator, shown, problem, 422)
        try:
            save_view(self.triage.store, moderator.name, name, query)
        except TooManyViews:
            return self.list_cases(moderator, shown, "Tampilan tersimpan sudah penuh: hapus satu dulu.", 422)
        return RedirectResponse("/antrean" + (f"?{query}" if query else ""), 303)

    def find(self, moderator: Session, number: str) -> Response:
        """The case whose number begins with what was written."""
        try:
            found = find_by_number(self.triage.store, number, moderator.caller.region)
        except NoSuchCase:
            problem = "Tidak ada kasus dengan nomor itu. Isi sedikitnya delapan huruf pertamanya."
            return self.list_cases(moderator, {}, problem, 404)
        return RedirectResponse(f"/kasus/{found}", 303)

    def _shown(
        self,
        moderator: Session,
        case: Case,
        fields: dict[str, str],
        sent: SentForm | None = None,
        problems: Sequence[str] = (),
        *,
        notice: str = "",
        undo: str = "",
        status: int = 200,
    ) -> Response:
        """The page of a case. That a secret one was looked at is on record before it is seen."""
        store, caller, claim = self.triage.store, moderator.caller, self._claim(moderator, case)
        # The page of a case that somebody else has holds no form that could give back what was typed.
        if sent is not None and claim is not None and claim.holder != caller.name:
            return _taken(moderator, claim, sent)
        if case.confidentiality is Confidentiality.RAHASIA:
            record(store, caller.name, Action.LOOK, case.id, clock=self.triage.now)
        similar = [found["case_id"] for found in case.answer.detail.get("similar", [])]
        beside = Beside(
            history=verdicts_and_returns(store, case),
            outcomes=outcomes_of(store, similar, caller.region),
            claim=claim,
            at=self.triage.now(),
            me=caller.name,
            query=choice_query(_choice_in(fields, caller.region), caller.region),
        )
        page: CasePage = case_page(case, self.triage.bundle.chain, beside, sent, problems, notice, undo)
        return render("case.html", page, moderator, status)

    def _claim(self, moderator: Session, case: Case) -> Claim | None:
        """Who has the case: the moderator, if it is free and open, else whoever is at work on it."""
        if not is_open(case):
            return None
        try:
            return self.triage.claim(case.id, by=moderator.caller.name, region=moderator.caller.region)
        except (Taken, AlreadyDecided):
            return self.triage.store.claims_of([case.id], self.triage.now()).get(case.id)


async def _sent(request: Request) -> dict[str, str]:
    """The fields of a form, which the door has let through."""
    return await own_form(request)


def desk_routes(triage: Triage, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The desk's pages over one triage, for signed-in moderators."""
    desk, door = Desk(triage), Door(access, secure_cookies)
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        # Said here as well, so that no page is ever open because its route forgot to ask who is there.
        dependencies=[Depends(door.moderator)],
    )
    _queue_routes(routes, desk, door)
    _case_routes(routes, desk, door)
    return routes


def _queue_routes(routes: APIRouter, desk: Desk, door: Door) -> None:
    @routes.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/antrean")

    @routes.get("/antrean")
    def queue(request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return desk.list_cases(moderator, dict(request.query_params))

    @routes.get("/antrean/jumlah")
    def counts(request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        found = desk.queue.counts(parse_choice(request.query_params, moderator.caller.region).region)
        return JSONResponse({"menunggu": found.all, "darurat": found.emergencies, "terlambat": found.late})

    @routes.get("/antrean/berikutnya")
    def following(request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return desk.go_to_next(moderator, parse_choice(request.query_params, moderator.caller.region))

    @routes.get("/cari")
    def find(nomor: str = "", moderator: Session = Depends(door.moderator)) -> Response:
        return desk.find(moderator, nomor)

    @routes.get("/bantuan")
    def shortcuts(moderator: Session = Depends(door.moderator)) -> Response:
        return render("shortcuts.html", Shortcuts(), moderator)

    @routes.post("/tampilan")
    async def keep_view(request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return await to_thread.run_sync(desk.save_view, moderator, await _sent(request))


def _case_routes(routes: APIRouter, desk: Desk, door: Door) -> None:
    @routes.get("/kasus/{case_id}")
    def case(case_id: str, request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return desk.open_case(moderator, case_id, dict(request.query_params))

    @routes.post("/kasus/{case_id}/putusan")
    async def decide(case_id: str, request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return await to_thread.run_sync(desk.decide, moderator, case_id, await _sent(request))

    @routes.post("/kasus/{case_id}/lepas")
    async def let_go(case_id: str, request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        return await to_thread.run_sync(desk.let_go, moderator, case_id, await _sent(request))

    @routes.post("/kasus/{case_id}/sewa")
    async def renew(case_id: str, moderator: Session = Depends(door.moderator)) -> Response:
        return await to_thread.run_sync(desk.renew_claim, moderator, case_id)

    @routes.post("/kasus/{case_id}/urungkan")
    async def undo(case_id: str, moderator: Session = Depends(door.moderator)) -> Response:
        return await to_thread.run_sync(desk.undo, moderator, case_id)


def _choice_in(fields: dict[str, str], own_region: str) -> Choice:
    """The choice that a case was opened from: in its own address, or as a form carries it."""
    carried = fields.get("tampilan")
    return parse_choice(fields if carried is None else dict(parse_qsl(carried)), own_region)


def _whole(written: str) -> int | None:
    """A small number as a form's hidden field carries it."""
    return int(written) if re.fullmatch(r"[0-9]{1,6}", written) else None


def _moment(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _id_in(written: str) -> str:
    return written if _CASE_ID.fullmatch(written) else ""


def _saved(case_id: str) -> str:
    return f"Putusan untuk kasus {case_id[:8]} tersimpan." if case_id else ""


def _person(name: str) -> str:
    return name.rpartition(":")[2]


def _taken(moderator: Session, claim: Claim | None, sent: SentForm) -> Response:
    """Who has a case now whose claim has run out, and what was typed for it."""
    who = f"{_person(claim.holder)} sampai {clock(claim.until)}" if claim else "orang lain"
    text = f"Waktu Anda untuk kasus ini habis, dan kini dikerjakan {who}. Putusan Anda tidak disimpan."
    return message(MessagePage("Sedang dikerjakan", text, sent.typed), moderator, 409)


def _too_late(moderator: Session, case: Case, sent: SentForm) -> Response:
    """What has happened meanwhile to a case that takes no verdict any more."""
    review, title = case.review, "Sudah diputuskan"
    if case.emptied_at is not None:
        title, told = "Sudah dihapus", "Isi laporan ini sudah dihapus sesuai aturan penyimpanan data"
    elif review is None:
        told = f"Kasus ini tidak menunggu putusan: {STATUS_NAMES[case.status].lower()}"
    elif review.reviewer == moderator.caller.name:
        told = f"Kasus ini sudah Anda putuskan sendiri, {clock(review.decided_at)}: {_decision(case, review)}"
    else:
        by = f" oleh {_person(review.reviewer)}" if review.reviewer else ""
        told = f"Kasus ini sudah diputuskan{by}, {clock(review.decided_at)}: {_decision(case, review)}"
    page = MessagePage(title, f"{told}. Yang baru Anda kirim tidak disimpan.", sent.typed)
    return message(replace(page, way_on=f"/kasus/{case.id}", way_on_name="Lihat kasusnya"), moderator, 409)


def _decision(case: Case, review: Review) -> str:
    """A verdict in a few words: what kind, and to whom."""
    told = KIND_NAMES[review.verdict.kind].lower()
    agency = review.verdict.agency
    return f"{told} ke {agency_name(load_region(case.complaint.region), agency)}" if agency else told
