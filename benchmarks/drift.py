"""Drift and bursts on real complaints: what is found, how soon, and how often for nothing: python -m benchmarks.drift

A bundle learns from one half of Surabaya's complaints (near-copies on one side) without those of one sector; the other
half, answered once, makes the streams. It says what it skips where the real complaints (`../shared/datasets`, read in
place) are absent. Each change is tried with `REPEATS` streams of other draws: 500 cases that the bundle is used to, 300
more, then the change. Looked at every ten cases, as the service does every hour.

A  Unchanged: streams of 20,000 independent draws. How many alarms?
B  A new sector's complaints are three tenths, then half of all; half of the texts say their commonest words otherwise
   (new slang); all texts are cut to 60 characters; their blanks that don't break are read as cp1252, or their UTF-16 in
   the wrong order. After how many cases is there an alarm, and by which signal?
C  A flooded district: sixty texts on floods from one kecamatan in three hours, among what comes anyway. After how many
   of them is there an incident, and is there an alarm of drift beside it?
D  The real stream in the order of time: incidents and alarms that a desk would have had in eighteen months. None of
   these was brought in by us; whether they are false nobody knows.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.accuracy import SHARED, SOURCES
from data.complaint import Complaint, Confidentiality, LabelledRow
from data.region import load_region
from data.rows import read_rows
from model.areas import finder_of
from model.bundle import Bundle, load_bundle
from model.bursts import Sighting, find_bursts
from model.drift import (
    REFERENCE_CASES,
    WINDOW_CASES,
    Reference,
    Trace,
    compare,
    estimate_accuracy,
    make_reference,
    trace_of,
)
from model.masking import mask_for_storage
from model.similar import SimilarCases, Traits
from model.text import full_text, prepare
from training.fitting import fit
from training.recipe import find_recipe
from training.splitting import assign_folds, near_copy_groups

REGION, NEW_SECTOR = "kota-surabaya", "water-utility"
REPEATS = 20
STREAM, STREAMS = 20_000, 10
BEFORE, AFTER = 300, 300
LOOK_EVERY = 10
RECENT_CASES = 400
FLOODED, FLOOD_CASES, FLOOD_HOURS, HOURS_APART = "Kecamatan Rungkut", 60, 3.0, 1.3
CUT_AT = 60
SLANG_WORDS = 40
_SEED = 17


@dataclass(frozen=True)
class Answered:
    """A complaint as the streams need it: numbers alone."""

    trace: Trace
    traits: Traits
    right: bool


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, help="where the half's bundle is, or is to be kept")
    if not (SHARED / SOURCES[REGION]).is_file():
        print("Skipped: all of it; the real complaints (../shared/datasets) are not here.")
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows = read_rows([SHARED / SOURCES[REGION]], REGION).rows
    half = assign_folds(near_copy_groups([prepare(row.complaint) for row in rows]), 2, _SEED)
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.parse_args().bundle or Path(folder) / "bundle"
        if not place.is_dir():
            learned = [row for row, of in zip(rows, half, strict=True) if of == 0 and row.sector != NEW_SECTOR]
            fit(learned, find_recipe("default"), REGION).bundle.save(place)
        bundle = load_bundle(place)
    started = time.process_time()
    kept = sorted((row for row, of in zip(rows, half, strict=True) if of), key=lambda row: row.received_at)
    usual_rows = [row for row in kept if row.sector != NEW_SECTOR]
    usual = answer(bundle, usual_rows)
    print(
        f"{len(usual)} cases for the streams; {(time.process_time() - started) / len(usual) * 1e3:.1f} ms of CPU each"
    )
    unchanged(usual)
    new = answer(bundle, [row for row in rows if row.sector == NEW_SECTOR])
    some = list(np.random.default_rng(_SEED).permutation(len(usual_rows))[:800])
    picked = [usual_rows[i] for i in some]
    slang = new_words(picked)
    for name, changed, share in (
        ("new sector, 30 % of cases", new, 0.3),
        ("new sector, 50 % of cases", new, 0.5),
        ("new slang, 50 % of cases", answer(bundle, [altered(row, slang) for row in picked]), 0.5),
        (
            "texts cut to 60 characters",
            answer(bundle, [altered(row, lambda text: text[:CUT_AT]) for row in picked]),
            1.0,
        ),
        (
            "blanks read as cp1252 (most mended at intake)",
            answer(bundle, [altered(row, misread) for row in picked]),
            1.0,
        ),
        ("bytes in the wrong order", answer(bundle, [altered(row, swapped) for row in picked]), 1.0),
    ):
        change(name, usual, changed, share)
    flood(bundle, usual, flood_rows(rows))
    in_order(usual, usual_rows)


def answer(bundle: Bundle, rows: Sequence[LabelledRow]) -> list[Answered]:
    """What the bundle says of rows, once, of their texts as the service keeps them."""
    index, found = SimilarCases(bundle), []
    for row in rows:
        text = mask_for_storage(row.complaint.text, Confidentiality.TERBUKA)
        complaint = replace(row.complaint, text=text, region=REGION)
        reading = bundle.read(complaint)
        first = bundle.predict_reading(reading).sector
        trace = trace_of(complaint, reading, first.label, first.probability)
        found.append(Answered(trace, index.describe(complaint, reading), first.label == row.sector))
    return found


class Watch:
    """Looks at a stream as the service does; alarms hold by their dead band. `alarms` counts each that goes on."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.on: set[str] = set()
        self.alarms: Counter[str] = Counter()

    def look(self, window: Sequence[Trace]) -> None:
        """One look at the newest cases."""
        for effect in compare(self.reference, window):
            name = effect.signal.value
            if effect.is_alarm(was_on=name in self.on):
                self.alarms[name] += name not in self.on
                self.on.add(name)
            else:
                self.on.discard(name)


