"""Signing in and out of the desk, and the door that lets only signed-in moderators through."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from math import ceil
from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from serving.access import Access, Scope, Session, SlowDown, WrongPassword
from serving.pages import MessagePage, message, render
from serving.passwords import password_problems

# Where moderators start, and data staff who aren't moderators.
HOME, DATA_HOME = "/antrean", "/model"
# A verdict's form that came without a session: its fields go through the sign-in under such names.
_KEPT = "isi-"
_MOST_KEPT = 40
# A password check takes 64 MB and much of two cores: one at a time, a few in line; what comes beyond is turned away.
_CHECKS_AT_ONCE, _MOST_IN_LINE = 1, 10
_SIGN_IN_AGAIN = "Anda perlu masuk lagi. Isian Anda belum tersimpan; setelah masuk, isian itu dapat dikirim lagi."


@dataclass(frozen=True)
class SignInPage:
    """What `/masuk` shows. `kept` is a form to be sent again to the path `send_to` once the moderator is in."""

    name: str
    go_on: str
    problem: str
    send_to: str = ""
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SendAgainPage:
    """After signing in again: the form that hadn't been taken."""

    send_to: str
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PasswordPage:
    """What `/sandi` shows."""

    is_forced: bool
    go_on: str
    problems: tuple[str, ...]


class Refused(Exception):
    """Raised by a dependency that answers in the route's place."""

    def __init__(self, answer: Response) -> None:
        self.answer = answer


class DeskRoute(APIRoute):
    """A route whose dependencies may answer in its place, by `Refused`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as refused:
                return refused.answer

        return handle_or_refuse


class Door:
    """Knows the moderator by the cookie, and every form by the token of its session."""

    def __init__(self, access: Access, secure_cookies: bool) -> None:
        self.access = access
        self._secure = secure_cookies
        # Browsers take a cookie of this name only over TLS and from this very host.
        self.cookie = "__Host-disposisi" if secure_cookies else "disposisi"

    async def session(self, request: Request) -> Session | None:
        """Who is signed in, if anybody."""
        token = request.cookies.get(self.cookie)
        return await to_thread.run_sync(self.access.session, token) if token else None

    async def signed_in(self, request: Request) -> Session:
        """The dependency of pages for everybody who is signed in."""
        return await self._enter(request, await own_form(request), {})

    async def moderator(self, request: Request) -> Session:
        """The dependency of the desk's pages: signed in, with a password of their own and the scope review."""
        form = await own_form(request)
        session = await self._enter(request, form, form)
        if session.must_change and request.method == "POST":
            text = "Gantilah sandi sementara Anda dulu. Yang Anda tulis belum tersimpan."
            page = MessagePage("Ganti sandi dulu", text, form.get("catatan", ""), "/sandi", "Ganti sandi")
            raise Refused(message(page, session, 403))
        if session.must_change:
            raise Refused(RedirectResponse(f"/sandi?lanjut={_here(request)}", 303))
        if not session.caller.may(Scope.REVIEW):
            if request.url.path in ("/", HOME) and session.caller.may(Scope.DATA):
                raise Refused(RedirectResponse(DATA_HOME, 303))
            text = "Akun Anda tidak berhak memutuskan laporan. Hubungi pengelola sistem bila seharusnya berhak."
            raise Refused(message(MessagePage("Bukan untuk Anda", text, "", "/sandi", "Ganti sandi"), session, 403))
        return session

    async def _enter(self, request: Request, form: dict[str, str], kept: dict[str, str]) -> Session:
        """The session, if a form holds its token too; what is kept of a form outlasts a session that has run out."""
        session = await self.session(request)
        if session is None:
            raise Refused(_sign_in_first(request, kept))
        # A token of another session, or of an earlier one, means a page that was opened before signing in anew.
        if request.method == "POST" and not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
            text = "Halaman ini sudah usang, muat ulang. Yang baru saja dikirim tidak disimpan."
            # A form's page is one step above where the form goes.
            way_back = own_path(request.url.path.rpartition("/")[0])
            page = MessagePage("Halaman usang", text, kept.get("catatan", ""), way_back, "Muat ulang")
            raise Refused(message(page, session, 403))
        return session

    def let_in(self, answer: Response, token: str) -> Response:
        """The same answer, with the cookie."""
        answer.set_cookie(self.cookie, token, path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer

    def let_out(self, answer: Response) -> Response:
        """The same answer, which ends the cookie."""
        answer.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer


def signin_routes(access: Access, secure_cookies: bool, on_failure: Callable[[], object] = lambda: None) -> APIRouter:
    """The pages that let moderators in and out. `on_failure` is told of every sign-in that fails."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, route_class=DeskRoute)
    door = Door(access, secure_cookies)
    turns = CapacityLimiter(_CHECKS_AT_ONCE)

    async def checked(check: Callable[..., str], *given: str) -> str:
        """What a check of a password gives, in its turn."""
        if turns.statistics().tasks_waiting >= _MOST_IN_LINE:
            raise SlowDown(10)
        try:
            return await to_thread.run_sync(check, *given, limiter=turns)
        except (WrongPassword, SlowDown):
            on_failure()
            raise

    @routes.get("/masuk")
    async def sign_in_page(request: Request, lanjut: str = "") -> Response:
        if await door.session(request):
            return RedirectResponse(own_path(lanjut), 303)
        return render("sign_in.html", SignInPage("", own_path(lanjut), ""), None)

    @routes.post("/masuk")
    async def sign_in(request: Request) -> Response:
        form = await own_form(request)
        page = SignInPage(form.get("nama", ""), own_path(form.get("lanjut", "")), "", *_kept(form))
        try:
            token = await checked(access.sign_in, page.name, form.get("sandi", ""))
        except WrongPassword:
            return _with_problem(page, "Nama atau sandi salah.", 403)
        except SlowDown as error:
            return _with_problem(page, _wait(error), 429, {"Retry-After": str(error.seconds)})
        before = request.cookies.get(door.cookie)
        if before:
            await to_thread.run_sync(access.sign_out, before)
        if page.send_to:
            session = await to_thread.run_sync(access.session, token)
            return door.let_in(render("send_again.html", SendAgainPage(page.send_to, page.kept), session), token)
        return door.let_in(RedirectResponse(page.go_on, 303), token)

    @routes.post("/keluar", dependencies=[Depends(door.signed_in)])
    async def sign_out(request: Request) -> Response:
        session = await door.session(request)
        if session is not None:
            await to_thread.run_sync(access.let_go, session.caller.name)
        await to_thread.run_sync(access.sign_out, request.cookies[door.cookie])
        return door.let_out(RedirectResponse("/masuk", 303))

    @routes.get("/sandi")
    async def password_page(lanjut: str = "", session: Session = Depends(door.signed_in)) -> Response:
        return render("password.html", PasswordPage(session.must_change, own_path(lanjut), ()), session)

    @routes.post("/sandi")
    async def change_password(request: Request, session: Session = Depends(door.signed_in)) -> Response:
        form = await own_form(request)
        current, new, again = (form.get(field, "") for field in ("sandi", "sandi_baru", "sandi_ulang"))
        go_on = own_path(form.get("lanjut", ""))
        problems, status = password_problems(session.name, new, current), 422
        if new != again:
            problems.append("Kedua sandi baru tidak sama.")
        if not problems:
            try:
                token = await checked(access.change_password, session.name, current, new)
                way = f"{HOME}?sandi=diganti" if go_on == HOME else go_on
                return door.let_in(RedirectResponse(way, 303), token)
            except WrongPassword:
                problems, status = ["Sandi sekarang salah."], 403
            except SlowDown as error:
                problems, status = [_wait(error)], 429
        return render("password.html", PasswordPage(session.must_change, go_on, tuple(problems)), session, status)

    return routes


async def own_form(request: Request) -> dict[str, str]:
    """The fields of a form that one of this service's own pages sent, without files; nothing if there is no form."""
    if request.method != "POST":
        return {}
    if not _is_own_page(request):
        page = MessagePage("Ditolak", "Isian harus dikirim dari halaman Disposisi sendiri.")
        raise Refused(message(page, None, 403))
    try:
        form = await request.form()
        # Files are never read; their space is given back at once.
        await form.close()
    except HTTPException:
        raise
    except Exception:
        # What a parser gives up on is the sender's mistake, whatever the parser calls it.
        raise HTTPException(400) from None
    return {name: _whole(value) for name, value in form.multi_items() if isinstance(value, str)}


def own_path(path: str) -> str:
    """A path of this service, with its query, to go on to; the queue instead of any other address."""
    return path if re.fullmatch(r"/(?!/)[A-Za-z0-9_.~%?=&/-]{0,500}", path) else HOME


def _is_own_page(request: Request) -> bool:
    """Whether a form was sent from this service's own page, as far as the browser tells."""
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    own = origin is None or origin.partition("://")[2] == request.headers.get("host")
    return own and site in ("same-origin", "none")


def _whole(text: str) -> str:
    """Text without halves of characters, which no answer can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _here(request: Request) -> str:
    """The page that was asked for, as a query's value."""
    return quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""), safe="/")


