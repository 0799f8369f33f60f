"""The commands `disposisi models`: the registry of bundles, from registering one to letting it answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from model.record import Entry
    from training.comparison import Comparison

models_app = typer.Typer(no_args_is_help=True, help="The registry of bundles: which one answers, and who decided so.")

_TRIES, _PAUSE_SECONDS = 60, 0.5
DEFAULT_REGISTRY = Path("var/registry")
RegistryFolder = Annotated[Path, typer.Option("--registry", help="The registry's folder.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept in the record.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the record.")]
Version = Annotated[str, typer.Argument(help="A version's number, or champion or challenger.")]
LearnedFiles = Annotated[
    list[Path] | None,
    typer.Option("--learned", help="Rows that were trained on: near-copies are left out. May be repeated."),
]
_HOW = "A running server answers with it after SIGHUP or POST /v1/models/reload; no request is dropped."


@models_app.command("register")
def register(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder; it is copied.")],
    registry: RegistryFolder = DEFAULT_REGISTRY,
    by: By = "",
    reason: Reason = "",
) -> None:
    """Copy a trained bundle into the registry as the next version. It becomes the challenger.

    \b
    Example: disposisi models register var/bundles/2025-02 --by siti --reason "baris bulan Januari"
    """
    from model.registry import Registry

    number = Registry(registry).register(bundle, by or _login(), reason)
    typer.echo(f"Version {number} is in {registry}, and is the challenger.")
    if number == 1:
        typer.echo('It is the first. Let it answer with: disposisi models promote 1 --by NAME --reason "..."')
    else:
        typer.echo(f"Compare it with: disposisi models compare champion {number} ROWS --region CODE")


@models_app.command("list")
def list_versions(registry: RegistryFolder = DEFAULT_REGISTRY) -> None:
    """List all versions, the newest last, with who answers now.

    \b
    Example: disposisi models list
    """
    from model.aliases import CHALLENGER, CHAMPION
    from model.registry import open_registry

    opened = open_registry(registry)
    champion, challenger = opened.alias(CHAMPION), opened.alias(CHALLENGER)
    typer.echo(f"{'version':>7}  {'alias':<10}  {'registered':<16}  {'by':<12}  {'rows':>6}  {'recipe':<10}  reason")
    for number, entry in opened.versions.items():
        alias = CHAMPION if number == champion else CHALLENGER if number == challenger else ""
        rows, recipe = entry.facts.get("rows", {}).get("count", "?"), entry.facts.get("recipe", {}).get("name", "?")
        at = entry.at[:16].replace("T", " ")
        typer.echo(f"{number:>7}  {alias:<10}  {at:<16}  {entry.by:<12}  {rows:>6}  {recipe:<10}  {entry.reason}")
    if champion is None:
        typer.echo("No version answers yet: promote one.")


@models_app.command("show")
def show(version: Version, registry: RegistryFolder = DEFAULT_REGISTRY) -> None:
    """Show where a version comes from, and all that was done with it.

    \b
    Example: disposisi models show champion
    """
    from model.registry import open_registry

    opened = open_registry(registry)
    number = opened.number(version)
    facts = opened.versions[number].facts if number in opened.versions else {}
    typer.echo(f"Version {number} in {opened.bundle_folder(str(number))}")
    recipe, rows = facts.get("recipe", {}), facts.get("rows", {})
    for title, value in (
        ("bundle", facts.get("bundle")),
        ("trained", facts.get("created_at")),
        ("region", facts.get("region")),
        ("recipe", recipe.get("name")),
        ("rows", rows.get("count")),
        ("rows by region", ", ".join(f"{code} {count}" for code, count in rows.get("by_region", {}).items())),
        ("rows' fingerprint", str(rows.get("fingerprint", ""))[:16]),
        ("program", facts.get("program")),
        ("libraries", ", ".join(f"{name} {number}" for name, number in facts.get("libraries", {}).items())),
        ("champion then", facts.get("parent") or "none"),
    ):
        typer.echo(f"  {title:<18} {value or '-'}")
    typer.echo("What was done:")
    for entry in opened.record.entries():
        if number in (entry.version, entry.facts.get("champion"), entry.facts.get("instead_of")):
            typer.echo(f"  {_told(entry)}")


@models_app.command("compare")
def compare(
    champion: Annotated[str, typer.Argument(help="A version's number, champion or challenger, or a bundle's folder.")],
    challenger: Annotated[str, typer.Argument(help="The same, of the one that would like to answer.")],
    rows: Annotated[list[Path], typer.Argument(help="Labelled rows that neither learned from, best the newest.")],
    region: Annotated[str, typer.Option("--region", help="Region code, e.g. kab-tangerang.")],
    registry: RegistryFolder = DEFAULT_REGISTRY,
    report: Annotated[Path | None, typer.Option(help="A new folder for a page and its numbers.")] = None,
    since: Annotated[str, typer.Option(help="Leave out rows received before this day, like 2025-01-31.")] = "",
    annotations: Annotated[
        Path | None, typer.Option(help="A file that adds urgency, level and complete by id.")
    ] = None,
    learned: LearnedFiles = None,
    by: By = "",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows that can't be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every figure as JSON.")] = False,
) -> None:
    """Compare two versions on the same rows, figure by figure, and ask the gate. Exit code 1 if it refuses.

    Rows that one of them learned from are left out and counted, and with --learned their near-copies too. What is found
    about two versions of the registry goes into its record, where promote looks for it.

    \b
    Example: disposisi models compare champion 2 later.csv --region kab-tangerang --report perbandingan
    """
    import json
    from datetime import date

    from data.errors import DisposisiError
    from data.progress import progress_bar
    from data.region import load_region
    from data.rows import read_rows
    from data.writing import check_free
    from model.bundle import load_bundle
    from training import comparison
    from training.comparison_report import write_comparison
    from training.provenance import fair_rows

    if report is not None:
        check_free(report)
    numbers, folders = _both(champion, challenger, registry)
    if numbers is not None and numbers[0] == numbers[1]:
        raise DisposisiError(
            f"Both are version {numbers[0]}. Name two: the champion and the one that would like to be."
        )
    bundles = [load_bundle(folder) for folder in folders]
    with progress_bar("Comparing") as progress:
        progress("reading rows", 0.0)
        read = read_rows(rows, region, annotations=annotations, skip_bad=skip_bad_rows)
        fair, notes = fair_rows(read.rows)
        kept = [row for row in fair if row.received_at >= _day(since)]
        told = read_rows(learned, region, skip_bad=True).rows if learned else []
        found = comparison.compare(bundles[0], bundles[1], kept, load_region(region), folders, progress, told)
        if report is not None:
            write_comparison(found, report, made_on=date.today().isoformat())
    for note in [*read.notes, *notes]:
        typer.echo(f"Note: {note}", err=True)
    if read.problems:
        typer.echo(f"Note: {len(read.problems)} problems; the rows that have them are left out.", err=True)
    typer.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=1) if as_json else found.as_text())
    if report is not None:
        typer.echo(f"The comparison is in {report}: open index.html in a browser", err=True)
    if numbers is not None:
        _keep(registry, numbers, by or _login(), found)
    if found.refusals:
        raise typer.Exit(1)


@models_app.command("promote")
def promote(
    version: Version,
    by: By,
    reason: Reason,
    registry: RegistryFolder = DEFAULT_REGISTRY,
    override: Annotated[
        str, typer.Option("--override", help="Promote against the gate, and why, in words that stay in the record.")
    ] = "",
) -> None:
    """Let a version answer from now on: it becomes the champion.

    The first needs only to be whole. Any other must have been compared with the champion (disposisi models compare)
    and be worse in no guarded figure; else it is refused, unless --override says why that is right.

    \b
    Example: disposisi models promote 2 --by siti --reason "lebih baik pada laporan Februari"
    """
    from model.registry import open_registry

    number = open_registry(registry).promote(version, by, reason, override)
    typer.echo(f"Version {number} is the champion now. {_HOW}")


@models_app.command("rollback")
def rollback(
    by: By,
    reason: Reason,
    registry: RegistryFolder = DEFAULT_REGISTRY,
    instead_of: Annotated[
        str, typer.Option("--instead-of", help="Only while this version's number is the champion's.")
    ] = "",
) -> None:
    """Let the champion of before answer again, at once and without the gate.

    --instead-of keeps two people who act on the same trouble from going back twice.

    \b
    Example: disposisi models rollback --by siti --reason "banyak salah kirim sejak pagi"
    """
    from model.registry import open_registry

    number = open_registry(registry).rollback(by, reason, instead_of)
    typer.echo(f"Version {number} is the champion again. {_HOW}")


@models_app.command("verify")
def verify(registry: RegistryFolder = DEFAULT_REGISTRY) -> None:
    """Check that every file is as it was registered, and every alias as the record says. Exit code 1 if not.

    \b
    Example: disposisi models verify
    """
    from model.registry import open_registry
    from model.registry_check import differences

    opened = open_registry(registry)
    found = differences(opened)
    for each in found:
        typer.echo(f"- {each}")
    if found:
        typer.echo(f"{len(found)} difference{'s' if len(found) > 1 else ''} in {registry}.")
        raise typer.Exit(1)
    typer.echo(f"All {len(opened.versions)} versions in {registry} are as they were registered.")


def _both(champion: str, challenger: str, registry: Path) -> tuple[tuple[int, int] | None, tuple[Path, Path]]:
    """The versions' numbers, if both are the registry's, and both bundles' folders."""
    from model.aliases import ALIASES
    from model.registry import open_registry

    def in_registry(which: str) -> bool:
        return which in ALIASES or which.isdigit()

    if not (in_registry(champion) or in_registry(challenger)):
        return None, (Path(champion), Path(challenger))
    opened = open_registry(registry)
    folders = tuple(opened.bundle_folder(w) if in_registry(w) else Path(w) for w in (champion, challenger))
    both = in_registry(champion) and in_registry(challenger)
    numbers = (opened.number(champion), opened.number(challenger)) if both else None
    return numbers, (folders[0], folders[1])


