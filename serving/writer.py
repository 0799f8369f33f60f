"""The writer: one thread that commits together what many requests want kept, so that one sync serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from data.errors import DisposisiError

# Beyond this a commit takes longer than it spares.
MOST_TOGETHER = 128
Item = TypeVar("Item")
Kept = TypeVar("Kept")


class TooBusy(DisposisiError):
    """More is waiting to be written than will be soon."""


class Writer(Generic[Item, Kept]):
    """Takes items from any thread, hands them to `keep` in groups, and answers each once its group is on disk.

    `keep` writes a group in one transaction and gives back a result, or an exception, for each item. Where it raises,
    nothing of the group was kept: each item is then tried by itself, so that one bad item spoils no other. Where it is
    the database that fails, nothing is tried again: each would wait as long, and after a lost connection the group may
    have been kept after all.
    """

    def __init__(self, keep: Callable[[Sequence[Item]], Sequence[Kept | Exception]], *, most_waiting: int) -> None:
        self._keep = keep
        self._most_waiting = most_waiting
        self._queue: SimpleQueue[tuple[Item, Future[Kept]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="writer", daemon=True)
        self._closed = False
        # Nothing may be queued behind the last word.
        self._door = Lock()
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many items wait for their turn."""
        return self._queue.qsize()

    def submit(self, item: Item) -> Future[Kept]:
        """Queue an item; the future is done once it is on disk, or says why it isn't. Raises `TooBusy`."""
        future: Future[Kept] = Future()
        with self._door:
            if self._closed or self._queue.qsize() >= self._most_waiting:
                raise TooBusy("The service has more to write than it can soon. Nothing was kept; send it again later.")
            self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < MOST_TOGETHER and not last:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                last = more is None
                group += [more] if more is not None else []
            # From here on nobody can cancel what is being written; who no longer waits for it is passed over.
            group = [each for each in group if each[1].set_running_or_notify_cancel()]
            if group:
                self._write(group)
            if last:
                return

    def _write(self, group: list[tuple[Item, Future[Kept]]]) -> None:
        try:
            results = self._keep([item for item, _ in group])
        except Exception as error:
            # The thread must outlive whatever happens to one group: the error goes to those who wait for it.
            if len(group) == 1 or _is_of_the_database(error):
                for _, future in group:
                    future.set_exception(error)
            else:
                for each in group:
                    self._write([each])
            return
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


def _is_of_the_database(error: Exception) -> bool:
    """Whether it would happen to each item alike: locked, full, read-only, away; not what one item holds."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or not isinstance(error, DataError | IntegrityError)
    return isinstance(error, TooBusy | PoolTimeout)
