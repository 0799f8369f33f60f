"""Pengaturan: the head of the desk says how sure the program must be to route alone, and where nothing goes alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from data.complaint import Jurisdiction
from data.region import Region, known_regions, load_region
from model.bundle import SECTOR, Bundle
from model.promise import PROMISED_PRECISION
from model.routing import switch_of
from serving.access import Access, Scope, Session
from serving.outlook import TARGETS, CurveView, OfferView, Outlook, Outlooks, curve_view, offer_view, per_cent, rests_on
from serving.pages import MessagePage, message, render
from serving.policy import (
    AUDIT_CERTAINTY,
    LONGEST_REASON,
    Audits,
    Change,
    Rules,
    audits_of,
    changes,
    read_rules,
    set_target,
    switch_agency,
)
from serving.signin import DeskRoute, Door, Refused, own_form
from serving.triage import Triage
from serving.wording import clock, number, sector_name

SETTINGS_PATH = "/pengaturan"
_CHANGES_SHOWN = 50
_NOTICES = {
    "target": "Target baru tersimpan. Dalam beberapa detik target ini berlaku untuk semua laporan baru.",
    "instansi": "Perubahan tersimpan. Dalam beberapa detik perubahan ini berlaku untuk semua laporan baru.",
}


@dataclass(frozen=True)
class AgencyView:
    """An agency with what it has earned. `is_known` is false for one that the region file has dropped.

    `is_told`: there is something to tell of it, since it has got cases alone or mayn't.
    """

    code: str
    name: str
    is_known: bool
    is_told: bool
    routes_alone: bool
    routed: str
    checked: str
    right: str
    least: str
    keeps: str


@dataclass(frozen=True)
class ChangeView:
    what: str
    who: str
    when: str
    reason: str


@dataclass(frozen=True)
class RegionView:
    code: str
    name: str


@dataclass(frozen=True)
class SentChange:
    """What the two forms hold: nothing at first, what was sent when it comes back."""

    target_reason: str = ""
    agency: str = ""
    routes_alone: str = ""
    agency_reason: str = ""


@dataclass(frozen=True)
class SettingsPage:
    """What `/pengaturan` shows. `problems` is what was wrong with a change that was just sent."""

    region: RegionView
    regions: list[RegionView]
    present: str
    rests_on: str
    shown: OfferView
    offers: list[OfferView]
    curve: CurveView | None
    agencies: list[AgencyView]
    certainty: str
    changes: list[ChangeView]
    notice: str
    problems: list[str]
    form: SentChange
    longest_reason: int = LONGEST_REASON


def head_of_desk(door: Door) -> Any:
    """The dependency of these pages: a moderator with the scope admin; others are told so."""

    def require(moderator: Session = Depends(door.moderator)) -> Session:
        if not moderator.caller.may(Scope.ADMIN):
            text = "Pengaturan hanya untuk kepala meja pengaduan (hak admin). Hubungi admin bila ada yang perlu diubah."
            raise Refused(message(MessagePage("Bukan untuk Anda", text), moderator, 403))
        return moderator

    return require


def settings_routes(triage: Triage, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The pages on routing alone, for admins; each decides for their own region, an admin of all for any."""
    require = head_of_desk(Door(access, secure_cookies))
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        dependencies=[Depends(require)],
    )
    outlooks = Outlooks(triage.bundle)

    def shown(
        region: Region, target: float | None, sent: SentChange, notice: str = "", problems: tuple[str, ...] = ()
    ) -> SettingsPage:
        bundle = triage.bundle
        rules = read_rules(triage.store).get(region.code, Rules())
        return settings_page(
            region,
            rules,
            _own_target(bundle),
            outlooks.of(bundle, region.code),
            audits_of(triage.store, region.code),
            changes(triage.store, region.code, _CHANGES_SHOWN),
            target=target,
            sent=sent,
            notice=notice,
            problems=problems,
        )

    def answer(page: SettingsPage, moderator: Session, status: int = 200) -> HTMLResponse:
        codes = known_regions() if not moderator.caller.region else ()
        page.regions.extend(RegionView(code, load_region(code).name) for code in codes)
        return render("settings.html", page, moderator, status)

    @routes.get(SETTINGS_PATH)
    def settings(
        wilayah: str = "",
        target: str = "",
        instansi: str = "",
        tersimpan: str = "",
        moderator: Session = Depends(require),
    ) -> HTMLResponse:
        region = _region(wilayah, triage, moderator)
        page = shown(region, _target(target), SentChange(agency=instansi[:128]), _NOTICES.get(tersimpan, ""))
        return answer(page, moderator)

    @routes.post(f"{SETTINGS_PATH}/target")
    def choose_target(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        region = _region(form.get("wilayah", ""), triage, moderator)
        target, reason = _target(form.get("target", "")), plain_line(form.get("alasan", ""))
        problems = _problems_of_reason(reason)
        if target is None:
            problems.insert(0, f"Pilih target dari daftar, {per_cent(TARGETS[0])} sampai {per_cent(TARGETS[-1])}.")
        if problems or target is None:
            page = shown(region, target, SentChange(target_reason=reason), problems=tuple(problems))
            return answer(page, moderator, 422)
        set_target(triage.store, region.code, target, by=moderator.caller.name, reason=reason, clock=triage.now)
        triage.follow_policies()
        return RedirectResponse(f"{SETTINGS_PATH}?wilayah={region.code}&tersimpan=target", 303)

    @routes.post(f"{SETTINGS_PATH}/instansi")
    def switch(form: dict[str, str] = Depends(own_form), moderator: Session = Depends(require)) -> Response:
        region = _region(form.get("wilayah", ""), triage, moderator)
        agency, wanted = form.get("instansi", ""), form.get("otomatis", "")
        reason = plain_line(form.get("alasan", ""))
        problems = [] if agency in switches(region) else ["Pilih instansi dari daftar."]
        problems += [] if wanted in ("ya", "tidak") else ["Pilih: boleh diteruskan sendiri, atau selalu ditinjau."]
        problems += _problems_of_reason(reason)
        if problems:
            sent = SentChange(agency=agency[:128], routes_alone=wanted, agency_reason=reason)
            return answer(shown(region, None, sent, problems=tuple(problems)), moderator, 422)
        is_on = wanted == "ya"
        by = moderator.caller.name
        switch_agency(triage.store, region.code, agency, routes_alone=is_on, by=by, reason=reason, clock=triage.now)
        triage.follow_policies()
        return RedirectResponse(f"{SETTINGS_PATH}?wilayah={region.code}&tersimpan=instansi", 303)

    return routes


def settings_page(
    region: Region,
    rules: Rules,
    own_target: float,
    outlook: Outlook,
    audits: dict[str, Audits],
    history: list[Change],
    *,
    target: float | None = None,
    sent: SentChange | None = None,
    notice: str = "",
    problems: tuple[str, ...] = (),
) -> SettingsPage:
    """The page of a region; `own_target` is the bundle's own, `target` the one looked at (None: the one in force)."""
    in_force = own_target if rules.target is None else rules.target
    offers = [offer_view(offer, outlook) for offer in outlook.offers]
    nearest = min(range(len(TARGETS)), key=lambda place: abs(TARGETS[place] - (target or in_force)))
    where_from = " (bawaan model, belum pernah diubah di sini)" if rules.target is None else ""
    return SettingsPage(
        region=RegionView(region.code, region.name),
        regions=[],
        present=f"Target yang berlaku sekarang: {per_cent(in_force)}{where_from}.",
        rests_on=rests_on(outlook.rows),
        shown=offers[nearest],
        offers=offers,
        curve=curve_view(outlook) if outlook.coverage else None,
        agencies=_agency_views(region, rules, audits, in_force),
        certainty=per_cent(AUDIT_CERTAINTY),
        changes=[_change_view(change, region) for change in history],
        notice=notice,
        problems=list(problems),
        form=sent or SentChange(),
    )


def switches(region: Region) -> dict[str, str]:
    """What may be turned on or off in a region, with its name: its own agencies, and each area family as one."""
    own = {each.code: each.name for each in region.agencies if each.level is Jurisdiction.LOCAL}
    return own | {family.sector: f"{sector_name(family.sector)} (semua)" for family in region.families}


def plain_line(text: str) -> str:
    """One line of text without control characters, fit for a table's cell."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def _region(code: str, triage: Triage, moderator: Session) -> Region:
    """The region asked for, or the moderator's own, or the service's; `Refused` for one that isn't theirs."""
    own = moderator.caller.region
    code = code or own or triage.region
    if not moderator.caller.sees(code):
        text = "Wilayah itu bukan wilayah Anda, jadi pengaturannya tidak dapat dilihat atau diubah."
        raise Refused(
            message(MessagePage("Bukan wilayah Anda", text, "", SETTINGS_PATH, "Ke pengaturan"), moderator, 403)
        )
    if code not in known_regions():
        text = "Tidak ada wilayah dengan kode itu."
        page = MessagePage("Tidak ditemukan", text, "", SETTINGS_PATH, "Ke pengaturan")
        raise Refused(message(page, moderator, 404))
    return load_region(code)


def _own_target(bundle: Bundle) -> float:
    told = bundle.about.get("metrics", {}).get(SECTOR, {})
    return float(told.get("promised_precision", PROMISED_PRECISION))


def _target(written: str) -> float | None:
    """The target on offer that a form or address gives, in per cent; None for any other."""
    known = {f"{target * 100:.1f}": target for target in TARGETS}
    written = written.strip().replace(",", ".")
    return known.get(written if "." in written else f"{written}.0")


def _problems_of_reason(reason: str) -> list[str]:
    if not reason:
        return ["Tulis alasan perubahan ini."]
    if len(reason) > LONGEST_REASON:
        return [f"Alasan paling panjang {LONGEST_REASON} huruf; yang dikirim {number(len(reason))}."]
    return []


def _agency_views(region: Region, rules: Rules, audits: dict[str, Audits], target: float) -> list[AgencyView]:
    names = switches(region)
    dropped = sorted((rules.off | {code for code in audits if audits[code].checked}) - names.keys())
    views = []
    for code, name in (*names.items(), *((code, code) for code in dropped)):
        earned = audits.get(code, Audits())
        views.append(
            AgencyView(
                code=code,
                name=name,
                is_known=code in names,
                is_told=earned.routed > 0 or code in rules.off,
                routes_alone=code not in rules.off,
                routed=number(earned.routed),
                checked=number(earned.checked),
                right=number(earned.right),
                least=per_cent(earned.least) if earned.checked else "",
                keeps=_keeps(earned, target),
            )
        )
    return views


def _keeps(earned: Audits, target: float) -> str:
    """What the blind checks say of an agency, against the target."""
    if not earned.checked:
        return "belum ada pemeriksaan"
    if earned.least >= target:
        return "terbukti mencapai target"
    return "belum terbukti" if earned.right / earned.checked >= target else "di bawah target"


def _change_view(change: Change, region: Region) -> ChangeView:
    if change.target is not None and not change.agency:
        what = f"Target {per_cent(change.target)}"
    else:
        name = switches(region).get(switch_of(change.agency), change.agency)
        what = f"{name}: {'boleh diteruskan sendiri' if change.routes_alone else 'selalu ditinjau'}"
    return ChangeView(what, change.changed_by.rpartition(":")[2], clock(change.changed_at), change.reason)
