"""Saved views: a moderator's own choices of waiting cases, each under a name."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select

from data.errors import DisposisiError
from serving.store import Store
from serving.tables import views

MOST_VIEWS = 20
LONGEST_NAME = 40
_LONGEST_QUERY = 255


class TooManyViews(DisposisiError):
    """A moderator who has as many saved views as fit on a page."""


def views_of(store: Store, moderator: str) -> list[tuple[str, str]]:
    """Name and query of each view of a moderator, by name."""
    query = select(views.c.name, views.c.query).where(views.c.moderator == moderator).order_by(views.c.name)
    with store.reading() as connection:
        return [(row.name, row.query) for row in connection.execute(query)]


def save_view(store: Store, moderator: str, name: str, query: str) -> None:
    """Keep a view, in the place of one of that name. Raises `TooManyViews`."""
    own = views.c.moderator == moderator
    with store.writing() as connection:
        connection.execute(delete(views).where(own, views.c.name == name))
        count = connection.execute(select(func.count()).select_from(views).where(own)).scalar_one()
        if count >= MOST_VIEWS:
            raise TooManyViews(f"There are {MOST_VIEWS} views already.")
        connection.execute(insert(views), {"moderator": moderator, "name": name, "query": query[:_LONGEST_QUERY]})


def drop_view(store: Store, moderator: str, name: str) -> None:
    """Remove a view; harmless if there is none of that name."""
    with store.writing() as connection:
        connection.execute(delete(views).where(views.c.moderator == moderator, views.c.name == name))
