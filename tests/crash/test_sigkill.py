"""Server processes killed amid their work: no acknowledged complaint is lost, none kept twice, none kept in part.

A kill leaves the system's own memory of files as it is: what a power cut does, these tests can't tell.
`DISPOSISI_CRASH_ROUNDS=100 pytest tests/crash -s` kills a hundred times for each database and prints the counts.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

from tests.crash.harness import FAST, a_moment, children, kill_all, loaded, require_all_kept, rounds
from tests.serving.processes import Server


def test_killed_amid_its_work_the_service_loses_and_doubles_nothing(bundle_folder: Path, crash_database: str) -> None:
    times, of_workers = rounds(1), 0
    with loaded(crash_database) as load:
        for turn in range(times):
            # First, and then every other time, there are two workers, of which one is killed before all are.
            workers = 2 - turn % 2
            with Server(bundle_folder, crash_database, "--workers", str(workers), environment=FAST) as server:
                load.aim(server)
                load.wait_for_more()
                a_moment()
                if workers > 1:
                    os.kill(random.choice(children(server.process.pid)), signal.SIGKILL)
                    of_workers += 1
                    load.wait_for_more()
                    a_moment()
                load.aim(None)
                kill_all(server.process.pid)
                assert server.end(signal.SIGKILL) == -signal.SIGKILL
        with Server(bundle_folder, crash_database, environment=FAST) as server:
            load.aim(server)
            load.finish()
            assert server.end(signal.SIGTERM) == 0
        require_all_kept(crash_database, load, f"{times} kills of the service, {of_workers} of one worker")
