"""Progress: how long work says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What is being done, and the share of all the work that is behind (0 to 1).
Progress = Callable[[str, float], None]


def silent(_what: str, _share: float) -> None:
    """For callers that don't want to know."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A Rich progress bar on standard error, gone when the work is done."""
    from rich.console import Console  # here, because most that tell progress show none
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda what, share: bar.update(task, completed=share, description=f"{title}: {what}")
