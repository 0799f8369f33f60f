"""Starts the service: checks the bundle, opens the store, listens; one process, or several behind one socket."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import structlog
import uvicorn

from data.errors import DisposisiError
from data.region import known_regions, load_region
from model.bundle import FORMAT, Bundle, load_bundle
from model.registry import find_bundle
from serving.access import Access
from serving.api import Service
from serving.app import create_app
from serving.checks import CheckShares
from serving.database import open_store
from serving.logs import RequestLog, configure_logs
from serving.metrics import Metrics
from serving.models import Models
from serving.outbox import Outbox
from serving.settings import Settings
from serving.shadow import Shadow
from serving.triage import Triage
from serving.upkeep import Upkeep
from serving.wire import PatientProtocol

if TYPE_CHECKING:
    from serving.delivery import Deliverer

# A worker that dies as soon as it starts is not started again and again at full speed.
_PAUSE_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = structlog.get_logger("disposisi.server")


def run(settings: Settings) -> None:
    """Serve until told to stop. A bundle, region, database or address that won't do ends the start with its error."""
    listener = _listen(settings.host, settings.port)
    bundle = load_bundle(find_bundle(settings.bundle))
    for known in known_regions():
        load_region(known)  # a region file that can't be used ends the start, not a citizen's complaint
    code = load_region(settings.region or str(bundle.about["region"])).code
    store = open_store(settings.database)
    password = Access(store).first_start()
    name = store.name
    store.close()
    _announce(settings, listener, bundle, code, name, password)
    configure_logs(settings.log_format)
    # What is loaded now stays; without this the garbage collector would walk it again and again.
    gc.freeze()
    if settings.workers == 1:
        _serve(settings, listener, bundle, code)
    else:
        _supervise(settings, listener, bundle, code)


def _announce(
    settings: Settings, listener: socket.socket, bundle: Bundle, region: str, database: str, password: str | None
) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    print(f"Bundle {bundle.version} for {region}; database {database}.")
    if bundle.words_have_changed:
        print("The word tables have changed since this bundle was trained: train it again, or its answers may suffer.")
    if password:
        print(f"First start. Sign in as 'admin' with this one-time password: {password}")
        print("Keys for the intake system: disposisi keys create --help")
    print(f"Moderators' desk: {address}/antrean   API description: {address}/openapi.json")
    print(f"Listening on {address}", flush=True)


