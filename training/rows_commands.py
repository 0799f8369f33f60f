"""The commands on files of rows: check them, look at suspect labels and take decisions back, choose what to label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.region import Region
    from data.rows import RowsRead
    from training.row_check import Source

Files = Annotated[list[Path], typer.Argument(help="Row files: CSV, XLSX, JSONL, Parquet or a LAPOR! export.")]
OneFile = Annotated[Path, typer.Argument(help="The row file that the sheet is about; it isn't changed.")]
RegionCode = Annotated[str, typer.Option("--region", help="Region code, e.g. kab-tangerang.")]
MappingFile = Annotated[
    Path | None, typer.Option(help="A saved mapping (TOML) that says which column holds what; see rows check.")
]
# A workbook of so many bytes takes half a minute to read, before anything else can be shown.
_LARGE = 20_000_000
SheetOut = Annotated[Path, typer.Option(help="The sheet to write: .xlsx or .csv.")]


def check(
    files: Files,
    region: RegionCode,
    mapping: MappingFile = None,
    save_mapping: Annotated[Path | None, typer.Option(help="Keep the mapping that was used in this TOML file.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder for the report and the cleaned rows.")] = None,
) -> None:
    """Is this file fit to train on? Tells everything that is wrong at once; the file itself is never changed.

    Looks at columns, labels, leaks, copies, languages, personal data and dates. Columns with unknown names are guessed,
    and on a terminal you are asked. --out writes a page in Indonesian (laporan.html), the cleaned rows (bersih.csv) and
    what was changed (perubahan.csv). Exit code 0: fit; 1: not as it is.

    \b
    Example: disposisi rows check 2024.xlsx --region kab-tangerang --out periksa-2024
    """
    import sys
    from datetime import date

    from data.errors import OutputExists
    from data.progress import progress_bar
    from data.region import load_region
    from data.writing import check_free
    from training import mapping as mappings
    from training.check_report import CLEAN_ROWS, PAGE, check_text, write_check
    from training.row_check import check_sources, read_sources

    if out is not None:
        check_free(out)
    if save_mapping is not None and save_mapping.exists():
        raise OutputExists(
            f"{save_mapping} is there already, perhaps filled in by hand. Use it with --mapping, or name another file."
        )
    found = load_region(region)
    saved = mappings.load_mapping(mapping) if mapping else None
    _tell_large(files)
    sources = read_sources(files, found, saved, _ask if sys.stdin.isatty() else None)
    if save_mapping is not None:
        _save_mapping(sources, save_mapping)
    with progress_bar("Checking") as progress:
        checked, read = check_sources(sources, found, date.today().isoformat(), progress)
        if out is not None:
            write_check(checked, read, out)
    typer.echo(check_text(checked))
    if out is not None:
        typer.echo(f"The report is {out / PAGE}; {len(checked.cleaned)} cleaned rows are in {out / CLEAN_ROWS}")
    if checked.reasons:
        raise typer.Exit(1)


def suspects(
    files: Files,
    region: RegionCode,
    out: SheetOut,
    mapping: MappingFile = None,
    count: Annotated[int, typer.Option(min=1, help="How many rows to put in the sheet at most.")] = 200,
) -> None:
    """Which labels are likely wrong? Writes the most doubtful first, each with a likelier label and the reason.

    A model is fitted on the other rows in turn and says what it thinks of each. Fill in the sheet's column decision
    (tetap: the label stays, ganti: it becomes new_label, kosongkan: it is removed; empty: undecided), then take it back
    with rows apply-decisions. Rows that were decided on before are not asked again.

    \b
    Example: disposisi rows suspects 2024.csv --region kab-tangerang --out periksa-label.xlsx
    """
    from data.progress import progress_bar
    from data.region import load_region
    from training.recipe import find_recipe
    from training.suspects import find_suspects
    from training.suspects_sheet import SHEET_COLUMNS, check_sheet, decided_ids, sheet_rows, write_sheet

    check_sheet(out)
    found = load_region(region)
    with progress_bar("Looking for suspect labels") as progress:
        progress("reading rows", 0.0)
        sources, read = _read(files, found, mapping)
        ranked = find_suspects(read.rows, find_recipe("default"), progress)
        done = decided_ids(sources)
        left = [suspect for suspect in ranked if read.rows[suspect.row].id not in done]
        write_sheet(out, SHEET_COLUMNS, sheet_rows(left[:count], read.rows, read.places, found))
    if len(left) < len(ranked):
        _say(f"Note: {len(ranked) - len(left)} rows were decided on before and are not asked again.")
    typer.echo(f"The {min(count, len(left))} most doubtful of {len(ranked)} labels are in {out}")


def apply_decisions(
    file: OneFile,
    sheet: Annotated[Path, typer.Argument(help="The filled sheet that rows suspects wrote.")],
    region: RegionCode,
    out: Annotated[Path, typer.Option(help="The file to write, with all rows and columns: .csv or .xlsx.")],
    mapping: MappingFile = None,
) -> None:
    """Take the decisions of a filled sheet into the rows. Every row and column stays; the old label is kept beside.

    What can't be followed (an unknown id, word or label, two decisions on one row) is told all at once, and nothing is
    written then.

    \b
    Example: disposisi rows apply-decisions 2024.csv periksa-label.xlsx --region kab-tangerang --out 2024-baru.csv
    """
    from data.region import load_region
    from training.mapping import load_mapping
    from training.row_check import read_sources
    from training.suspects_sheet import apply_decisions as apply
    from training.suspects_sheet import check_sheet, read_decisions, write_sheet

    check_sheet(out)
    found = load_region(region)
    [source] = read_sources([file], found, load_mapping(mapping) if mapping else None)
    decisions = read_decisions(sheet, source.table, source.mapping, found)
    applied = apply(source, decisions)
    write_sheet(out, applied.columns, applied.rows)
    told = ", ".join(f"{count} {what}" for what, count in sorted(applied.counts.items())) or "no decision"
    typer.echo(f"{len(applied.rows)} rows are in {out}: {told}")


def choose(
    files: Files,
    bundle: Annotated[Path, typer.Option(help="The bundle that says what it isn't sure of.")],
    region: RegionCode,
    out: SheetOut,
    count: Annotated[int, typer.Option(min=1, help="How many rows to choose.")] = 100,
    random_share: Annotated[
        float, typer.Option(min=0, max=1, help="The share drawn at random, so that estimates stay honest.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Another number draws other random rows.")] = 0,
    mapping: MappingFile = None,
) -> None:
    """What to label next? Chooses unlabelled rows that teach the most: unsure, unlike each other, of rare sectors.

    A share is drawn at random and marked (column chosen: acak); measure only on those. The sheet shows no suggestion,
    so that nobody labels what the model thinks: fill in agency or sector, and train on the sheet as it is.

    \b
    Example: disposisi rows next belum.csv --bundle var/bundles/mine --region kab-tangerang --count 100 --out label.xlsx
    """
    from data.progress import progress_bar
    from data.region import load_region
    from model.bundle import load_bundle
    from model.registry import find_bundle
    from training.next_rows import needs_of
    from training.next_sheet import SHEET_COLUMNS, next_sheet
    from training.suspects_sheet import check_sheet, write_sheet

    check_sheet(out)
    found, loaded = load_region(region), load_bundle(find_bundle(bundle))
    with progress_bar("Choosing rows") as progress:
        progress("reading rows", 0.0)
        _, read = _read(files, found, mapping)
        chosen = next_sheet(read.rows, loaded, count, random_share=random_share, seed=seed, progress=progress)
        write_sheet(out, SHEET_COLUMNS, chosen.rows)
    if chosen.labelled or chosen.secret or chosen.seen:
        left = f"{chosen.labelled} have a label, {chosen.secret} are secret, {chosen.seen} were trained on"
        _say(f"Note: rows were left out: {left}.")
    typer.echo(f"{len(chosen.rows)} rows to label are in {out}, {chosen.random} of them random")
    typer.echo("More labelled complaints until an agency can be routed to without a person:")
    for need in needs_of(loaded, found):
        typer.echo(f"  {need.name}: {need.told} (it has {need.rows})")


def _read(files: list[Path], region: Region, mapping: Path | None) -> tuple[list[Source], RowsRead]:
    """The files and their rows. Raises `BadRows` with all that can't be read."""
    from data.errors import BadRows
    from data.rows import read_tables
    from training.mapping import load_mapping
    from training.row_check import read_sources

    _tell_large(files)
    sources = read_sources(files, region, load_mapping(mapping) if mapping else None)
    read = read_tables([(source.table, source.mapping.columns) for source in sources], region.code)
    if read.problems:
        raise BadRows(read.problems)
    for note in read.notes:
        _say(f"Note: {note}")
    return sources, read


def _save_mapping(sources: list[Source], path: Path) -> None:
    """Keep the mapping of the files. Raises `BadRows` where they don't have one in common."""
    from data.errors import BadRows, Problem
    from training.mapping import save_mapping

    first, *others = sources
    different = [each.table.file for each in others if each.mapping.columns != first.mapping.columns]
    if different:
        expected = f"files with columns like {first.table.file}; save one mapping for each kind of file"
        raise BadRows([Problem(file, 0, "", "its columns are others", expected) for file in different])
    save_mapping(first.mapping, path)
    _say(f"The mapping is in {path}")


def _tell_large(files: list[Path]) -> None:
    for file in files:
        if file.is_file() and (size := file.stat().st_size) >= _LARGE:
            _say(f"Reading {file.name} ({size // 1_000_000} MB); a file as large as this takes a while")


def _ask(question: str, default: str) -> str:
    answer: str = typer.prompt(question, default=default, err=True)
    return answer


def _say(text: str) -> None:
    typer.echo(text, err=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the group `rows`."""
    commands: dict[str, Callable[..., None]] = {
        "check": check,
        "suspects": suspects,
        "apply-decisions": apply_decisions,
        "next": choose,
    }
    for name, command in commands.items():
        app.command(name)(command)
