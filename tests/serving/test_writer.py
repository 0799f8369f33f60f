"""The writer commits together what comes together, answers each item for itself, and outlives what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from serving.writer import MOST_TOGETHER, TooBusy, Writer

PATIENCE = 10.0


class Keeper:
    """A stand-in for the database: keeps words, waits at a gate when told to, and says in which groups they came."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.kept: list[str] = []
        self.threads: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self.gate, self.arrived = Event(), Event()
        self.gate.set()

    def keep(self, group: Sequence[str]) -> list[str | Exception]:
        self.threads.add(current_thread().name)
        self.groups.append(list(group))
        self.arrived.set()
        assert self.gate.wait(PATIENCE)
        for word in group:
            if word in self.errors:
                raise self.errors[word]
        self.kept += [word for word in group if not word.startswith("no")]
        return [LookupError(word) if word.startswith("no") else word.upper() for word in group]


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def writer(keeper: Keeper) -> Iterator[Writer[str, str]]:
    with closing(Writer(keeper.keep, most_waiting=1_000)) as opened:
        yield opened
        keeper.gate.set()


@pytest.fixture
def hold(keeper: Keeper) -> Callable[[Writer[str, str]], Future[str]]:
    """Keeps the writer busy with one item, so that what comes next waits together."""

    def begin(writer: Writer[str, str]) -> Future[str]:
        keeper.gate.clear()
        first = writer.submit("first")
        assert keeper.arrived.wait(PATIENCE)
        return first

    return begin


Hold = Callable[[Writer[str, str]], "Future[str]"]


def lost(*, connection: bool) -> OperationalError:
    return OperationalError("INSERT", {}, Exception("gone"), connection_invalidated=connection)


def outcome(future: Future[Any]) -> Any:
    """What a future holds: the result, or the exception's class."""
    error = future.exception(PATIENCE)
    return type(error) if error else future.result()


def test_one_item_is_kept_without_waiting_for_others(writer: Writer[str, str], keeper: Keeper) -> None:
    assert writer.submit("satu").result(PATIENCE) == "SATU"
    assert writer.submit("dua").result(PATIENCE) == "DUA"
    assert keeper.groups == [["satu"], ["dua"]]


def test_what_comes_while_a_group_is_written_is_the_next_group(
    writer: Writer[str, str], keeper: Keeper, hold: Hold
) -> None:
    first = hold(writer)
    more = [writer.submit(word) for word in "abcde"]
    assert writer.waiting == 5
    assert not first.done()
    keeper.gate.set()
    assert [outcome(future) for future in (first, *more)] == ["FIRST", *"ABCDE"]
    assert keeper.groups == [["first"], list("abcde")]
    assert keeper.threads == {"writer"}
    assert writer.waiting == 0


def test_a_group_has_at_most_so_many_items(writer: Writer[str, str], keeper: Keeper, hold: Hold) -> None:
    hold(writer)
    more = [writer.submit(f"w{number}") for number in range(2 * MOST_TOGETHER + 1)]
    keeper.gate.set()
    assert [outcome(future) for future in more] == [f"W{number}" for number in range(2 * MOST_TOGETHER + 1)]
    assert [len(group) for group in keeper.groups] == [1, MOST_TOGETHER, MOST_TOGETHER, 1]


def test_no_item_is_done_before_its_group_is_on_disk(writer: Writer[str, str], keeper: Keeper, hold: Hold) -> None:
    hold(writer)
    more = writer.submit("a")
    with pytest.raises(TimeoutError):
        more.result(0.05)
    assert keeper.kept == []


def test_an_item_that_is_refused_leaves_the_others_of_its_group(
    writer: Writer[str, str], keeper: Keeper, hold: Hold
) -> None:
    hold(writer)
    more = [writer.submit(word) for word in ("a", "no", "b")]
    keeper.gate.set()
    assert [outcome(future) for future in more] == ["A", LookupError, "B"]
    assert keeper.groups[1:] == [["a", "no", "b"]]


