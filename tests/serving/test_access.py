"""Who may do what: keys that are only hashes, passwords that can't be guessed, sessions that end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from data.errors import UnknownName
from serving.access import Access, BadAccess, BadPassword, Caller, NotAuthorised, Scope, SlowDown, WrongPassword
from serving.passwords import password_problems, wait_after
from serving.store import Store
from serving.tables import keys, moderators, sessions

OWN = "kuda-laut-menari"


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **more: float) -> None:
        self.at += timedelta(**more)


class WatchedStore:
    """A store whose reads are counted, and which can be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.is_away = False
        self.after_read: Callable[[], object] = lambda: None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self.reads += 1
        if self.is_away:
            raise OperationalError("SELECT", {}, Exception("gone"))
        with self._store.reading() as connection:
            yield connection
        self.after_read()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._store.writing() as connection:
            yield connection


class CountingHash(PasswordHash):
    """A quick hash that counts how often a password was held against one."""

    def __init__(self) -> None:
        super().__init__((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
        self.checks = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        self.checks += 1
        return super().verify(password, hash)


QUICK = CountingHash()


def access_to(store: Any, clock: Time) -> Access:
    return Access(store, clock=clock, passwords=QUICK)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def watched(store: Store) -> WatchedStore:
    return WatchedStore(store)


@pytest.fixture
def people(any_store: Store, clock: Time) -> Access:
    """Access in either database."""
    return access_to(any_store, clock)


def with_password(people: Access, name: str = "budi", scopes: tuple[str, ...] = ("review",), region: str = "") -> None:
    people.change_password(name, people.create_moderator(name, scopes, region), OWN)


def fail(people: Access, times: int, name: str = "budi") -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            people.sign_in(name, "bukan ini")


def rows(store: Store, table: Any) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(table)).mappings())


def test_a_key_tells_who_calls_and_what_they_may(people: Access) -> None:
    record, token = people.create_key("Kanal WhatsApp", ["intake", "data"], "kab-bandung")
    caller = people.check_key(token)
    assert caller == Caller(f"key:{record.id}", frozenset({Scope.INTAKE, Scope.DATA}), "kab-bandung")
    assert [caller.may(scope) for scope in Scope] == [True, False, True, False]
    assert caller.sees("kab-bandung")
    assert not caller.sees("kab-tangerang")
    assert people.list_keys() == [record]


def test_an_admin_may_do_everything_and_an_empty_region_is_every_region() -> None:
    admin = Caller("key:ab12cd34", frozenset({Scope.ADMIN}), "")
    assert all(admin.may(scope) for scope in Scope)
    assert admin.sees("kab-bandung")


def test_a_token_has_the_form_that_is_promised_and_only_its_hash_is_kept(people: Access, any_store: Store) -> None:
    record, token = people.create_key("uji", ["intake"])
    start, key_id, secret = token.split("_", 2)
    assert (start, key_id, len(key_id), len(secret)) == ("dsp", record.id, 8, 43)
    [row] = rows(any_store, keys)
    assert secret not in str(row)
    assert len(row["secret_hash"]) == 64


def test_what_is_no_good_key_is_refused(people: Access) -> None:
    record, token = people.create_key("uji", ["intake"])
    others = ["", "dsp", token[:-1], token + "A", token.upper(), f" {token}", f"dsp_{record.id}_{'A' * 43}"]
    for wrong in [*others, f"dsp_00000000_{token[-43:]}", "dsp_\x00\udcff", "é" * 55]:
        assert people.known_key(wrong) is None
        with pytest.raises(NotAuthorised):
            people.check_key(wrong)


def test_a_revoked_key_ends_here_at_once_and_elsewhere_within_five_seconds(
    people: Access, any_store: Store, clock: Time
) -> None:
    record, token = people.create_key("uji", ["intake"])
    other = access_to(any_store, clock)
    assert people.check_key(token) == other.check_key(token)
    people.revoke_key(record.id)
    assert people.known_key(token) is None
    with pytest.raises(NotAuthorised):
        people.check_key(token)
    clock.pass_by(seconds=3.9)
    assert other.known_key(token)
    clock.pass_by(seconds=1.1)
    assert other.known_key(token) is None
    with pytest.raises(NotAuthorised):
        other.check_key(token)
    revoked_at = people.list_keys()[0].revoked_at
    people.revoke_key(record.id)
    assert people.list_keys()[0].revoked_at == revoked_at


def test_revoking_an_unknown_key_names_those_that_exist(people: Access) -> None:
    record, _ = people.create_key("uji", ["intake"])
    with pytest.raises(UnknownName, match=record.id):
        people.revoke_key("ffffffff")


