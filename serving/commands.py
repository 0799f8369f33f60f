"""The commands of the service: serve, keys, moderators, events, forget, person. Heavy imports wait inside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.access import Access
    from serving.store import Store

DEFAULT_DATABASE = "var/disposisi.db"
Database = Annotated[
    str,
    typer.Option(
        envvar="DISPOSISI_DATABASE",
        help="SQLite file, or an SQLAlchemy URL; a URL with a password goes into the variable.",
    ),
]
Scopes = Annotated[list[str], typer.Option("--scope", help="intake, review, data or admin; may be repeated.")]
OwnRegion = Annotated[str, typer.Option("--region", help="The only region it may see; default: all.")]

keys_app = typer.Typer(no_args_is_help=True, help="Keys of the API: who may call it.")
moderators_app = typer.Typer(no_args_is_help=True, help="People who sign in at the desk.")
events_app = typer.Typer(no_args_is_help=True, help="Events on their way to the intake system.")
person_app = typer.Typer(no_args_is_help=True, help="What is kept of one person.")


def serve(
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle's folder, or a registry's; default: var/bundles/default.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Region of complaints that name none; default: the bundle's.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLite file, or an SQLAlchemy URL; default: var/disposisi.db.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one; default: 8000.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer; default: 1.")] = None,
    settings: Annotated[Path | None, typer.Option(help="A TOML file of settings; options and variables beat it.")] = (
        None
    ),
) -> None:
    """Answer complaints over HTTP, and show the moderators' desk at /antrean.

    Every setting has a variable, DISPOSISI_ and its name; docs/operations.md lists them.

    \b
    Example: disposisi serve --bundle var/bundles/mine --region kab-tangerang --port 8000
    """
    from serving.server import run
    from serving.settings import load_settings

    run(load_settings(settings, bundle=bundle, region=region, database=database, host=host, port=port, workers=workers))


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Whose key it is, such as 'WhatsApp bot'.")],
    scope: Scopes,
    region: OwnRegion = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Make a key and print it, once; only its hash is kept.

    \b
    Example: disposisi keys create --name "WhatsApp bot" --scope intake --region kab-tangerang
    """
    with _access(database) as access:
        record, token = access.create_key(name, scope, region)
    typer.echo(f"Key {record.id} for {record.name!r}. Keep it now, it can't be shown again:", err=True)
    typer.echo(token)


@keys_app.command("list")
def list_keys(database: Database = DEFAULT_DATABASE) -> None:
    """List the keys with what they may do.

    \b
    Example: disposisi keys list
    """
    with _access(database) as access:
        for key in access.list_keys():
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "in use"
            scopes = ",".join(sorted(key.scopes))
            typer.echo(
                f"{key.id}  {key.created_at:%Y-%m-%d}  {state:<18}  {scopes:<20}  {key.region or 'all':<16}  {key.name}"
            )


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key's id, as keys list shows it.")],
    database: Database = DEFAULT_DATABASE,
) -> None:
    """End a key; running servers refuse it within five seconds.

    \b
    Example: disposisi keys revoke 1a2b3c4d
    """
    with _access(database) as access:
        access.revoke_key(key)
    typer.echo(f"Key {key} is revoked.")


@moderators_app.command("add")
def add_moderator(
    name: Annotated[str, typer.Argument(help="The name to sign in with: a-z, 0-9, '.', '_', '-'.")],
    scope: Scopes = ["review"],  # noqa: B006  (Typer reads it, nobody changes it)
    region: OwnRegion = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Add a person and print a one-time password, to be changed at the first sign-in.

    \b
    Example: disposisi moderators add siti.aminah --region kab-tangerang
    """
    with _access(database) as access:
        password = access.create_moderator(name, scope, region)
    typer.echo(f"{name} can sign in with this one-time password:", err=True)
    typer.echo(password)


@moderators_app.command("list")
def list_moderators(database: Database = DEFAULT_DATABASE) -> None:
    """List the people who can sign in.

    \b
    Example: disposisi moderators list
    """
    with _access(database) as access:
        for person in access.list_moderators():
            state = "disabled" if person.disabled_at else "in use"
            typer.echo(
                f"{person.name:<24}  {state:<8}  {','.join(sorted(person.scopes)):<20}  {person.region or 'all'}"
            )


@moderators_app.command("password")
def reset_password(
    name: Annotated[str, typer.Argument(help="Whose password.")], database: Database = DEFAULT_DATABASE
) -> None:
    """Give a person a new one-time password; they are signed out everywhere, and let in again if disabled.

    \b
    Example: disposisi moderators password siti.aminah
    """
    with _access(database) as access:
        password = access.reset_password(name)
    typer.echo(password)


@moderators_app.command("disable")
def disable_moderator(
    name: Annotated[str, typer.Argument(help="Who is shut out.")], database: Database = DEFAULT_DATABASE
) -> None:
    """Shut a person out at once; what they decided stays.

    \b
    Example: disposisi moderators disable siti.aminah
    """
    with _access(database) as access:
        access.disable_moderator(name)
    typer.echo(f"{name} can't sign in any more.")


@events_app.command("dead")
def dead_events(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100, database: Database = DEFAULT_DATABASE
) -> None:
    """List events that were given up after three days of trying.

    \b
    Example: disposisi events dead
    """
    from serving.outbox import Outbox

    with _store(database) as store:
        found = Outbox(store).given_up(limit)
    for event in found:
        typer.echo(
            f"{event.number}  {event.type}  case {event.case_id}  {event.attempts} attempts  "
            f"given up {event.given_up_at:%Y-%m-%d %H:%M}  {event.last_error}"
        )
    typer.echo(f"{len(found)} events were given up.", err=True)


@events_app.command("retry")
def retry_events(
    number: Annotated[
        int | None,
        typer.Argument(help="Its number; default: all given up or waiting for another try."),
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Try again to deliver what was given up.

    \b
    Example: disposisi events retry
    """
    from serving.outbox import Outbox

    with _store(database) as store:
        count = Outbox(store).retry(number)
    typer.echo(f"{count} events will be tried again.")


def forget(
    case: Annotated[str, typer.Option(help="The case's id.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit record.")],
    by: Annotated[str, typer.Option(help="Who asks for it, for the audit record.")] = "operator",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Remove a case's words for good, now; labels, times and figures stay, and the audit record says so.

    \b
    Example: disposisi forget --case 5f6c... --reason "permintaan pelapor"
    """
    from serving.privacy import forget as forget_case

    with _store(database) as store:
        clean = forget_case(store, case, by=by, reason=reason)
    typer.echo(f"The words of case {case} are gone from the tables.")
    if not clean:
        typer.echo("Traces may lie in the file until nobody reads it: run this once more later.", err=True)


@person_app.command("export")
def export_person(
    reporter: Annotated[str, typer.Option(help="The intake's reference for the person.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    by: Annotated[str, typer.Option(help="Who asks for it, for the audit record.")] = "operator",
    region: OwnRegion = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write all that is kept of one person's complaints, to be given to them (UU 27/2022).

    \b
    Example: disposisi person export --reporter r-8841 --out r-8841.json
    """
    from serving import person

    with _store(database) as store:
        count = person.export_person(store, reporter, out, by, region=region)
    typer.echo(f"{count} cases are in {out}")


@contextmanager
def _store(database: str) -> Iterator[Store]:
    from serving.database import open_store

    store = open_store(database, must_exist=True)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _access(database: str) -> Iterator[Access]:
    """Keys and moderators may be made before the first start."""
    from serving.access import Access
    from serving.database import open_store

    store = open_store(database)
    try:
        yield Access(store)
    finally:
        store.close()
