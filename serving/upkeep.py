"""Upkeep: what the service does beside its answers, so that nobody has to remember it."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread

import structlog

from serving.autonomy import keep_earned
from serving.privacy import drop_old_requests, drop_old_sessions, emptied_since, empty_old_texts
from serving.triage import Triage
from serving.watch import Watch, regions_of

_EVERY_SECONDS = 30.0
_A_DAY = timedelta(days=1)
WATCHED_EVERY = timedelta(hours=1)
_log = structlog.get_logger("disposisi.upkeep")


class Upkeep:
    """A thread that empties texts past their keeping time once a day, and lets emptied cases be found no more.

    Once an hour it looks at what has come in (`serving.watch`), and at what each agency has earned. Every process runs
    one: doing it twice does no harm, and each has similar cases of its own to forget.
    """

    def __init__(self, triage: Triage, *, keep_retention: bool) -> None:
        self._triage = triage
        self._keep_retention = keep_retention
        self._looked_at = triage.now()
        self._done_at = triage.now() - _A_DAY
        self._watched_at = triage.now() - WATCHED_EVERY
        self._stop = Event()
        self._thread = Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; after a fork, not before."""
        self._thread.start()

    def close(self) -> None:
        """Stop after what is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def once(self) -> None:
        """One round."""
        store, at = self._triage.store, self._triage.now()
        if at - self._done_at >= _A_DAY:
            if self._keep_retention:
                emptied = empty_old_texts(store, clock=self._triage.now)
                if emptied:
                    _log.info("texts emptied", cases=emptied)
            drop_old_requests(store, clock=self._triage.now)
            drop_old_sessions(store, clock=self._triage.now)
            self._done_at = at
        # A little is looked at twice: what is committed late must not be missed.
        for case_id in emptied_since(store, self._looked_at - timedelta(minutes=2)):
            self._triage.forget(case_id)
        self._looked_at = at
        if at - self._watched_at >= WATCHED_EVERY:
            self._watched_at = at
            self._watch()

    def _watch(self) -> None:
        """Look at every region's newest cases and blind checks; alarms and switches are told in the log as well."""
        triage, routers = self._triage, self._triage.at_work
        watch = Watch(triage.store, routers.bundle, triage.now)
        for region in regions_of(triage.store):
            try:
                # What an agency has lost comes first: whatever goes wrong in looking at the cases doesn't keep it on.
                for each in keep_earned(triage.store, routers, region, triage.now):
                    alone = each.routes_alone
                    _log.warning("routing alone switched", region=region, agency=each.agency, routes_alone=alone)
                raised = [each.signal.value for each in watch.look(region).signals if each.is_on]
                if raised:
                    _log.warning("complaints have changed", region=region, signals=raised)
            except Exception as error:
                # Another region may be well.
                _log.warning("region not looked at", region=region, exc_info=error)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.once()
            except Exception as error:
                # Whatever it was, the next day has its texts too.
                _log.warning("upkeep put off", exc_info=error)
            self._stop.wait(_EVERY_SECONDS)
