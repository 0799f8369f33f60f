"""The command `disposisi`: a thin front door. Heavy imports wait inside the commands, so that --help is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving import commands
from serving.export_command import export_rows
from serving.watch_commands import watch
from training import models_commands, rows_commands

if TYPE_CHECKING:
    from data.progress import Progress
    from data.rows import RowsRead

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Says which agency must answer a public complaint, how urgent it is and how sure it is.",
)
rows_app = typer.Typer(no_args_is_help=True, help="Labelled rows: out of the desk, into training.")
app.add_typer(rows_app, name="rows")
rows_app.command("export")(export_rows)
rows_commands.register(rows_app)
app.add_typer(models_commands.models_app, name="models")
app.command()(commands.serve)
app.add_typer(commands.keys_app, name="keys")
app.add_typer(commands.moderators_app, name="moderators")
app.add_typer(commands.events_app, name="events")
app.command()(watch)
app.command()(commands.forget)
app.add_typer(commands.person_app, name="person")

RowsFiles = Annotated[list[Path], typer.Argument(help="Row files: CSV, XLSX, JSONL, Parquet or a LAPOR! export.")]
RegionCode = Annotated[str, typer.Option("--region", help="Region code, e.g. kab-tangerang.")]
Annotations = Annotated[Path | None, typer.Option(help="A file that adds urgency, level and complete by id.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Leave out rows that can't be read, into a side file beside the output.")
]


@app.command()
def train(
    rows: RowsFiles,
    region: RegionCode,
    into: Annotated[Path, typer.Option(help="The folder to write the bundle to.")],
    annotations: Annotations = None,
    recipe: Annotated[str, typer.Option(help="The recipe: default, encoder, whole-text or plain.")] = "default",
    corpus: Annotated[bool, typer.Option(help="Learn from the written sample corpus as well.")] = True,
    replace: Annotated[bool, typer.Option("--replace", help="Put the new bundle in the place of an old one.")] = False,
    skip_bad_rows: SkipBad = False,
) -> None:
    """Train a bundle from labelled rows.

    Each head learns from the rows that have its label. Rows of any region help; --region says which region the
    bundle is for, and is the region of rows that name none. The shipped sample corpus, which knows every sector, is
    learned from beside them, but is no evidence of how often the bundle is right.

    \b
    Example: disposisi train 2024.xlsx --region kab-tangerang --into var/bundles/mine
    """
    from data.corpus import corpus_beside
    from data.rows import read_rows
    from data.writing import check_free
    from model.bundle import is_bundle
    from training.fitting import fit
    from training.recipe import find_recipe

    chosen = find_recipe(recipe)
    check_free(into, replaceable=is_bundle if replace else None, way_out=", or replace an old bundle with --replace")
    with _progress("Training") as progress:
        progress("reading rows", 0.0)
        read = read_rows(rows, region, annotations=annotations, skip_bad=skip_bad_rows)
        added = corpus_beside(read.rows) if corpus else []
        training = fit([*read.rows, *added], chosen, region, progress)
        bundle = training.bundle.save(into, replace_old=replace)
    _tell_reading(read, into)
    if added:
        _say(f"Note: {len(added)} rows of the sample corpus were learned from too; --no-corpus leaves them out.")
    for note in training.notes:
        _say(f"Note: {note}")
    for name, metrics in bundle.about["metrics"].items():
        _say(
            f"{name}: {metrics['rows']} rows, {len(metrics['labels'])} labels; on rows kept aside in turn "
            f"{metrics['cross_fitted_accuracy']:.3f} right, {metrics['cross_fitted_top3']:.3f} among the first three"
        )
    _say(training.promise(region))
    typer.echo(f"Bundle {bundle.version} is in {into}")


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    rows: RowsFiles,
    region: RegionCode,
    annotations: Annotations = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every figure as JSON.")] = False,
    report: Annotated[Path | None, typer.Option(help="A new folder for a page, its numbers and a model card.")] = None,
    learn_from: Annotated[
        list[Path] | None, typer.Option(help="Rows to draw the report's learning curve from; may be repeated.")
    ] = None,
    learned: models_commands.LearnedFiles = None,
    complaints_per_month: Annotated[int, typer.Option(min=1, help="For the costs in the report: an assumption.")] = 100,
    minutes_per_complaint: Annotated[
        float, typer.Option(min=0, max=10_000, help="Of a moderator, for a complaint that is reviewed: an assumption.")
    ] = 5.0,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows that can't be read.")] = False,
) -> None:
    """Measure a bundle on labelled rows, with 95 % intervals. Rows it was trained on are left out and counted.
    With --learned, near-copies of those files' rows are left out too.

    --report writes what it means for people: a page without a network (index.html), its numbers and a model card.

    \b
    Example: disposisi evaluate var/bundles/mine later.csv --region kab-tangerang --report laporan-mutu
    """
    import json
    from datetime import date

    from data.errors import DisposisiError
    from data.region import load_region
    from data.rows import read_rows
    from data.writing import check_free
    from model.bundle import load_bundle
    from model.registry import find_bundle
    from training.answers import answer_rows
    from training.evaluation import measure
    from training.provenance import fair_rows

    if report is not None:
        check_free(report)
    elif learn_from:
        raise DisposisiError("--learn-from draws a curve in the report. Say where that goes with --report DIR.")
    loaded = load_bundle(find_bundle(bundle))
    with _progress("Evaluating") as progress:
        progress("reading rows", 0.0)
        read = read_rows(rows, region, annotations=annotations, skip_bad=skip_bad_rows)
        to_learn = read_rows(learn_from, region, skip_bad=skip_bad_rows).rows if learn_from else []
        fair, notes = fair_rows(read.rows)
        told = read_rows(learned, region, skip_bad=True).rows if learned else []
        answers = answer_rows(loaded, fair, load_region(region), progress, told)
        progress("intervals", 0.9)
        evaluation = measure(answers)
        if report is not None:
            from training.learning import learning_curve
            from training.report import make_report, write_report

            learning = learning_curve(to_learn, answers.rows, region, progress) if learn_from else None
            made = make_report(
                answers,
                evaluation,
                made_on=date.today().isoformat(),
                complaints_a_month=complaints_per_month,
                minutes_each=minutes_per_complaint,
                left_out_unreadable=len({(problem.file, problem.row) for problem in read.problems}),
                learning=learning,
            )
            write_report(made, report)
    _tell_reading(read, None)
    if learned:
        notes = [*notes, "near-copies of the rows of --learned are left out too, and counted as if trained on"]
    for note in notes:
        _say(f"Note: {note}")
    typer.echo(json.dumps(evaluation.as_dict(), indent=1) if as_json else evaluation.as_text())
    if report is not None:
        _say(f"The report is in {report}: open index.html in a browser")


@app.command()
def threshold(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    target: Annotated[float, typer.Option(help="The share that must be right of what is routed alone, like 0.97.")],
    certainty: Annotated[float, typer.Option(help="How certain the promise must be.")] = 0.9,
    into: Annotated[
        Path | None, typer.Option(help="Write the bundle to this new folder; without it, in its own place.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
) -> None:
    """Choose anew from which confidence on complaints are routed alone, without training.

    The bundle carries what it needs: how sure it was of real rows that were kept aside, and whether it was right. Every
    region is chosen by its own rows. A running server answers by the new thresholds once it is started again.

    \b
    Example: disposisi threshold var/bundles/mine --target 0.97
    """
    from data.writing import check_free
    from model.bundle import SECTOR, load_bundle
    from training.promise import evidence_of, promise_in_words, with_target

    loaded = load_bundle(bundle)
    changed = with_target(loaded, target, certainty)
    if into is not None:
        check_free(into)
    after = changed.about["metrics"][SECTOR]["evidence"]
    if not after:
        typer.echo("The bundle was trained on no real rows, so nothing can be promised anywhere.")
    for region in sorted(after):
        before = evidence_of(loaded, region)["coverage"]
        typer.echo(f"{region}: {before:.1%} routed alone before, {after[region]['coverage']:.1%} after.")
        typer.echo(f"  {promise_in_words(changed, region)}")
    if dry_run:
        typer.echo("Nothing was written.")
        return
    saved = changed.save(into or bundle, replace_old=into is None)
    typer.echo(f"Bundle {saved.version} is in {into or bundle}")


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    rows: Annotated[Path, typer.Argument(help="A row file; labels in it are not looked at.")],
    region: RegionCode,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    skip_bad_rows: SkipBad = False,
) -> None:
    """Score a file of complaints: sector, agency, area, outcome and urgency for each row.

    \b
    Example: disposisi predict var/bundles/mine new.xlsx --region kab-tangerang --out answers.csv
    """
    from data.errors import CannotWrite
    from data.region import known_regions, load_region
    from data.rows import read_rows
    from data.writing import write_csv
    from model.batch import COLUMNS, score_rows
    from model.bundle import load_bundle
    from model.routing import Routers

    if out.resolve() == rows.resolve():
        raise CannotWrite(f"--out {out} is the file of rows itself. Choose another name for the answers.")
    routers = Routers(load_bundle(bundle), load_region(region))
    with _progress("Predicting") as progress:
        progress("reading rows", 0.0)
        read = read_rows([rows], region, labels=False, skip_bad=skip_bad_rows)
        count = len(read.rows)
        answers = []
        for number, answer in enumerate(score_rows(read.rows, routers), 1):
            answers.append(answer)
            progress("scoring", number / count)
        write_csv(out, COLUMNS, answers)
    _tell_reading(read, out)
    strange = sum(row.complaint.region not in known_regions() for row in read.rows)
    if strange:
        _say(f"Note: {strange} rows name a region without a region file; {region} answers, and none is routed alone.")
    routed = sum(answer["outcome"] == "auto" for answer in answers)
    typer.echo(f"{count} rows are in {out}: {routed} auto, {count - routed} review")


def main() -> None:
    """Run the command; a user's mistake ends in its message and exit code 2, not in a traceback."""
    from data.errors import BadRows, DisposisiError

    try:
        app()
    except DisposisiError as error:
        _say(f"Error: {error}")
        if isinstance(error, BadRows) and sys.argv[1:2] != ["rows"]:
            _say("disposisi rows check FILE --region CODE --out FOLDER reads files of other shapes and cleans them.")
        sys.exit(2)


@contextmanager
def _progress(title: str) -> Iterator[Progress]:
    """A progress bar on standard error, gone when the work is done."""
    from data.progress import progress_bar

    with progress_bar(title) as progress:
        yield progress


def _tell_reading(read: RowsRead, output: Path | None) -> None:
    """What the reader of rows wants the user to know; rejected rows go beside the output."""
    for note in read.notes:
        _say(f"Note: {note}")
    if read.problems and output is None:
        _say(f"Note: {len(read.problems)} problems; the rows that have them are left out.")
    if read.rejected and output is not None:
        from data.rows import write_rejected

        beside = output.with_name(f"{output.name}.rejected.csv")
        write_rejected(read, beside)
        _say(f"Note: {len(read.problems)} problems; the rows left out are in {beside}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


if __name__ == "__main__":
    main()