def _sign_in_first(request: Request, kept: dict[str, str]) -> Response:
    """The way to the sign-in; with what was typed, if that would be lost."""
    fields = tuple((name, value) for name, value in kept.items() if name != "csrf")[:_MOST_KEPT]
    if not fields:
        way_back = _here(request) if request.method != "POST" else ""
        return RedirectResponse(f"/masuk?lanjut={way_back}" if way_back else "/masuk", 303)
    page = SignInPage("", HOME, _SIGN_IN_AGAIN, request.url.path, fields)
    return render("sign_in.html", page, None, 401)


def _kept(form: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The form that waits for its moderator to be in, and where it goes."""
    send_to = form.get("kirim", "")
    if own_path(send_to) != send_to:
        return "", ()
    fields = ((name.removeprefix(_KEPT), value) for name, value in form.items() if name.startswith(_KEPT))
    return send_to, tuple(fields)[:_MOST_KEPT]


def _with_problem(page: SignInPage, problem: str, status: int, headers: dict[str, str] | None = None) -> Response:
    answer = render("sign_in.html", replace(page, problem=problem), None, status)
    answer.headers.update(headers or {})
    return answer


def _wait(error: SlowDown) -> str:
    minutes = ceil(error.seconds / 60)
    time = f"{error.seconds} detik" if error.seconds < 60 else f"{minutes} menit"
    return f"Terlalu banyak percobaan yang salah. Tunggu {time}, lalu coba lagi."