def unchanged(usual: Sequence[Answered]) -> None:
    """A: alarms in streams that nothing has happened to."""
    counts = []
    for repeat in range(STREAMS):
        drawn = np.random.default_rng([_SEED, 1, repeat]).integers(len(usual), size=STREAM)
        traces = [usual[i].trace for i in drawn]
        watch = Watch(make_reference(traces[:REFERENCE_CASES]))
        for end in range(REFERENCE_CASES + WINDOW_CASES, STREAM + 1, LOOK_EVERY):
            watch.look(traces[end - WINDOW_CASES : end])
        counts.append(sum(watch.alarms.values()))
    print(f"A  alarms in each of {STREAMS} unchanged streams of {STREAM}: {counts}")


def change(name: str, usual: Sequence[Answered], changed: Sequence[Answered], share: float) -> None:
    """B: after how many cases a change is found."""
    found, first, early = [], Counter[str](), 0
    estimated, true = [], []
    for repeat in range(REPEATS):
        chance = np.random.default_rng([_SEED, 2, repeat])
        stream = [usual[i] for i in chance.integers(len(usual), size=REFERENCE_CASES + BEFORE)]
        for _ in range(AFTER):
            of = changed if chance.random() < share else usual
            stream.append(of[chance.integers(len(of))])
        traces = [each.trace for each in stream]
        watch = Watch(make_reference(traces[:REFERENCE_CASES]))
        start = REFERENCE_CASES + BEFORE
        for end in range(REFERENCE_CASES + WINDOW_CASES, len(stream) + 1, LOOK_EVERY):
            watch.look(traces[end - WINDOW_CASES : end])
            if watch.alarms and end <= start:
                early += 1
                break
            if watch.alarms:
                found.append(end - start)
                first.update(watch.alarms)
                break
        last = stream[-WINDOW_CASES:]
        estimate = estimate_accuracy([each.trace.confidence for each in last])
        estimated.append(estimate.value if estimate else 0.0)
        true.append(np.mean([each.right for each in last]))
    told = f"after {np.median(found):.0f} cases (median; at most {max(found)})" if found else "never"
    print(
        f"B  {name}: found in {len(found)} of {REPEATS} within {AFTER}, {told}; first by {dict(first)}; before it came "
        f"{early}; estimated accuracy {np.mean(estimated):.3f}, true {np.mean(true):.3f}"
    )


