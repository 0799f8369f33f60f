"""How fast the text chain and its stemmer are, beside their peers, and how good the stems: python -m benchmarks.text

Every contender reads the same texts in fresh processes of its own, on one core: a first pass, which meets every word
for the first time, and later passes over the same texts; the best of three processes counts. The chain's row is all of
its work - masking, normalising, expanding, stemming - where the peers only stem. Texts are the Surabaya complaints
where they are at hand (`../shared/datasets` beside the checkout), else the samples. nlp-id is measured if `--peers`
names a folder it was installed to: pip install --target FOLDER --no-deps nlp-id. Loading (roots, tables, dictionaries)
is told apart from the passes. Last come hostile texts of growing size.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.accuracy import SAMPLES, SHARED
from data.complaint import Complaint
from data.rows import read_rows
from model.text import ALL_STEPS, TextChain

LATER_PASSES = 3
PROCESSES = 3
PLAIN_SHARE = 10
SOURCE = SHARED / "surabaya_wargaku.csv" if SHARED.is_dir() else SAMPLES
GOLD = SHARED.parent / "reference" / "stemming"

Work = Callable[[str], object]

# Hostile pieces, read at growing sizes: time must grow no faster than the text.
HOSTILE = {
    "one letter": "a",
    "nested brackets": "[(",
    "`-ku-mu-nya`": "-ku-mu-nya",
    "marks from right to left": "\u202ejalan\u200f ",
    "lone surrogates": "a\ud800",
    "zero-width joiners": "a\u200d",
    "one letter under accents": "\u0301",
    "announced names, joined": "a.n. Budi dan ",
    "numbers joined": "0812-3456 ",
    "line breaks": "\n",
}
HOSTILE_SIZES = (100_000, 1_000_000, 10_000_000)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="a folder that nlp-id was installed to")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        print(json.dumps(measure(given.contender, read_texts(), given.peers)))
        return 0
    print(
        f"{len(read_texts())} texts of {SOURCE.name}; "
        f"load before the run: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores\n"
    )
    results = {name: best_of_processes(name, given.peers) for name in CONTENDERS}
    print_speed(results)
    print_stems(given.peers)
    print_hostile()
    return 0


def read_texts() -> list[str]:
    return [row.complaint.text for row in read_rows([SOURCE], "kota-surabaya", labels=False).rows]


def whole_chain(_: Path | None) -> Work:
    chain = TextChain(ALL_STEPS)
    chain.prepare(Complaint("menyiapkan tabel dan akar kata"))
    return lambda text: chain.prepare(Complaint(text))


def default_chain(_: Path | None) -> Work:
    from training.recipe import RECIPES

    chain = TextChain(RECIPES["default"].text_steps)
    chain.prepare(Complaint("menyiapkan tabel dan akar kata"))
    return lambda text: chain.prepare(Complaint(text))


def own_stemmer(_: Path | None) -> Work:
    from model.stemming import sastrawi_stem, stem

    sastrawi_stem("menyiapkan")
    return lambda text: [stem(word) for word in re.findall("[a-z0-9-]+", text.lower())]


def sastrawi_cached(_: Path | None) -> Work:
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    stem: Work = StemmerFactory().create_stemmer().stem
    return stem


def sastrawi_plain(_: Path | None) -> Work:
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    stem: Work = StemmerFactory().create_stemmer().delegatedStemmer.stem
    return stem


def nlp_id(peers: Path | None) -> Work | None:
    file = peers / "nlp_id" / "lemmatizer.py" if peers else None
    if file is None or not file.is_file():
        return None
    # Its package's __init__ wants nltk and more; the lemmatizer alone needs nothing.
    spec = importlib.util.spec_from_file_location("nlp_id_lemmatizer", file)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lemmatize: Work = module.Lemmatizer().lemmatize
    return lemmatize


def dictionary(_: Path | None) -> Work:
    """The floor: split, and one look-up a word in a plain dict."""
    known = dict.fromkeys(("jalan", "rusak", "lampu"), "x")
    return lambda text: [known.get(word, word) for word in text.lower().split()]


CONTENDERS: dict[str, Callable[[Path | None], Work | None]] = {
    "whole chain": whole_chain,
    "default recipe's chain": default_chain,
    "own stemmer alone": own_stemmer,
    "PySastrawi 1.2.1 cached": sastrawi_cached,
    "PySastrawi 1.2.1 plain": sastrawi_plain,
    "nlp-id 0.1.23": nlp_id,
    "dict look-up (floor)": dictionary,
}


def measure(name: str, texts: Sequence[str], peers: Path | None) -> dict[str, float] | None:
    """Complaints a second in the first and the best later pass, and seconds to get ready; None if it isn't here."""
    started = time.perf_counter()
    work = CONTENDERS[name](peers)
    ready = time.perf_counter() - started
    if work is None:
        return None
    # Without a cache every pass is a first one, and a tenth of the texts tells as much.
    own = texts[::PLAIN_SHARE] if name.endswith("plain") else texts
    passes = []
    for _ in range(1 if name.endswith("plain") else 1 + LATER_PASSES):
        started = time.perf_counter()
        for text in own:
            work(text)
        passes.append(len(own) / (time.perf_counter() - started))
    return {"first": passes[0], "later": max(passes[1:], default=passes[0]), "ready": ready}


