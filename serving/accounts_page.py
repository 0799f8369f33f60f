"""Akun dan kunci: an admin adds moderators and keys, changes their rights, and shuts them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from data.errors import DisposisiError
from data.region import known_regions, load_region
from serving.access import Access, KeyRecord, ModeratorRecord, Scope, Session
from serving.pages import render
from serving.privacy import Action, record
from serving.settings_page import SETTINGS_PATH, RegionView, head_of_desk, plain_line
from serving.signin import DeskRoute, Door, own_form
from serving.staff import (
    change_rights,
    keys_of,
    moderators_of,
    problems_of_change,
    problems_of_key_name,
    problems_of_name,
    problems_of_reset,
    problems_of_revoking,
    problems_of_rights,
)
from serving.triage import Triage
from serving.wording import day

ACCOUNTS_PATH = f"{SETTINGS_PATH}/akun"
SCOPE_NAMES: dict[Scope, str] = {
    Scope.REVIEW: "Memutuskan laporan",
    Scope.DATA: "Membaca dan mengunduh data",
    Scope.INTAKE: "Mengirim laporan masuk",
    Scope.ADMIN: "Admin: semua hak, termasuk pengaturan ini",
}
_EVERYWHERE = "Semua wilayah"
_NOTICES = {
    "hak": "Hak sudah diubah dan berlaku mulai sekarang.",
    "nonaktif": "Akun sudah dinonaktifkan. Pemiliknya keluar dari semua peramban.",
    "cabut": "Kunci sudah dicabut. Dalam beberapa detik kunci itu tidak diterima lagi.",
}


@dataclass(frozen=True)
class ScopeView:
    """A right as a box to tick: the field's name, what it allows, and whether it is ticked."""

    field: str
    name: str
    is_ticked: bool


@dataclass(frozen=True)
class ModeratorView:
    name: str
    rights: str
    region: str
    state: str
    is_disabled: bool
    is_own: bool


@dataclass(frozen=True)
class KeyView:
    id: str
    name: str
    rights: str
    region: str
    since: str
    is_revoked: bool


@dataclass(frozen=True)
class RightsForm:
    """A form that gives rights to somebody: what it holds now. `action` is where it goes."""

    action: str
    name: str
    scopes: list[ScopeView]
    region: str


@dataclass(frozen=True)
class Secret:
    """What is shown once: whose it is, what it is, and what to do with it."""

    title: str
    value: str
    text: str


@dataclass(frozen=True)
class AccountsPage:
    """What `/pengaturan/akun` shows. `changing` is the form of a moderator whose rights are being changed.

    `problem_at` names the form that `problems` are about.
    """

    moderators: list[ModeratorView]
    keys: list[KeyView]
    regions: list[RegionView]
    adding: RightsForm
    changing: RightsForm | None
    new_key: RightsForm
    secret: Secret | None
    notice: str
    problems: list[str]
    problem_at: str