def flood(bundle: Bundle, usual: Sequence[Answered], rows: Sequence[LabelledRow]) -> None:
    """C: a flooded district."""
    wet = answer(bundle, rows)
    found, members, strangers, alarms, without, false = [], [], 0, 0, 0, 0
    for repeat in range(REPEATS):
        chance = np.random.default_rng([_SEED, 3, repeat])
        calm = [usual[i] for i in chance.integers(len(usual), size=REFERENCE_CASES + BEFORE + AFTER)]
        timed = [(i * HOURS_APART, each, False) for i, each in enumerate(calm)]
        start = (REFERENCE_CASES + BEFORE) * HOURS_APART
        for pick in chance.choice(len(wet), FLOOD_CASES, replace=False):
            timed.append((start + chance.random() * FLOOD_HOURS, wet[pick], True))
        timed.sort(key=lambda each: each[0])
        reference = make_reference([each.trace for _, each, _ in timed[:REFERENCE_CASES]])
        apart, together = Watch(reference), Watch(reference)
        known: set[int] = set()
        seen_at = None
        for end in range(REFERENCE_CASES + WINDOW_CASES, len(timed) + 1, LOOK_EVERY):
            recent = range(max(0, end - RECENT_CASES), end)
            sightings = [Sighting(str(i), timed[i][0], timed[i][1].traits) for i in recent]
            for burst in find_bursts(sightings):
                numbers = {int(member) for member in burst.members}
                is_ours = sum(timed[i][2] for i in numbers) * 2 > len(numbers)
                false += not is_ours and not numbers & known
                known |= numbers
                if is_ours and seen_at is None:
                    seen_at = sum(is_wet for _, _, is_wet in timed[:end])
            window = [i for i in range(end) if i not in known][-WINDOW_CASES:]
            apart.look([timed[i][1].trace for i in window])
            together.look([each.trace for _, each, _ in timed[end - WINDOW_CASES : end]])
        if seen_at is not None:
            found.append(seen_at)
        members.append(sum(timed[i][2] for i in known))
        strangers += len(known) - members[-1]
        alarms, without = alarms + bool(apart.alarms), without + bool(together.alarms)
    told = f"after {np.median(found):.0f} flood cases (median; at most {max(found)})" if found else "never"
    print(
        f"C  flooded district: an incident in {len(found)} of {REPEATS}, {told}; it held {np.mean(members):.0f} of "
        f"{FLOOD_CASES} (and {strangers} others in all streams); other incidents {false}; drift alarms in {alarms} "
        f"streams ({without} if its cases stayed in)"
    )


def in_order(usual: Sequence[Answered], rows: Sequence[LabelledRow]) -> None:
    """D: the real stream in the order of time."""
    hours = [datetime.fromisoformat(row.received_at).timestamp() / 3600 for row in rows]
    bursts = find_bursts([Sighting(str(i), hours[i], each.traits) for i, each in enumerate(usual)])
    watch = Watch(make_reference([each.trace for each in usual[:REFERENCE_CASES]]))
    for end in range(REFERENCE_CASES + WINDOW_CASES, len(usual) + 1, LOOK_EVERY):
        watch.look([each.trace for each in usual[end - WINDOW_CASES : end]])
    sizes = [len(burst.members) for burst in bursts]
    print(f"D  in the order of time, {len(usual)} cases: incidents {len(sizes)} {sizes}; alarms {dict(watch.alarms)}")


def altered(row: LabelledRow, change_text: Callable[[str], str]) -> LabelledRow:
    return replace(row, complaint=replace(row.complaint, text=change_text(row.complaint.text)))


def misread(text: str) -> str:
    """Blanks that don't break, written in UTF-8 and read as cp1252."""
    return text.replace(" ", "\N{NO-BREAK SPACE}").encode("utf-8").decode("cp1252", "replace")


def swapped(text: str) -> str:
    """UTF-16 read with its bytes in the wrong order."""
    return text.encode("utf-16-le").decode("utf-16-be", "replace")


def new_words(rows: Sequence[LabelledRow]) -> Callable[[str], str]:
    """Says the commonest words of some letters otherwise: their syllables turned around, as youth slang does."""
    counts = Counter(word for row in rows for word in row.complaint.text.lower().split() if word.isalpha())
    common = {word for word, _ in counts.most_common(200) if len(word) > 4}
    turned = {word: word[len(word) // 2 :] + word[: len(word) // 2] for word in sorted(common)[:SLANG_WORDS]}
    return lambda text: " ".join(turned.get(word, word) for word in text.lower().split())


def flood_rows(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """Rows on floods that name no place in their text, all from one kecamatan."""
    finder = finder_of(load_region(REGION))
    wet = [row for row in rows if "banjir" in full_text(row.complaint).lower()]
    bare = [replace(row.complaint, location="", region=REGION) for row in wet]
    return [
        replace(row, complaint=replace(complaint, location=FLOODED))
        for row, complaint in zip(wet, bare, strict=True)
        if not finder.find(Complaint(complaint.text, complaint.title, region=REGION))
    ]


if __name__ == "__main__":
    main()
