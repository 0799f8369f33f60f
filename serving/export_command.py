"""The command `disposisi rows export`: what the desk's people judged, as a file of rows to train on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from serving.commands import DEFAULT_DATABASE, Database


def export_rows(
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    database: Database = DEFAULT_DATABASE,
    with_machine: Annotated[
        bool,
        typer.Option(
            "--with-machine", help="Also what was routed alone and nobody looked at: to read, never trained on."
        ),
    ] = False,
) -> None:
    """Write the desk's reviewed cases as labelled rows, with where each label comes from. Secret ones stay out.

    What an agency sent back has no label unless a moderator decided again: its row says whose it isn't.

    \b
    Example: disposisi rows export --out reviewed.csv
    """
    from data.complaint import Provenance
    from data.writing import write_csv
    from serving.database import open_store
    from serving.export import COLUMNS, reviewed_rows

    store = open_store(database, must_exist=True)
    rows, left_out = reviewed_rows(store, with_machine=with_machine)
    write_csv(out, COLUMNS, rows)
    counts = Counter(row["label_source"] for row in rows)
    returned, machine = counts[Provenance.RETURNED.value], counts[Provenance.MACHINE.value]
    notes = {
        f"{left_out} cases were left out: secret (rahasia), or their text was emptied.": left_out,
        f"{returned} of the rows were sent back and not decided since: they say whose they aren't.": returned,
        f"{machine} more rows are the program's own answers (machine): they are never trained on.": machine,
    }
    for note, count in notes.items():
        if count:
            typer.echo(f"Note: {note}", err=True)
    typer.echo(f"{len(rows) - machine} reviewed rows are in {out}")