def accounts_routes(triage: Triage, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The pages on moderators and keys, for admins; an admin of one region sees and changes only those of it."""
    require = head_of_desk(Door(access, secure_cookies))
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        dependencies=[Depends(require)],
    )
    store = triage.store

    def told(moderator: Session, of: str, what: str, name: str, form: Mapping[str, str] | None = None) -> None:
        """Put a change on record; of rights that were given, which."""
        detail = {"of": of, "what": what, "name": name}
        rights = {"scopes": sorted(_scopes(form)), "region": form.get("wilayah", "")} if form else {}
        record(store, moderator.caller.name, Action.CHANGE, None, detail | rights, clock=triage.now)

    def refused(moderator: Session, form: Mapping[str, str], at: str, problems: list[str]) -> HTMLResponse:
        page = accounts_page(access, moderator, form=form, problems=problems, problem_at=at)
        return render("accounts.html", page, moderator, 422)

    def secret_page(moderator: Session, secret: Secret) -> HTMLResponse:
        return render("accounts.html", accounts_page(access, moderator, secret=secret), moderator)

    @routes.get(ACCOUNTS_PATH)
    def accounts(ubah: str = "", tersimpan: str = "", moderator: Session = Depends(require)) -> HTMLResponse:
        page = accounts_page(access, moderator, changing=ubah, notice=_NOTICES.get(tersimpan, ""))
        return render("accounts.html", page, moderator)

    @routes.post(f"{ACCOUNTS_PATH}/tambah")
    def add(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        name, scopes, region = form.get("nama", "").strip(), _scopes(form), form.get("wilayah", "")
        problems = problems_of_name(access, name) + problems_of_rights(moderator.caller, scopes, region)
        if problems:
            return refused(moderator, form, "tambah", problems)
        password = access.create_moderator(name, scopes, region)
        told(moderator, "moderator", "create", name, form)
        return secret_page(moderator, _password(name, password))

    @routes.post(f"{ACCOUNTS_PATH}/ubah")
    def change(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        name, scopes, region = form.get("nama", ""), _scopes(form), form.get("wilayah", "")
        problems = problems_of_change(access, moderator.caller, name, scopes, region)
        if problems:
            return refused(moderator, form, "ubah", problems)
        change_rights(store, name, scopes, region, by=moderator.caller.name, clock=triage.now)
        return RedirectResponse(f"{ACCOUNTS_PATH}?tersimpan=hak", 303)

    @routes.post(f"{ACCOUNTS_PATH}/nonaktif")
    def disable(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        name = form.get("nama", "")
        problems = problems_of_change(access, moderator.caller, name, None)
        if problems:
            return refused(moderator, {}, "moderator", problems)
        access.disable_moderator(name)
        told(moderator, "moderator", "disable", name)
        return RedirectResponse(f"{ACCOUNTS_PATH}?tersimpan=nonaktif", 303)

    @routes.post(f"{ACCOUNTS_PATH}/sandi")
    def reset(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        name = form.get("nama", "")
        problems = problems_of_reset(access, moderator.caller, name)
        if problems:
            return refused(moderator, {}, "moderator", problems)
        password = access.reset_password(name)
        told(moderator, "moderator", "reset", name)
        return secret_page(moderator, _password(name, password))

    @routes.post(f"{ACCOUNTS_PATH}/kunci")
    def create_key(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        name, scopes, region = plain_line(form.get("nama", "")), _scopes(form), form.get("wilayah", "")
        problems = problems_of_key_name(access, moderator.caller, name)
        problems += problems_of_rights(moderator.caller, scopes, region)
        if problems:
            return refused(moderator, form, "kunci", problems)
        key, token = access.create_key(name, scopes, region)
        told(moderator, "key", "create", key.id, form)
        text = "Salin kunci ini ke sistem yang memakainya. Kunci hanya ditampilkan sekali ini."
        return secret_page(moderator, Secret(f"Kunci untuk {name}", token, text))

    @routes.post(f"{ACCOUNTS_PATH}/cabut")
    def revoke(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        key = form.get("kunci", "")
        problems = problems_of_revoking(access, moderator.caller, key)
        if problems:
            return refused(moderator, {}, "daftar-kunci", problems)
        access.revoke_key(key)
        told(moderator, "key", "revoke", key)
        return RedirectResponse(f"{ACCOUNTS_PATH}?tersimpan=cabut", 303)

    return routes


def accounts_page(
    access: Access,
    moderator: Session,
    *,
    changing: str = "",
    form: Mapping[str, str] | None = None,
    secret: Secret | None = None,
    notice: str = "",
    problems: list[str] | None = None,
    problem_at: str = "",
) -> AccountsPage:
    """The page as an admin may see it; `form` is one that was refused at `problem_at`."""
    sent = {problem_at: form or {}}
    found = moderators_of(access, moderator.caller)
    changing = sent["ubah"].get("nama", "") if "ubah" in sent else changing
    other = next((each for each in found if each.name == changing), None)
    own = moderator.caller.region
    regions = [RegionView(code, load_region(code).name) for code in known_regions() if own in ("", code)]
    return AccountsPage(
        moderators=[_moderator_view(each, moderator.name) for each in found],
        keys=[_key_view(each) for each in keys_of(access, moderator.caller)],
        regions=regions if own else [RegionView("", _EVERYWHERE), *regions],
        adding=_rights_form("tambah", sent.get("tambah"), "", {Scope.REVIEW}, own),
        changing=_rights_form("ubah", sent.get("ubah"), other.name, other.scopes, other.region) if other else None,
        new_key=_rights_form("kunci", sent.get("kunci"), "", {Scope.INTAKE}, own),
        secret=secret,
        notice=notice,
        problems=problems or [],
        problem_at=problem_at,
    )


def _rights_form(
    action: str, sent: Mapping[str, str] | None, name: str, scopes: set[Scope] | frozenset[Scope], region: str
) -> RightsForm:
    """A form that gives rights: as it was sent, or at first with what is given."""
    if sent:
        name, region = sent.get("nama", "")[:80], sent.get("wilayah", "")[:64]
    ticked = _scopes(sent) if sent else scopes
    boxes = [ScopeView(f"hak-{scope.value}", text, scope in ticked) for scope, text in SCOPE_NAMES.items()]
    return RightsForm(f"{ACCOUNTS_PATH}/{action}", name, boxes, region)


def _scopes(form: Mapping[str, str]) -> set[str]:
    return {name.removeprefix("hak-") for name in form if name.startswith("hak-")}


def _moderator_view(found: ModeratorRecord, own: str) -> ModeratorView:
    state = "Aktif"
    if found.disabled_at:
        state = f"Nonaktif sejak {day(found.disabled_at)}"
    elif found.must_change:
        state = "Sandi sementara belum diganti"
    is_disabled = found.disabled_at is not None
    return ModeratorView(
        found.name, _rights(found.scopes), _region_name(found.region), state, is_disabled, found.name == own
    )


def _key_view(found: KeyRecord) -> KeyView:
    since = f"dibuat {day(found.created_at)}"
    if found.revoked_at:
        since += f", dicabut {day(found.revoked_at)}"
    region = _region_name(found.region)
    return KeyView(found.id, found.name, _rights(found.scopes), region, since, found.revoked_at is not None)


def _rights(scopes: frozenset[Scope]) -> str:
    names = [SCOPE_NAMES[scope].partition(":")[0] for scope in SCOPE_NAMES if scope in scopes]
    return ", ".join(name if place == 0 else name[0].lower() + name[1:] for place, name in enumerate(names))


def _region_name(code: str) -> str:
    """A region's name; the code of one whose file is gone, or can't be used as it is now."""
    try:
        return load_region(code).name if code else _EVERYWHERE
    except DisposisiError:
        return code


def _password(name: str, password: str) -> Secret:
    text = "Berikan sandi sementara ini kepada pemilik akun. Sandi hanya ditampilkan sekali ini dan diganti saat masuk."
    return Secret(f"Sandi sementara untuk {name}", password, text)