def _day(since: str) -> str:
    """The day as rows have it. Raises `DisposisiError` for what is none."""
    from data.dates import EXPECTED, parse_date
    from data.errors import DisposisiError

    try:
        return parse_date(since, "")[:10] if since else ""
    except ValueError:
        raise DisposisiError(f"--since {since!r} is no day; expected {EXPECTED}.") from None


def _keep(registry: Path, numbers: tuple[int, int], by: str, found: Comparison) -> None:
    """Put what was found into the registry's record."""
    import time

    from model.registry import RegistryBusy, open_registry
    from training.comparison_report import refusals_in_words

    facts = {
        "rows": found.rows,
        "rows_fingerprint": found.rows_fingerprint,
        "received": list(found.received),
        "region": found.region,
        "refusals": found.refusals,
        "told": refusals_in_words(found),
    }
    for left in reversed(range(_TRIES)):
        try:
            open_registry(registry).note_comparison(*numbers, by, facts)
            break
        except RegistryBusy:  # somebody registers or promotes at this moment: what took minutes isn't thrown away
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
    typer.echo(f"The record of {registry} keeps this as the comparison of {numbers[0]} with {numbers[1]}.", err=True)


def _told(entry: Entry) -> str:
    """An entry on one line."""
    facts, words = entry.facts, f"{entry.at[:16].replace('T', ' ')}  {entry.by}: {entry.action} {entry.version}"
    if entry.action == "compare":
        refusals = facts.get("refusals", [])
        verdict = f"refused for {'; '.join(refusals)}" if refusals else "no guarded figure is worse"
        words += f" with champion {facts.get('champion')} on {facts.get('rows')} rows: {verdict}"
    if facts.get("instead_of"):
        words += f" instead of {facts['instead_of']}"
    if entry.reason:
        words += f", because: {entry.reason}"
    if facts.get("override"):
        words += f"; against the gate ({'; '.join(facts.get('refusals', []))}), because: {facts['override']}"
    return words


def _login() -> str:
    """Who is at this terminal."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