def best_of_processes(name: str, peers: Path | None) -> dict[str, float] | None:
    """The best figures of several processes: how fast a process runs here varies by a third from one to the next."""
    results = [run_apart(name, peers) for _ in range(PROCESSES)]
    whole = [result for result in results if result is not None]
    if not whole:
        return None
    return {
        "first": max(result["first"] for result in whole),
        "later": max(result["later"] for result in whole),
        "ready": min(result["ready"] for result in whole),
    }


def run_apart(name: str, peers: Path | None) -> dict[str, float] | None:
    """Measure one contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.text", "--contender", name]
    command += ["--peers", str(peers)] if peers else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] | None = json.loads(done.stdout.splitlines()[-1])
    return result


def print_speed(results: dict[str, dict[str, float] | None]) -> None:
    """Complaints a second, and as many times those of PySastrawi's cached stemmer."""
    peer = results["PySastrawi 1.2.1 cached"]
    if peer is None:
        return
    print("| | first pass, complaints/s | times PySastrawi cached | later passes | times | loading, s |")
    print("|---|---|---|---|---|---|")
    for name, result in results.items():
        if result is None:
            print(f"| {name} | skipped: not installed (see --peers) | | | | |")
            continue
        first, later = result["first"], result["later"]
        times = f"{first / peer['first']:.2f} | {later:,.0f} | {later / peer['later']:.2f}"
        print(f"| {name} | {first:,.0f} | {times} | {result['ready']:.2f} |")
    print("\nmpstemmer is not measured: it can't be installed from the package registry.\n")


def print_stems(peers: Path | None) -> None:
    """Share of tokens whose stem is the treebank's lemma, and of Sastrawi's own test pairs that come out."""
    if not GOLD.is_dir():
        print("Stems skipped: ../shared/reference/stemming is not here.")
        return
    from model.stemming import sastrawi_stem, stem

    lemmatize = nlp_id(peers)
    stemmers: dict[str, Callable[[str], str]] = {
        "own, with mended words": stem,
        "own without (= PySastrawi)": sastrawi_stem,
    }
    if lemmatize is not None:
        stemmers["nlp-id"] = lambda word: str(lemmatize(word)).strip()
    with (GOLD / "gold_ud.tsv").open(encoding="utf-8") as handle:
        gold = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = [line.split("\t") for line in (GOLD / "sastrawi_php_test_pairs.tsv").read_text("utf-8").splitlines()]
    print("| stems | UD-PUD (for reporting) | UD-CSUI | UD-GSD | Sastrawi's pairs |\n|---|---|---|---|---|")
    for name, stemmer in stemmers.items():
        cells = []
        for source in ("PUD", "CSUI", "GSD"):
            own = [row for row in gold if row["src"] == source]
            right = sum(int(row["count"]) for row in own if stemmer(row["form"]) == row["lemma"])
            cells.append(f"{right / sum(int(row['count']) for row in own):.4f}")
        cells.append(f"{sum(stemmer(form) == expected for form, expected in pairs) / len(pairs):.4f}")
        print(f"| {name} | {' | '.join(cells)} |")


def print_hostile() -> None:
    """Seconds that the whole chain takes for hostile texts of growing size."""
    chain = TextChain(ALL_STEPS)
    print(f"\n| hostile text | {' | '.join(f'{size / 1e6:g} MB, s' for size in HOSTILE_SIZES)} |")
    print("|---|" + "---|" * len(HOSTILE_SIZES))
    for name, piece in HOSTILE.items():
        cells = []
        for size in HOSTILE_SIZES:
            text = piece * (size // len(piece))
            started = time.perf_counter()
            chain.prepare(Complaint(text))
            cells.append(f"{time.perf_counter() - started:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
