"""Starts the service: checks the bundle, opens the store, listens on loopback."""

from __future__ import annotations

import gc
import signal
import socket
from pathlib import Path
from threading import Thread

import uvicorn

from data.errors import DisposisiError
from data.region import known_regions, load_region
from model.bundle import load_bundle
from serving.app import create_app
from serving.limits import is_loopback
from serving.store import open_store
from serving.triage import Triage


def run(bundle: Path, region: str | None, database: str, host: str, port: int) -> None:
    """Serve until told to stop. A bundle, region, database or address that won't do ends the start with its error."""
    listener = _listen(host, port)
    loaded = load_bundle(bundle)
    for known in known_regions():
        load_region(known)  # a region file that can't be used ends the start, not a citizen's complaint
    code = load_region(region or str(loaded.about["region"])).code
    store = open_store(database)
    triage = Triage(loaded, code, store)
    app = create_app(triage)
    # Beside the first answers: the cases of before are only looked at for similar ones.
    Thread(target=triage.recall, name="recall", daemon=True).start()
    # What is loaded now stays; without this the garbage collector would walk it again and again.
    gc.freeze()
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    print(f"Bundle {loaded.version} for {code}; database {store.name}.")
    if loaded.words_have_changed:
        print("The word tables have changed since this bundle was trained: train it again, or its answers may suffer.")
    print("No keys or sign-in yet, so only this machine can reach it.")
    print(f"Moderators' desk: {address}/antrean   API description: {address}/openapi.json")
    print(f"Listening on {address}", flush=True)
    # No access lines: nobody needs them yet. Errors are told.
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=10)
    # Uvicorn ends the requests under way, then raises the signal again: being asked to stop is no error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        store.close()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address."""
    address = "127.0.0.1" if host == "localhost" else host
    if not is_loopback(address):
        raise DisposisiError(
            f"--host {host} is not a loopback address such as 127.0.0.1. Until keys and sign-in exist the service "
            "answers this machine only."
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that say they are TCP; with it each answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise DisposisiError(f"Can't listen on {host}:{port} ({error.strerror}). Choose another --port.") from None
    listener.listen(128)
    return listener