def test_a_key_is_asked_for_in_the_database_once_in_four_seconds(watched: WatchedStore, clock: Time) -> None:
    people = access_to(watched, clock)
    _, token = people.create_key("uji", ["intake"])
    for _ in range(3):
        people.check_key(token)
    assert people.known_key(token)
    assert watched.reads == 1
    clock.pass_by(seconds=4)
    # One caller is sent to ask, the others go on.
    assert [people.known_key(token) is None for _ in range(3)] == [True, False, False]
    people.check_key(token)
    assert watched.reads == 2
    clock.pass_by(seconds=3)
    assert people.known_key(token)


def test_a_clock_that_is_set_back_makes_no_key_good_for_longer(people: Access, clock: Time) -> None:
    _, token = people.create_key("uji", ["intake"])
    people.check_key(token)
    clock.pass_by(hours=-1)
    assert people.known_key(token) is None


def test_a_key_outlasts_the_database_for_ten_minutes(watched: WatchedStore, clock: Time) -> None:
    people = access_to(watched, clock)
    _, token = people.create_key("uji", ["intake"])
    _, unseen = people.create_key("lain", ["intake"])
    caller = people.check_key(token)
    watched.is_away = True
    with pytest.raises(OperationalError):
        people.check_key(unseen)
    clock.pass_by(minutes=9)
    assert people.check_key(token) == caller
    asked = watched.reads
    assert people.check_key(token) == people.known_key(token) == caller
    assert watched.reads == asked
    clock.pass_by(minutes=1)
    with pytest.raises(OperationalError):
        people.check_key(token)
    watched.is_away = False
    assert people.check_key(token) == caller


def test_what_was_read_before_a_revocation_is_not_remembered_after_it(watched: WatchedStore, clock: Time) -> None:
    people = access_to(watched, clock)
    record, token = people.create_key("uji", ["intake"])
    watched.after_read = lambda: people.revoke_key(record.id)
    people.check_key(token)
    watched.after_read = lambda: None
    with pytest.raises(NotAuthorised):
        people.check_key(token)


def test_keys_in_memory_are_bounded(watched: WatchedStore, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.keys._MOST_REMEMBERED", 3)
    people = access_to(watched, clock)
    tokens = [people.create_key(f"uji {number}", ["intake"])[1] for number in range(5)]
    for token in tokens:
        people.check_key(token)
    assert [bool(people.known_key(token)) for token in tokens] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("name", "scopes", "region", "wrong"),
    [
        ("", ["intake"], "", "name"),
        ("x" * 81, ["intake"], "", "name"),
        ("dua\nbaris", ["intake"], "", "name"),
        ("uji", [], "", "scope"),
        ("uji", ["semua"], "", "intake, review, data, admin"),
        ("uji", ["intake"], "atlantis", "kab-tangerang"),
    ],
)
def test_a_key_that_can_not_be_is_refused(
    watched: WatchedStore, clock: Time, name: str, scopes: list[str], region: str, wrong: str
) -> None:
    people = access_to(watched, clock)
    with pytest.raises((BadAccess, UnknownName), match=wrong):
        people.create_key(name, scopes, region)
    assert people.list_keys() == []


def test_a_moderator_signs_in_with_a_password_of_their_own(people: Access, any_store: Store) -> None:
    first = people.create_moderator("budi", ["review"], "kab-bandung")
    before = people.session(people.sign_in("budi", first))
    assert before is not None
    assert before.must_change
    token = people.change_password("budi", first, OWN)
    after = people.session(token)
    assert after is not None
    assert not after.must_change
    assert after.name == "budi"
    assert after.caller == Caller("moderator:budi", frozenset({Scope.REVIEW}), "kab-bandung")
    assert people.session(people.sign_in(" Budi ", OWN)) is not None
    with pytest.raises(WrongPassword):
        people.sign_in("budi", first)
    [row] = rows(any_store, moderators)
    assert row["password_hash"].startswith("$argon2id$")
    assert OWN not in str(row)


