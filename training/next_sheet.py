"""The sheet of what to label next: unlabelled rows that a bundle is unsure of, without what it thinks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from data.complaint import Confidentiality, LabelledRow, Provenance
from data.errors import TooFewRows
from data.progress import Progress, silent
from model.bundle import SECTOR, Bundle, fingerprint
from model.masking import mask_personal_data
from training.next_rows import choose_next, random_count
from training.splitting import Ints, near_copy_groups

SHEET_COLUMNS = (
    *("id", "received_at", "title", "text", "location", "region", "channel", "chosen", "agency", "sector"),
    "label_source",
)
RANDOM, UNSURE = "acak", "model"
_TOLD_EVERY = 200


@dataclass(frozen=True)
class NextSheet:
    """The rows chosen, under `SHEET_COLUMNS`; how many are random, and why others were left out."""

    rows: list[dict[str, object]]
    random: int
    labelled: int
    secret: int
    seen: int


def next_sheet(
    rows: Sequence[LabelledRow],
    bundle: Bundle,
    count: int,
    *,
    random_share: float,
    seed: int,
    progress: Progress = silent,
) -> NextSheet:
    """Choose `count` of the rows that have no label, aren't secret and weren't trained on. Raises `TooFewRows` if none.

    The sheet tells nothing of the bundle's answers, so that what is filled in is labelled blind; rows stand in the
    order of their ids, which tells nothing either.
    """
    is_labelled = [
        (row.sector is not None or row.agency is not None) and row.label_source != Provenance.MACHINE for row in rows
    ]
    is_secret = [row.confidentiality is Confidentiality.RAHASIA for row in rows]
    open_rows = [
        row for row, labelled, secret in zip(rows, is_labelled, is_secret, strict=True) if not labelled | secret
    ]
    texts, given, head = [], [], bundle.heads[SECTOR]
    free, seen = [], 0
    for number, row in enumerate(open_rows):
        reading = bundle.read(row.complaint)
        if np.isin(np.uint64(fingerprint(reading.text)), bundle.seen):
            seen += 1
            continue
        free.append(row)
        texts.append(reading.text)
        given.append(head.probabilities(reading.features))
        if number % _TOLD_EVERY == 0:
            progress("what the bundle is unsure of", 0.1 + 0.6 * number / len(open_rows))
    if not free:
        what = f"{sum(is_labelled)} have a label, {sum(is_secret)} are secret and {seen} were trained on"
        raise TooFewRows(f"None of the {len(rows)} rows is left to label: {what}. Bring rows without labels.")
    progress("choosing", 0.75)
    groups = near_copy_groups(texts)
    weighing = TfidfVectorizer(analyzer=str.split, sublinear_tf=True)
    stems = [text.stems for text in texts]
    # A row without words is like none; one made-up word keeps the vocabulary from being empty.
    features = weighing.fit([*stems, "__nothing__"]).transform(stems).tocsr()
    chosen = choose_next(
        np.vstack(given), features, groups, _counts(bundle, rows), count, random_share=random_share, seed=seed
    )
    by_chance = random_count(len(np.unique(groups)), count, random_share)
    marked = {int(number): RANDOM if place < by_chance else UNSURE for place, number in enumerate(chosen.tolist())}
    ordered = sorted(marked, key=lambda number: free[number].id)
    progress("done", 1.0)
    return NextSheet(
        rows=[_line(free[number], marked[number]) for number in ordered],
        random=by_chance,
        labelled=sum(is_labelled),
        secret=sum(is_secret),
        seen=seen,
    )


def _counts(bundle: Bundle, rows: Sequence[LabelledRow]) -> Ints:
    """How many real rows each label of the sector head has (k,): the bundle's evidence and those among `rows`."""
    labels = bundle.heads[SECTOR].labels
    numbers = {label: number for number, label in enumerate(labels)}
    of_rows = [numbers[row.sector] for row in rows if row.sector in numbers and row.label_source != Provenance.MACHINE]
    known = np.concatenate([bundle.evidence["label"].astype(np.int64), np.array(of_rows, dtype=np.int64)])
    return np.bincount(known, minlength=len(labels)).astype(np.int64)


def _line(row: LabelledRow, chosen: str) -> dict[str, object]:
    complaint = row.complaint
    return {
        "id": row.id,
        "received_at": row.received_at,
        "title": mask_personal_data(complaint.title),
        "text": mask_personal_data(complaint.text),
        "location": mask_personal_data(complaint.location),
        "region": complaint.region,
        "channel": row.channel,
        "chosen": chosen,
        "agency": "",
        "sector": "",
        # What was drawn is fair evidence; what was chosen is harder than what comes in.
        "label_source": (Provenance.HUMAN_BLIND if chosen == RANDOM else Provenance.HUMAN_CHOSEN).value,
    }
