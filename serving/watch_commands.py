"""The command that says whether complaints are still those that the model is used to. Heavy imports wait inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands import DEFAULT_DATABASE, Database

if TYPE_CHECKING:
    from serving.watch import State

DEFAULT_BUNDLE = Path("var/bundles/default")


def watch(
    bundle: Annotated[
        Path, typer.Option(help="The bundle that answers: its folder, a registry (its champion) or registry@alias.")
    ] = DEFAULT_BUNDLE,
    database: Database = DEFAULT_DATABASE,
    region: Annotated[str, typer.Option("--region", help="The only region to look at; default: all.")] = "",
) -> None:
    """Say whether complaints are still those that the model is used to; exit code 1 if there is an alarm.

    Looks at each region's newest cases as the service does every hour: unknown words, confidence, sectors, length,
    language and encoding beside what the bundle is used to; the accuracy that its probabilities promise beside what
    blind checks found; and incidents, which are many similar complaints of one place within hours.

    \b
    Example: disposisi watch --bundle var/bundles/mine --database var/disposisi.db
    """
    from data.errors import UnknownName
    from model.bundle import load_bundle
    from model.registry import find_bundle
    from serving.database import open_store
    from serving.watch import Watch, regions_of

    loaded = load_bundle(find_bundle(bundle))
    store = open_store(database, must_exist=True)
    try:
        known = regions_of(store)
        if region and region not in known:
            raise UnknownName("region with cases", region, known)
        watching = Watch(store, loaded)
        states = [watching.look(each) for each in ([region] if region else known)]
    finally:
        store.close()
    if not states:
        typer.echo("There are no cases yet.")
    for state in states:
        typer.echo("\n".join(_told(state)))
    if any(state.has_alarm for state in states):
        raise typer.Exit(1)


def _told(state: State) -> list[str]:
    """A region as lines of text."""
    lines = [f"{state.region}: bundle {state.model_version}, {_compared(state)}"]
    if state.signals:
        lines.append(f"  {'signal':<12}{'usual':>10}{'now':>10}{'moved':>9}{'alarm from':>12}  state")
    for each in state.signals:
        status = f"ALARM since {each.since:%Y-%m-%d %H:%M} UTC" if each.is_on else "as usual"
        figures = f"{each.usual:>10.3f}{each.now:>10.3f}{each.size:>+9.3f}{each.threshold:>12.2f}"
        lines.append(f"  {each.signal.value:<12}{figures}  {status}")
    if state.estimate is not None:
        found = state.estimate
        interval = f"{found.low:.3f} to {found.high:.3f}"
        lines.append(f"  Accuracy that the probabilities promise of these cases: {found.value:.3f} ({interval})")
    if state.checked is not None:
        found_by_people = state.checked
        lines.append(
            f"  Of the last {found_by_people.detail['checks']:.0f} blind checks {found_by_people.now:.3f} were right, "
            f"where {found_by_people.usual:.3f} was promised"
        )
    lines += [
        f"  Incident {each.id}: {each.count} cases, {each.place or 'place not in the region file'}, {each.sector}, "
        f"last {each.last_at:%Y-%m-%d %H:%M} UTC; first case {each.parent}"
        for each in state.incidents
    ]
    return lines


def _compared(state: State) -> str:
    from model.drift import REFERENCE_CASES

    if not state.is_answering:
        return "which didn't answer the newest case: nothing compared, shown is what was found last"
    learned = (
        ""
        if state.learned >= REFERENCE_CASES
        else f"; still learning what is usual ({state.learned} of {REFERENCE_CASES} cases)"
    )
    return f"the newest {state.window} cases{learned}"