def test_the_password_is_hashed_as_argon2_recommends_unless_told_otherwise(store: Store, clock: Time) -> None:
    people = Access(store, clock=clock)
    people.create_moderator("budi", ["review"])
    assert rows(store, moderators)[0]["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("name", ["", "a", "Budi", "budi santoso", "1budi", "budi'--", "b" * 41, "budi\n"])
def test_a_name_that_can_not_be_is_refused(watched: WatchedStore, clock: Time, name: str) -> None:
    with pytest.raises(BadAccess, match="name"):
        access_to(watched, clock).create_moderator(name, ["review"])


def test_a_name_is_given_once(people: Access) -> None:
    with_password(people)
    with pytest.raises(BadAccess, match="already"):
        people.create_moderator("budi", ["admin"])
    assert people.session(people.sign_in("budi", OWN)) is not None


def test_an_unknown_moderator_is_answered_with_those_that_exist(people: Access) -> None:
    with_password(people)
    for change in (people.disable_moderator, people.reset_password):
        with pytest.raises(UnknownName, match="budi"):
            change("siti")


def test_a_wrong_password_and_an_unknown_name_are_answered_alike_with_the_same_work(people: Access) -> None:
    with_password(people)
    with_password(people, "sari")
    people.disable_moderator("sari")
    told = []
    for name, password in (("budi", "bukan ini"), ("siapa", OWN), ("\x00'; --", OWN), ("", ""), ("sari", OWN)):
        checks = QUICK.checks
        with pytest.raises(WrongPassword) as refused:
            people.sign_in(name, password)
        assert QUICK.checks == checks + 1
        told.append(str(refused.value))
    assert len(set(told)) == 1


@pytest.mark.parametrize("name", ["budi", "siapa"])
def test_wrong_passwords_make_wait_longer_and_longer_whether_the_name_exists_or_not(
    people: Access, clock: Time, name: str
) -> None:
    with_password(people)
    fail(people, 3, name)
    for expected in (2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        checks = QUICK.checks
        with pytest.raises(SlowDown) as refused:
            people.sign_in(name, OWN)
        assert refused.value.seconds == expected
        assert QUICK.checks == checks
        clock.pass_by(seconds=expected)
        fail(people, 1, name)


def test_a_wait_holds_in_other_processes_and_after_a_restart(people: Access, any_store: Store, clock: Time) -> None:
    with_password(people)
    fail(people, 2)
    other = access_to(any_store, clock)
    fail(other, 1)
    for each in (people, other, access_to(any_store, clock)):
        with pytest.raises(SlowDown):
            each.sign_in("budi", OWN)
    with_password(people, "sari")
    assert people.sign_in("sari", OWN)


def test_nobody_is_locked_out_for_good_and_a_right_password_ends_the_waiting(people: Access, clock: Time) -> None:
    with_password(people)
    for _ in range(30):
        fail(people, 1)
        clock.pass_by(minutes=15)
    assert people.sign_in("budi", OWN)
    fail(people, 2)
    assert people.sign_in("budi", OWN)


def test_a_wait_from_a_clock_that_was_wrong_locks_nobody_out(people: Access, clock: Time) -> None:
    clock.pass_by(days=4_000)
    with_password(people)
    fail(people, 3)
    clock.pass_by(days=-4_000)
    assert people.sign_in("budi", OWN)


def test_many_tries_at_once_can_not_outrun_the_wait(people: Access) -> None:
    with_password(people)

    def try_one(_: int) -> type[Exception]:
        with pytest.raises((WrongPassword, SlowDown)) as refused:
            people.sign_in("budi", "bukan ini")
        return refused.type

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(try_one, range(24)))
    assert told.count(WrongPassword) == 3


def test_names_that_nobody_has_are_remembered_within_bounds(
    watched: WatchedStore, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.moderators._MOST_STRANGERS", 3)
    people = access_to(watched, clock)
    for number in range(9):
        fail(people, 1, f"siapa{number}")
    assert len(people._strangers) == 3


def test_a_session_ends_eight_hours_after_its_last_use_and_a_day_after_signing_in(people: Access, clock: Time) -> None:
    with_password(people)
    unused, used = people.sign_in("budi", OWN), people.sign_in("budi", OWN)
    for _ in range(3):
        clock.pass_by(hours=7, minutes=59)
        assert people.session(used) is not None
    assert people.session(unused) is None
    clock.pass_by(minutes=3)
    assert people.session(used) is None


def test_the_use_of_a_session_is_written_once_a_minute(people: Access, any_store: Store, clock: Time) -> None:
    with_password(people)
    token = people.sign_in("budi", OWN)
    start = clock.at
    written = []
    for seconds in (30, 29, 2, 58, 2):
        clock.pass_by(seconds=seconds)
        people.session(token)
        written.append((max(row["used_at"] for row in rows(any_store, sessions)) - start).total_seconds())
    assert written == [0, 0, 61, 61, 121]


def test_only_the_hash_of_a_session_is_kept_and_old_ones_go_when_signing_in(
    people: Access, any_store: Store, clock: Time
) -> None:
    with_password(people)
    token = people.sign_in("budi", OWN)
    assert len(token) == 43
    assert token not in str(rows(any_store, sessions))
    clock.pass_by(hours=9)
    people.sign_in("budi", OWN)
    assert len(rows(any_store, sessions)) == 1


def test_sessions_have_tokens_of_their_own(people: Access) -> None:
    with_password(people)
    first, second = (people.session(people.sign_in("budi", OWN)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.csrf != second.csrf


def test_signing_out_ends_that_session_alone(people: Access) -> None:
    with_password(people)
    first, second = people.sign_in("budi", OWN), people.sign_in("budi", OWN)
    people.sign_out(first)
    people.sign_out("nothing")
    assert people.session(first) is None
    assert people.session(second) is not None
    assert people.session("") is None


def test_a_changed_password_ends_every_other_session_of_that_moderator(people: Access) -> None:
    with_password(people)
    with_password(people, "sari")
    before, other = people.sign_in("budi", OWN), people.sign_in("sari", OWN)
    token = people.change_password("budi", OWN, "bukan kuda laut")
    assert people.session(before) is None
    assert people.session(token) is not None
    assert people.session(other) is not None


def test_a_disabled_moderator_is_out_at_once_and_a_reset_password_lets_them_in_again(people: Access) -> None:
    with_password(people)
    token = people.sign_in("budi", OWN)
    people.disable_moderator("budi")
    assert people.session(token) is None
    with pytest.raises(WrongPassword):
        people.sign_in("budi", OWN)
    assert people.list_moderators()[0].disabled_at is not None
    fail(people, 2)
    first = people.reset_password("budi")
    session = people.session(people.sign_in("budi", first))
    assert session is not None
    assert session.must_change
    assert people.list_moderators()[0].disabled_at is None


def test_a_password_that_is_reset_while_the_old_one_is_checked_lets_nobody_in(
    store: Store, watched: WatchedStore, clock: Time
) -> None:
    people = access_to(watched, clock)
    with_password(people)
    watched.after_read = lambda: access_to(store, clock).reset_password("budi")
    with pytest.raises(WrongPassword):
        people.sign_in("budi", OWN)
    assert rows(store, sessions) == []


@pytest.mark.parametrize(
    ("new", "problems"),
    [
        ("pendek", ["Sandi baru paling sedikit 10 karakter."]),
        ("BudiSantoso", ["Sandi baru tidak boleh sama dengan nama pengguna."]),
        (OWN, ["Sandi baru harus berbeda dari sandi sekarang."]),
        ("x" * 201, ["Sandi baru paling banyak 200 karakter."]),
        ("kata sandi é", []),
    ],
)
def test_a_new_password_is_told_all_that_is_wrong_with_it(new: str, problems: list[str]) -> None:
    assert password_problems("budisantoso", new, OWN) == problems


def test_several_problems_of_a_new_password_are_told_at_once(people: Access) -> None:
    first = people.create_moderator("budi", ["review"])
    assert len(password_problems("budi", "budi", "budi")) == 3
    with pytest.raises(BadPassword) as refused:
        people.change_password("budi", first, "budi")
    assert len(refused.value.problems) == 2


def test_the_same_characters_typed_another_way_are_the_same_password(people: Access) -> None:
    first = people.create_moderator("budi", ["review"])
    people.change_password("budi", first, "kafé di pojok")
    assert people.sign_in("budi", "kafe\u0301 di pojok")
    with pytest.raises(WrongPassword):
        people.sign_in("budi", "\udcff")


def test_the_wait_doubles_from_two_seconds_to_fifteen_minutes() -> None:
    seconds = [wait_after(failures).total_seconds() for failures in (0, 1, 2, 3, 4, 11, 12, 13, 10_000)]
    assert seconds == [0, 0, 0, 2, 4, 512, 900, 900, 900]


def test_the_first_start_makes_one_admin_and_no_other(people: Access, any_store: Store, clock: Time) -> None:
    password = people.first_start()
    assert password is not None
    session = people.session(people.sign_in("admin", password))
    assert session is not None
    assert session.must_change
    assert session.caller.scopes == {Scope.REVIEW, Scope.DATA, Scope.ADMIN}
    assert session.caller.region == ""
    assert access_to(any_store, clock).first_start() is None


def test_several_processes_that_start_at_once_make_one_admin(any_store: Store, clock: Time) -> None:
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda _: access_to(any_store, clock).first_start(), range(4)))
    assert len([password for password in told if password]) == 1
    assert len(rows(any_store, moderators)) == 1


def test_a_service_with_keys_but_without_moderators_gets_its_admin_too(people: Access) -> None:
    people.create_key("uji", ["intake"])
    assert people.first_start() is not None
    assert [person.name for person in people.list_moderators()] == ["admin"]
    assert people.first_start() is None