@pytest.mark.parametrize(
    "error", [ValueError("bad"), IntegrityError("INSERT", {}, Exception("twice"))], ids=["any", "database"]
)
def test_an_item_that_breaks_its_group_spoils_no_other(
    writer: Writer[str, str], keeper: Keeper, hold: Hold, error: Exception
) -> None:
    keeper.errors["bad"] = error
    hold(writer)
    more = [writer.submit(word) for word in ("a", "bad", "b", "no")]
    keeper.gate.set()
    assert [outcome(future) for future in more] == ["A", type(error), "B", LookupError]
    assert keeper.groups[1:] == [["a", "bad", "b", "no"], ["a"], ["bad"], ["b"], ["no"]]
    assert keeper.kept == ["first", "a", "b"]


def test_a_bad_item_alone_is_tried_once(writer: Writer[str, str], keeper: Keeper) -> None:
    keeper.errors["bad"] = ValueError("bad")
    assert outcome(writer.submit("bad")) is ValueError
    assert keeper.groups == [["bad"]]
    assert outcome(writer.submit("a")) == "A"


def test_after_a_lost_connection_nothing_is_tried_again(writer: Writer[str, str], keeper: Keeper, hold: Hold) -> None:
    """The group may have been committed before the connection went: a second try could make every case twice."""
    keeper.errors["bad"] = lost(connection=True)
    hold(writer)
    more = [writer.submit(word) for word in ("a", "bad", "b")]
    keeper.gate.set()
    assert [outcome(future) for future in more] == [OperationalError] * 3
    assert keeper.groups[1:] == [["a", "bad", "b"]]
    assert outcome(writer.submit("c")) == "C"


def test_beyond_the_most_that_may_wait_the_writer_is_too_busy_until_it_has_caught_up(
    keeper: Keeper, hold: Hold
) -> None:
    with closing(Writer(keeper.keep, most_waiting=2)) as writer:
        hold(writer)
        more = [writer.submit(word) for word in "ab"]
        with pytest.raises(TooBusy, match="Nothing was kept"):
            writer.submit("c")
        keeper.gate.set()
        assert [outcome(future) for future in more] == ["A", "B"]
        assert outcome(writer.submit("d")) == "D"
    assert keeper.kept == ["first", "a", "b", "d"]


def test_closing_writes_what_waits_and_takes_nothing_more(keeper: Keeper, hold: Hold) -> None:
    writer = Writer(keeper.keep, most_waiting=1_000)
    hold(writer)
    more = [writer.submit(f"w{number}") for number in range(MOST_TOGETHER + 5)]
    closer = Thread(target=writer.close)
    closer.start()
    closer.join(0.05)
    assert closer.is_alive()
    with pytest.raises(TooBusy):
        writer.submit("late")
    keeper.gate.set()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert all(future.done() for future in more)
    assert len(keeper.kept) == MOST_TOGETHER + 6
    writer.close()


def test_items_of_many_threads_are_each_kept_once(writer: Writer[str, str], keeper: Keeper) -> None:
    results: list[str] = []

    def send(name: str) -> None:
        results.extend(writer.submit(f"{name}{number}").result(PATIENCE) for number in range(50))

    senders = [Thread(target=send, args=(name,)) for name in "abcdefgh"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(PATIENCE)
    assert len(results) == len(set(results)) == 400
    assert sorted(keeper.kept) == sorted(word.lower() for word in results)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("which", ["waits", "is being written"])
def test_whoever_no_longer_waits_for_an_item_does_not_end_the_writer(keeper: Keeper, hold: Hold, which: str) -> None:
    """Uvicorn cancels the requests that outlast the drain, and with them what they wait for."""
    with closing(Writer(keeper.keep, most_waiting=1_000)) as writer:
        first = hold(writer)
        second = writer.submit("a")
        (second if which == "waits" else first).cancel()
        third = writer.submit("b")
        keeper.gate.set()
        assert third.result(1) == "B"