def _serve(
    settings: Settings,
    listener: socket.socket,
    bundle: Bundle,
    region: str,
    number: int = 0,
    chosen: int | None = None,
    *,
    replaces: bool = False,
) -> None:
    """One process; `replaces`: another that died.

    `chosen` is a file in which workers tell each other which bundle to answer with.
    """
    store = open_store(settings.database)
    checks = CheckShares(settings.blind_share, settings.audit_share)
    triage, metrics = Triage(bundle, region, store, checks=checks), Metrics(str(number))
    models = Models(triage, settings.bundle, _tell_others(chosen), metrics.changed)
    service = Service(triage, models, Outbox(store), metrics, delivers=settings.webhook_url is not None)
    metrics.set_model(bundle.version, FORMAT)
    upkeep = Upkeep(triage, keep_retention=settings.keep_retention)
    deliverer = _deliverer(settings, service)
    # One of the processes is enough: it reads the cases of all from the store.
    shadow = Shadow(triage, settings.shadow_bundle) if settings.shadow_bundle and number == 0 else None
    # Beside the first answers: the cases of before are only looked at for similar ones.
    Thread(target=triage.recall, name="recall", daemon=True).start()
    upkeep.start()
    if deliverer:
        deliverer.start()
    if shadow:
        shadow.start()
    config = uvicorn.Config(
        RequestLog(create_app(service, Access(store), settings)),
        http=PatientProtocol,
        ws="none",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    server = uvicorn.Server(config)
    # Uvicorn ends the requests under way, then raises the signal again: being asked to stop is no error. Until Uvicorn
    # listens to signals itself, being asked must not be forgotten either.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: setattr(server, "should_exit", True))
    signal.signal(signal.SIGHUP, lambda *_: Thread(target=_follow, args=(service, chosen), daemon=True).start())
    if replaces or (chosen is not None and os.pread(chosen, 1, 0)):
        # The others may have changed the bundle since it was loaded here, or while this process didn't listen yet.
        _follow(service, chosen)
    try:
        server.run(sockets=[listener])
    finally:
        if deliverer:
            deliverer.close()
        upkeep.close()
        if shadow:
            shadow.close()
        store.close()


def _deliverer(settings: Settings, service: Service) -> Deliverer | None:
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    from serving.delivery import Deliverer  # its HTTP client would cost every start a tenth of a second

    return Deliverer(service.triage.store, str(settings.webhook_url), settings.webhook_secret.get_secret_value())


def _follow(service: Service, chosen: int | None) -> None:
    """Answer with the bundle that was chosen, or with the present source read anew; told in the log."""

    def source() -> Path:
        written = os.pread(chosen, 4096, 0).split(b"\n") if chosen is not None else []
        return Path(os.fsdecode(written[0])) if len(written) > 1 else service.models.source

    try:
        bundle = service.models.follow(source)
    except DisposisiError as error:
        _log.error("bundle not loaded, the present one goes on", reason=type(error).__name__)
        return
    _log.info("bundle loaded", version=bundle.version)


def _tell_others(chosen: int | None) -> Callable[[Path], None]:
    """How a worker that was asked for another bundle lets the others know: by the file, and the parent's signal."""
    parent = os.getppid()

    def tell(source: Path) -> None:
        # With a parent that died, the one in its place is somebody else's.
        if chosen is not None and os.getppid() == parent:
            os.ftruncate(chosen, 0)
            os.pwrite(chosen, os.fsencode(source.resolve()) + b"\n", 0)
            os.kill(parent, signal.SIGHUP)

    return tell


def _supervise(settings: Settings, listener: socket.socket, bundle: Bundle, region: str) -> None:
    """Fork the workers, which share the bundle's memory; start anew whichever dies; hand signals on."""
    workers: dict[int, int] = {}
    stopping = False

    def hand_on(number: int, _frame: object) -> None:
        nonlocal stopping
        if number != signal.SIGHUP:
            # Uvicorn takes a second SIGINT for haste.
            number, stopping = signal.SIGTERM, True
            listener.close()  # else the system would go on taking connections that nobody answers
        for pid in list(workers):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    with tempfile.TemporaryFile(buffering=0) as chosen:
        for each in _SIGNALS:
            signal.signal(each, hand_on)

        def start(number: int, *, replaces: bool = False) -> None:
            # A signal in between would find a worker that isn't listed, or one that takes itself for the parent.
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    for each in _SIGNALS:
                        signal.signal(each, signal.SIG_IGN if each == signal.SIGHUP else signal.SIG_DFL)
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
                    os.setpgrp()  # Ctrl-C is for the parent, which asks each worker to stop
                    _end_with_the_parent()
                    _serve(settings, listener, bundle, region, number, chosen.fileno(), replaces=replaces)
                    code = 0
                except BaseException as error:
                    _log.critical("worker failed", exc_info=error)
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            workers[pid] = number
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

        for number in range(settings.workers):
            start(number)
        while workers:
            pid, status = os.wait()
            number = workers.pop(pid)
            if not stopping:
                _log.error("worker died, started anew", worker=number, status=os.waitstatus_to_exitcode(status))
                time.sleep(_PAUSE_SECONDS)
                # The pause may have been the moment to stop.
                if not stopping:
                    start(number, replaces=True)


def _end_with_the_parent() -> None:
    """Let the kernel tell this process to stop when its parent dies: nobody else would. Linux alone knows how."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine."""
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that say they are TCP; with it each answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise DisposisiError(f"Can't listen on {host}:{port} ({error.strerror}). Choose another --port.") from None
    listener.listen(1024)
    return listener
