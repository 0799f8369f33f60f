"""Model: which bundle answers, what the registry's record says, and the forms to promote a version or roll back."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from data.complaint import Confidentiality
from data.errors import BundleError, CannotWrite
from model.aliases import CHALLENGER, CHAMPION
from model.bundle import Bundle
from model.masking import mask_for_storage
from model.record import Action as Done
from model.record import Entry, lineage_of
from model.registry import NOT_COMPARED, PromotionRefused, Registry, RegistryBusy, open_registry, registry_of
from serving.access import Access, Scope, Session
from serving.models import Models, ReloadUnderway
from serving.pages import MessagePage, message, render
from serving.policy import LONGEST_REASON
from serving.privacy import Action, record
from serving.settings_page import plain_line
from serving.signin import DATA_HOME, DeskRoute, Door, Refused, own_form
from serving.triage import Triage
from serving.wording import clock, number, place_name
from serving.writer import TooBusy

MODEL_PATH = DATA_HOME
# The registry asks for as many; told here beforehand, in Indonesian.
FEWEST_OVERRIDE_WORDS = 4
_ENTRIES_SHOWN = 50
# How long to wait, each time, for a bundle that is being loaded already.
_PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6)
_NOTICES = {
    Done.PROMOTE.value: "Versi itu sekarang juara. Dalam beberapa detik semua laporan baru dijawab olehnya.",
    Done.ROLLBACK.value: "Juara sebelumnya kembali. Dalam beberapa detik semua laporan baru dijawab olehnya.",
    "muat": "Juara sudah dimuat. Dalam beberapa detik semua laporan baru dijawab olehnya.",
}
_DONE_SO_FAR = {
    Done.PROMOTE.value: "Versi itu sekarang juara menurut register.",
    Done.ROLLBACK.value: "Juara sebelumnya kembali menurut register.",
    "muat": "Register tidak berubah; juara diminta dimuat.",
}
_DONE = {
    Done.REGISTER: "Versi {} didaftarkan",
    Done.COMPARE: "Versi {} dibandingkan",
    Done.PROMOTE: "Versi {} dijadikan juara",
    Done.ROLLBACK: "Kembali ke versi {}",
}
_NOT_COMPARED = "belum dibandingkan dengan juara waktu itu"
_LOOK_AGAIN = "Register sudah diubah sejak halaman ini dibuka. Periksa lagi keadaannya di bawah, lalu putuskan."
_BUSY = "Orang lain sedang mengubah register saat ini. Tunggu sebentar, periksa lagi keadaannya, lalu coba lagi."
_READ_ONLY = "Register tidak dapat ditulis (hak akses atau ruang disk). Minta pengelola sistem memeriksanya."
_SPOILT = "Register atau versi itu tidak utuh. Jalankan di server: {}. Kata program: {}"
_log = logging.getLogger("disposisi")


@dataclass(frozen=True)
class BundleView:
    """The bundle that answers; `source`: where the service was told to take it from."""

    version: str
    source: str
    recipe: str
    made_at: str
    rows: str
    regions: list[str]
    lineage: list[tuple[str, str]]


@dataclass(frozen=True)
class VersionView:
    """A version of the registry; `role`: juara, penantang or empty."""

    number: int
    role: str
    answers: bool
    when: str
    who: str
    recipe: str
    rows: str
    parent: str
    reason: str


@dataclass(frozen=True)
class EntryView:
    """A line of the record; `details` are figures that were refused and what was said against that."""

    what: str
    who: str
    when: str
    reason: str
    details: list[str]


@dataclass(frozen=True)
class RegistryView:
    """A registry; `seen` is how long its record was, `is_behind`: its champion isn't what answers in this process.

    `refusals` speak against the challenger: the last comparison's as recorded, or that there is none.
    """

    folder: str
    seen: int
    champion: int | None
    challenger: int | None
    earlier: int | None
    is_behind: bool
    is_compared: bool
    refusals: list[str]
    versions: list[VersionView]
    entries: list[EntryView]


@dataclass(frozen=True)
class CommandView:
    what: str
    line: str


@dataclass(frozen=True)
class ModelPage:
    """What `/model` shows; `done` is what was done although something after it failed, `form` what was sent."""

    bundle: BundleView
    registry: RegistryView | None
    broken: str
    commands: list[CommandView]
    notice: str
    done: str
    problems: list[str]
    form: dict[str, str]
    longest_reason: int = LONGEST_REASON
    fewest_words: int = FEWEST_OVERRIDE_WORDS


class Stale(RegistryBusy):
    """A form of a page that shows the registry as it was before."""


def model_keeper(door: Door) -> Any:
    """The dependency of these pages: a moderator with the scope data or admin; others are told so."""

    def require(request: Request, moderator: Session = Depends(door.signed_in)) -> Session:
        if moderator.must_change and request.method != "POST":
            raise Refused(RedirectResponse(f"/sandi?lanjut={MODEL_PATH}", 303))
        if moderator.must_change:
            text = "Gantilah sandi sementara Anda dulu. Yang Anda kirim belum dilakukan."
            page = MessagePage("Ganti sandi dulu", text, "", f"/sandi?lanjut={MODEL_PATH}", "Ganti sandi")
            raise Refused(message(page, moderator, 403))
        if not moderator.caller.may(Scope.DATA):
            text = "Halaman model hanya untuk petugas data dan admin (hak data atau admin)."
            raise Refused(message(MessagePage("Bukan untuk Anda", text), moderator, 403))
        return moderator

    return require


def model_routes(triage: Triage, models: Models, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The page on the model, for data staff and admins; the model is the same for all regions."""
    require = model_keeper(Door(access, secure_cookies))
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        dependencies=[Depends(require)],
    )

    def change(moderator: Session, form: dict[str, str], what: str, do: Callable[[Registry], int]) -> Response:
        """Change the registry, put it on record, and answer with its champion from now on; or say why not."""
        try:
            with _own_registry(models, form) as registry:
                version = do(registry)
                problems = _put_on_record(triage, moderator, what, version) + _take_up(models)
        except (BundleError, CannotWrite) as error:
            status, problem = _told(error, models)
            return render("model.html", model_page(models, problems=[problem], form=form), moderator, status)
        if problems:
            return render("model.html", model_page(models, done=_DONE_SO_FAR[what], problems=problems), moderator, 503)
        return RedirectResponse(f"{MODEL_PATH}?tersimpan={what}", 303)

    def refused(moderator: Session, form: dict[str, str], problems: list[str]) -> Response:
        return render("model.html", model_page(models, problems=problems, form=form), moderator, 422)

    @routes.get(MODEL_PATH)
    def model(tersimpan: str = "", moderator: Session = Depends(require)) -> HTMLResponse:
        return render("model.html", model_page(models, notice=_NOTICES.get(tersimpan, "")), moderator)

    @routes.post(f"{MODEL_PATH}/naik")
    def promote(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        reason, against = _reason(form, "alasan"), _reason(form, "tetap")
        problems = _problems_of(reason, "Tulis alasan mengapa versi ini dijadikan juara.")
        if against:
            problems += _problems_of(against, "")
            if len(against.split()) < FEWEST_OVERRIDE_WORDS:
                problems.append(f"Alasan melawan penolakan paling sedikit {FEWEST_OVERRIDE_WORDS} kata.")
        if problems:
            return refused(moderator, form, problems)

        def do(registry: Registry) -> int:
            which = form.get("versi", "")
            if which != str(registry.alias(CHALLENGER)):
                raise Stale("The version is not the challenger.")
            return registry.promote(which, moderator.caller.name, reason, against)

        return change(moderator, form, Done.PROMOTE.value, do)

    @routes.post(f"{MODEL_PATH}/mundur")
    def roll_back(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        reason = _reason(form, "alasan_mundur")
        if problems := _problems_of(reason, "Tulis alasan mengapa juara sebelumnya harus kembali."):
            return refused(moderator, form, problems)
        return change(moderator, form, Done.ROLLBACK.value, lambda it: it.rollback(moderator.caller.name, reason))

    @routes.post(f"{MODEL_PATH}/muat")
    def take_up(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        return change(moderator, form, "muat", lambda it: it.number(CHAMPION))

    return routes


def model_page(
    models: Models, *, notice: str = "", done: str = "", problems: list[str] | None = None, form: Any = None
) -> ModelPage:
    """The page as things are now; a registry that can't be read hides nothing of the bundle that answers."""
    folder, registry, broken = registry_of(models.source), None, ""
    if folder is not None:
        try:
            registry = _registry_view(open_registry(folder), models)
        except BundleError as error:
            broken = _SPOILT.format(_verify(folder), error)
    kept = {name: (form or {}).get(name, "")[:LONGEST_REASON] for name in ("alasan", "tetap", "alasan_mundur")}
    commands = _commands(models, folder, registry)
    bundle = _bundle_view(models.bundle, models.source)
    return ModelPage(bundle, registry, broken, commands, notice, done, problems or [], kept)


@contextmanager
def _own_registry(models: Models, form: Mapping[str, str]) -> Iterator[Registry]:
    """The registry as the form's page showed it, to oneself among all desks of this machine.

    The registry's own lock is taken inside; it alone wouldn't keep two who roll back at once from going back twice.
    Raises `RegistryBusy`, `Stale` for a page of before, and `BundleError`.
    """
    folder = registry_of(models.source)
    if folder is None:
        raise BundleError("the service doesn't run from a registry")
    registry = open_registry(folder)
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CannotWrite(f"Can't open {folder} ({error.strerror}).") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RegistryBusy("Another desk is changing the registry.") from None
        if form.get("catatan_dilihat") != str(len(registry.record.entries())):
            raise Stale("The registry was changed since the page was shown.")
        yield registry
    finally:
        os.close(handle)


def _put_on_record(triage: Triage, moderator: Session, what: str, version: int) -> list[str]:
    """Put what was done into the audit table; gives what is wrong if it can't be: the registry has it all the same."""
    detail = {"of": "model", "what": what, "version": version}
    try:
        record(triage.store, moderator.caller.name, Action.CHANGE, None, detail, clock=triage.now)
    except (SQLAlchemyError, TooBusy) as error:
        _log.error("a change of the model is not in the audit record", exc_info=error)
        return ["Catatan audit tidak dapat ditulis; catatan register di bawah tetap memuatnya. Beri tahu pengelola."]
    return []


def _take_up(models: Models) -> list[str]:
    """Answer with the champion in all processes; gives what is wrong if that can't be."""
    for pause in (*_PAUSES_SECONDS, 0.0):
        try:
            models.reload(CHAMPION)
            return []
        except ReloadUnderway:
            time.sleep(pause)
        except BundleError as error:
            _log.error("the champion is not loaded, the present bundle goes on", exc_info=error)
            return ["Juara tidak dapat dimuat, jadi model yang lama tetap menjawab. Periksa keutuhan register."]
    return ["Server masih memuat model lain. Tunggu sebentar, lalu tekan Pakai juara sekarang."]


def _told(error: Exception, models: Models) -> tuple[int, str]:
    """The status and the words for a change that the registry didn't take: nothing was done."""
    folder = registry_of(models.source)
    if isinstance(error, Stale):
        return 409, _LOOK_AGAIN
    if isinstance(error, RegistryBusy):
        return 409, _BUSY
    if isinstance(error, PromotionRefused):
        return 409, (
            "Versi itu ditolak, lihat daftar penolakan di bawah. Latih lagi dan bandingkan lagi, atau tulis mengapa "
            "tetap harus dijadikan juara."
        )
    if isinstance(error, CannotWrite):
        return 503, _READ_ONLY
    if folder is None:
        return 409, "Layanan ini tidak berjalan dari register, jadi tidak ada yang dapat diubah di sini."
    return 409, _SPOILT.format(_verify(folder), error)


def _reason(form: Mapping[str, str], field: str) -> str:
    # Who explains a decision may well name a citizen.
    return mask_for_storage(plain_line(form.get(field, "")), Confidentiality.TERBUKA)


def _problems_of(reason: str, missing: str) -> list[str]:
    if not reason:
        return [missing]
    if len(reason) > LONGEST_REASON:
        return [f"Alasan paling panjang {LONGEST_REASON} huruf; yang dikirim {number(len(reason))}."]
    return []


def _verify(folder: Path) -> str:
    return f"disposisi models verify --registry {quote(str(folder))}"


def _bundle_view(bundle: Bundle, source: Path) -> BundleView:
    told = lineage_of(bundle)
    rows = told["rows"]
    lineage = (
        ("Wilayah", place_name(told["region"]) if told["region"] else ""),
        ("Sidik baris", str(rows.get("fingerprint", ""))[:16]),
        ("Kamus", told["lexicons"]),
        ("Pustaka", ", ".join(f"{name} {version}" for name, version in told["libraries"].items())),
    )
    return BundleView(
        version=bundle.version,
        source=str(source),
        recipe=str(told["recipe"].get("name", "")) or "tidak tercatat",
        made_at=_when(told["created_at"]),
        rows=_count(rows.get("count")),
        regions=[f"{place_name(code)}: {_count(count)}" for code, count in rows.get("by_region", {}).items()],
        lineage=[(name, value) for name, value in lineage if value],
    )


def _registry_view(registry: Registry, models: Models) -> RegistryView:
    entries, champion = registry.record.entries(), registry.alias(CHAMPION)
    challenger, past = registry.alias(CHALLENGER), registry.record.champions()
    answering = models.folder.name if models.folder.parent.parent == registry_of(models.source) else ""
    compared = registry.standing(champion, challenger) if challenger and champion else None
    roles, words = {champion: "juara", challenger: "penantang"}, _refusals_in_words(entries)
    return RegistryView(
        folder=str(registry.folder),
        seen=len(entries),
        champion=champion,
        challenger=challenger,
        earlier=past[-2] if len(past) > 1 else None,
        is_behind=champion is not None and str(champion) != answering,
        is_compared=compared is not None or champion is None,
        refusals=_refusals_of(compared, words) if compared else [],
        versions=[
            _version_view(each, roles.get(each.version, ""), answers=str(each.version) == answering)
            for each in reversed(entries)
            if each.action is Done.REGISTER
        ],
        entries=[_entry_view(each, words) for each in reversed(entries[-_ENTRIES_SHOWN:])],
    )


def _version_view(entry: Entry, role: str, *, answers: bool) -> VersionView:
    facts = entry.facts
    return VersionView(
        number=entry.version,
        role=role,
        answers=answers,
        when=_when(entry.at),
        who=_who(entry.by),
        recipe=str(facts.get("recipe", {}).get("name", "")),
        rows=_count(facts.get("rows", {}).get("count")),
        parent=f"versi {facts['parent']}" if facts.get("parent") else "tidak ada",
        reason=entry.reason,
    )


def _refusals_in_words(entries: Sequence[Entry]) -> dict[str, str]:
    """The Indonesian for what comparisons refused; what an older program recorded has none."""
    return {
        each: told
        for entry in entries
        for each, told in zip(entry.facts.get("refusals", []), entry.facts.get("told", []), strict=False)
    }


def _refusals_of(entry: Entry, words: Mapping[str, str]) -> list[str]:
    refusals = [str(each) for each in entry.facts.get("refusals", [])]
    return [_NOT_COMPARED if each.startswith(NOT_COMPARED) else words.get(each, each) for each in refusals]


def _entry_view(entry: Entry, words: Mapping[str, str]) -> EntryView:
    facts, what = entry.facts, _DONE[entry.action].format(entry.version)
    details = [f"Ditolak: {each}" for each in _refusals_of(entry, words)]
    if entry.action is Done.COMPARE:
        what += f" dengan juara {facts.get(CHAMPION)} atas {_count(facts.get('rows'))} baris"
        details = details or ["Tidak ada angka yang lebih buruk."]
    if facts.get("instead_of"):
        what += f", menggantikan versi {facts['instead_of']}"
    if facts.get("override"):
        details.append(f"Tetap dijadikan juara karena: {facts['override']}")
    return EntryView(what, _who(entry.by), _when(entry.at), entry.reason, details)


def _commands(models: Models, folder: Path | None, view: RegistryView | None) -> list[CommandView]:
    """What only the command line does, to be copied; ROWS and the like are to be filled in."""
    region, place = str(models.bundle.about.get("region") or "DAERAH"), quote(str(folder or "var/registry"))
    code, at = f"--region {region}", f"--registry {place}"
    if folder is None:
        bundle = quote(str(models.source))
        return [
            CommandView("Daftarkan model yang sekarang", f"disposisi models register {bundle} {at} --by NAMA"),
            CommandView("Jadikan juara", f'disposisi models promote 1 {at} --by NAMA --reason "ALASAN"'),
            CommandView("Jalankan layanan dari register", f"disposisi serve --bundle {place}"),
        ]
    number, clean = (view.challenger if view else None) or "VERSI", "PERIKSA/bersih.csv"
    return [
        CommandView("Ambil laporan yang sudah diputuskan", "disposisi rows export --out BARIS.csv --database DATABASE"),
        CommandView("Periksa dan bersihkan baris", f"disposisi rows check BARIS.csv {code} --out PERIKSA"),
        CommandView("Cari label yang meragukan", f"disposisi rows suspects {clean} {code} --out LABEL.xlsx"),
        CommandView(
            "Ambil keputusan atas label itu",
            f"disposisi rows apply-decisions {clean} LABEL.xlsx {code} --out BARIS_BENAR.csv",
        ),
        CommandView("Latih model", f"disposisi train BARIS_LAMA.csv BARIS_BENAR.csv {code} --into var/bundles/BARU"),
        CommandView(
            "Daftarkan sebagai penantang",
            f'disposisi models register var/bundles/BARU {at} --by NAMA --reason "ALASAN"',
        ),
        CommandView(
            "Bandingkan, dengan kira-kira 250 laporan baru yang berlabel",
            f"disposisi models compare champion {number} BARIS_BARU.csv {code} {at} --by NAMA --report PERBANDINGAN",
        ),
        CommandView("Periksa keutuhan register", f"disposisi models verify {at}"),
    ]


def _who(by: str) -> str:
    kind, _, name = by.rpartition(":")
    return name if kind == "moderator" else f"{by} (baris perintah)"


def _when(written: object) -> str:
    try:
        return clock(datetime.fromisoformat(str(written)))
    except ValueError:
        return "tidak tercatat"


def _count(value: object) -> str:
    return number(value) if isinstance(value, int) else "tidak tercatat"
