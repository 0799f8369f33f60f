"""Clients in-process: the whole service over a triage, for a moderator who has signed in and sends a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.testclient import TestClient

from serving.access import Access, Scope
from serving.api import Service
from serving.app import create_app
from serving.metrics import Metrics
from serving.models import Models
from serving.outbox import Outbox
from serving.settings import Settings
from serving.store import Store
from serving.triage import Triage

MODERATOR = "petugas"
PASSWORD = "sandi-untuk-uji-coba"


def quick_access(store: Store) -> Access:
    """With a hash that is quick to make; the real one is meant to be slow."""
    return Access(store, passwords=PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))


def service_of(triage: Triage, folder: Path = Path("bundle")) -> Service:
    return Service(triage, Models(triage, folder), Outbox(triage.store), Metrics())


def sign_in(access: Access) -> str:
    """The token of a moderator's session."""
    name = f"{MODERATOR}-{token_hex(4)}"
    return access.change_password(name, access.create_moderator(name, ["review"]), PASSWORD)


@contextmanager
def client_of(triage: Triage) -> Iterator[TestClient]:
    """A client of the service over a triage, signed in, with a key that may do everything."""
    access = quick_access(triage.store)
    app = create_app(service_of(triage), access, Settings())
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
        client.cookies.set("disposisi", sign_in(access))
        client.headers["Authorization"] = f"Bearer {access.create_key('uji', list(Scope))[1]}"
        yield client
