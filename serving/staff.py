"""Staff: which moderators and keys an admin may look after, and what they may give them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import update

from data.region import known_regions
from serving.access import Access, Caller, KeyRecord, ModeratorRecord, Scope
from serving.case import Clock, now
from serving.keys import LONGEST_KEY_NAME
from serving.moderators import MODERATOR_NAME
from serving.privacy import Action, record
from serving.store import Store
from serving.tables import moderators

_NO_SUCH_MODERATOR = "Moderator itu tidak ada."
_NO_SUCH_KEY = "Kunci itu tidak ada."


def moderators_of(access: Access, caller: Caller) -> list[ModeratorRecord]:
    """The moderators that an admin looks after: those of their own region, or all."""
    return [found for found in access.list_moderators() if caller.sees(found.region)]


def keys_of(access: Access, caller: Caller) -> list[KeyRecord]:
    """The keys that an admin looks after: those for their own region, or all."""
    return [found for found in access.list_keys() if caller.sees(found.region)]


def problems_of_name(access: Access, name: str) -> list[str]:
    """What is wrong with a new moderator's name, in Indonesian. Names are taken whatever the region."""
    if not MODERATOR_NAME.fullmatch(name):
        return ["Nama moderator 2 sampai 40 karakter: huruf kecil, angka, titik, garis, diawali huruf."]
    taken = name in {each.name for each in access.list_moderators()}
    return ["Nama itu sudah dipakai. Pilih nama lain."] if taken else []


def problems_of_key_name(access: Access, caller: Caller, name: str) -> list[str]:
    """What is wrong with a new key's name, in Indonesian.

    One that works already has another name: a page sent twice must not make two keys.
    """
    if not 1 <= len(name) <= LONGEST_KEY_NAME or not name.isprintable():
        return [f"Nama kunci 1 sampai {LONGEST_KEY_NAME} karakter; tulis sistem apa yang memakainya."]
    taken = name in {each.name for each in keys_of(access, caller) if each.revoked_at is None}
    return ["Sudah ada kunci aktif dengan nama itu. Cabut dulu, atau pakai nama lain."] if taken else []


def problems_of_rights(caller: Caller, scopes: Collection[str], region: str) -> list[str]:
    """All that is wrong with rights that an admin wants to give, in Indonesian; nobody gives more than they have."""
    problems = []
    if not scopes:
        problems.append("Pilih paling sedikit satu hak.")
    if region and region not in known_regions():
        problems.append("Wilayah itu tidak ada.")
    elif not caller.sees(region):
        problems.append("Anda hanya dapat memberi hak untuk wilayah Anda sendiri.")
    if any(scope not in set(Scope) or not caller.may(Scope(scope)) for scope in scopes):
        problems.append("Anda tidak dapat memberi hak itu.")
    return problems


def problems_of_change(
    access: Access, caller: Caller, name: str, scopes: Collection[str] | None, region: str = ""
) -> list[str]:
    """All that is wrong with other rights for a moderator, or with shutting them out (`scopes` None), in Indonesian."""
    found = next((each for each in moderators_of(access, caller) if each.name == name), None)
    if found is None:
        return [_NO_SUCH_MODERATOR]
    is_own = caller.name == f"moderator:{name}"
    if scopes is None:
        return ["Anda tidak dapat menonaktifkan akun sendiri."] if is_own else []
    problems = problems_of_rights(caller, scopes, region)
    if is_own and (Scope.ADMIN.value not in scopes or region != found.region):
        problems.append("Hak admin dan wilayah akun sendiri tidak dapat diubah; minta admin lain.")
    return problems


def problems_of_reset(access: Access, caller: Caller, name: str) -> list[str]:
    """What speaks against a new one-time password for a moderator, in Indonesian."""
    if caller.name == f"moderator:{name}":
        return ["Ganti sandi Anda sendiri lewat menu Ganti sandi."]
    return [] if name in {each.name for each in moderators_of(access, caller)} else [_NO_SUCH_MODERATOR]


def problems_of_revoking(access: Access, caller: Caller, key: str) -> list[str]:
    """What speaks against ending a key, in Indonesian."""
    return [] if key in {each.id for each in keys_of(access, caller)} else [_NO_SUCH_KEY]


def change_rights(
    store: Store, name: str, scopes: Collection[str], region: str, *, by: str, clock: Clock = now
) -> None:
    """Give a moderator other rights, which count from their next click on."""
    rights = {"scopes": sorted(scopes), "region": region}
    with store.writing() as connection:
        connection.execute(update(moderators).where(moderators.c.name == name).values(rights))
        record(connection, by, Action.CHANGE, None, {"of": "moderator", "name": name, **rights}, clock=clock)
