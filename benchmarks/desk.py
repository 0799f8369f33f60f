"""How quick the moderators' desk is on a long queue: python -m benchmarks.desk --bundle DIR [--cases N] [--postgresql]

A database is filled with open cases (texts from a generator, each with an answer that the bundle really gave to such a
text) and a fifth as many decided ones, through the store's own door. Then the queue is asked directly, and a real
server's pages as a browser asks for them, one after another, signed in. Prints Markdown tables, in
milliseconds: the first answer (some pages remember what it found), median and 95th percentile of the others, and the
server's CPU for one, which other work hardly changes (the first included, PostgreSQL's own not); then the
most bytes over the wire, headers included.

Wanted: the queue's page under 100 ms and a case's under 60 ms at the 95th percentile, each page under 60 kB.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import Row, insert, select, text, update

from benchmarks.load import cpu_of, free_port, started
from benchmarks.serving import UNLIMITED, load_average
from data.complaint import Complaint, Confidentiality
from data.region import load_region
from model.bundle import load_bundle
from serving.access import Scope
from serving.case import Case, LabelSource, Status, new_id
from serving.checks import Check
from serving.database import open_store
from serving.events import review_requested_event
from serving.queue import LATE, SOON, Choice, Queue
from serving.queue_page import choice_query
from serving.store import Addition, Store
from serving.tables import answers, cases, events, reviews
from serving.triage import Intake, Triage
from serving.working_time import due_after
from tests.serving.clients import PASSWORD, quick_access
from tests.serving.processes import running_postgresql

# A desk of its own region and two neighbours, with the share of cases that each has.
REGIONS = {"kab-tangerang": 0.7, "kota-surabaya": 0.2, "kab-bandung": 0.1}
_SEED, _TOGETHER = 7, 1_000
# Texts that the bundle really answers; the others take one of these answers over.
_ANSWERED = 600
_OPEN_DAYS, _DECIDED_DAYS = 60, 300

_MATTERS = (
    "jalan {where} berlubang besar dan aspalnya mengelupas", "lampu PJU di {where} mati sudah {n} minggu, gelap sekali",
    "sampah di TPS {where} menumpuk {n} hari tidak diangkut", "got di {where} mampet, air meluap tiap hujan",
    "KTP saya belum jadi sudah {n} bulan, di {where} katanya blangko habis", "air PDAM di {where} keruh dan berbau",
    "obat di puskesmas {where} habis, pasien disuruh beli di luar", "bansos di {where} tidak tepat sasaran",
    "anak saya tidak diterima di SDN dekat {where} padahal satu zonasi", "banjir {n} meter di {where}, warga mengungsi",
    "parkir liar di depan {where} bikin macet tiap pagi", "pabrik di {where} membuang limbah ke kali, baunya menyengat",
    "perahu penyeberangan di {where} bocor dan talinya hampir putus", "listrik PLN di {where} padam {n} jam",
    "kebakaran di {where}, api menjalar ke rumah warga, tolong cepat", "trotoar {where} dipakai pedagang kaki lima",
    "upah di pabrik {where} di bawah UMK dan THR belum dibayar", "irigasi {where} jebol, {n} hektare sawah kering",
    "pohon tumbang menutup jalan {where}, kabel menjuntai", "pungli di kantor {where} saat urus surat pindah",
)  # fmt: skip
_OPENINGS = ("Yth. Bapak/Ibu, ", "Min, ", "Assalamualaikum, saya warga mau lapor ", "Tolong ", "", "", "")
_MORE = (
    "Warga sudah lapor ke RT dan RW tetapi belum ada tindak lanjut.", "Anak-anak sekolah lewat situ setiap hari.",
    "Sudah banyak yang jatuh, terutama malam hari.", "Kami sudah swadaya tetapi dananya tidak cukup.",
    "Mohon segera ditindaklanjuti sebelum ada korban.", "Foto saya lampirkan di aplikasi.", "Terima kasih 🙏",
    "Katanya menunggu anggaran perubahan, padahal sudah dijanjikan sejak tahun lalu oleh petugas yang datang mengukur.",
    "Kalau hujan deras keadaannya lebih parah dan kendaraan harus memutar lewat jalan kampung yang sempit.",
)  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """Milliseconds of the first try and of the others; of pages also the bytes of each and the server's CPU, in ms."""

    name: str
    first: float
    milliseconds: list[float]
    sizes: list[int] = field(default_factory=list)
    cpu: float | None = None

    @property
    def median(self) -> float:
        """The middle one, in milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """What 95 % of the tries stay under, in milliseconds."""
        return statistics.quantiles(self.milliseconds, n=20, method="inclusive")[-1]


def main() -> int:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, required=True)
    arguments.add_argument("--cases", type=int, default=100_000, help="open ones; a fifth as many decided ones beside")
    arguments.add_argument("--postgresql", action="store_true", help="in a PostgreSQL of its own, not in SQLite")
    arguments.add_argument("--requests", type=int, default=200, help="of each page")
    given = arguments.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = stack.enter_context(running_postgresql()) if given.postgresql else str(Path(folder) / "desk.db")
        with closing(open_store(database)) as store:
            since = time.perf_counter()
            fill(store, given.bundle, given.cases, given.cases // 5)
            print(
                f"{given.cases:,} open and {given.cases // 5:,} decided cases in {time.perf_counter() - since:.0f} s."
            )
        report(given.bundle, database, given.requests)
    return 0


def report(bundle: Path, database: str, tries: int) -> None:
    """Measure a database that is filled, and print what came of it."""
    name = "PostgreSQL" if "://" in database else "SQLite"
    with closing(open_store(database)) as store:
        print(f"\n## The queue itself, {name}\n\n{load_average()}\n")
        _print(list(ask_queue(store, tries)))
        addresses = pages(Queue(store), tries)
        cookie = _sign_in(store)
    port = free_port()
    command = [sys.executable, "-m", "disposisi", "serve", "--bundle", bundle.resolve(), "--database", database]
    with started([*command, "--port", str(port)], port, environment=UNLIMITED, path="/readyz") as process:
        _settle(process.pid)
        print(f"\n## Pages of a real server, {name}\n\n{load_average()}\n")
        _print([_asked(process.pid, port, cookie, called, paths) for called, paths in addresses.items()])


def fill(store: Store, bundle: Path, open_cases: int, decided: int) -> None:
    """Put cases into an empty database, in the order they would have come in, and bring its statistics up to date."""
    chance = random.Random(_SEED)
    models = _answered(bundle, chance)
    now = datetime.now(UTC)
    made = _cases(models, chance, now - timedelta(days=_DECIDED_DAYS), timedelta(days=_DECIDED_DAYS), decided)
    _keep(store, (replace(case, status=Status.DECIDED, closed_at=_soon(case)) for case in made))
    _review(store)
    _keep(store, _cases(models, chance, now - timedelta(days=_OPEN_DAYS), timedelta(days=_OPEN_DAYS), open_cases))
    with store.writing() as connection:
        # Long since delivered: who measures the desk isn't to wait for a webhook's lag.
        connection.execute(update(events).values(delivered_at=now))
    with store.reading() as connection:
        raw = connection.execution_options(isolation_level="AUTOCOMMIT")
        raw.execute(text("VACUUM ANALYZE" if raw.dialect.name == "postgresql" else "ANALYZE"))


def _soon(case: Case) -> datetime:
    return case.created_at + timedelta(hours=5)


def _answered(bundle: Path, chance: random.Random) -> list[Case]:
    """Cases that a real triage makes of generated texts, with the similar ones it finds among them."""
    with tempfile.TemporaryDirectory() as folder, closing(open_store(str(Path(folder) / "answered.db"))) as store:
        triage = Triage(load_bundle(bundle), next(iter(REGIONS)), store)
        regions = chance.choices(list(REGIONS), weights=list(REGIONS.values()), k=_ANSWERED)
        return [triage.receive(Intake(Complaint(_text(chance, region), region=region))) for region in regions]


def _text(chance: random.Random, region: str) -> str:
    """A complaint as citizens type it: a line to a dozen, 40 to some 1,200 characters, half of them under 230."""
    area = chance.choice(load_region(region).areas)
    where = f"Jl {chance.choice('ABCDEFGH')}{chance.randint(1, 99)} {area.name}"
    matter = chance.choice(_MATTERS).format(where=where, n=chance.randint(2, 9))
    more = chance.choices(_MORE, k=min(int(chance.expovariate(0.5)), 12))
    return f"{chance.choice(_OPENINGS)}{matter}. {' '.join(more)}".strip()


def _cases(
    models: Sequence[Case], chance: random.Random, since: datetime, span: timedelta, amount: int
) -> Iterator[Case]:
    """Open cases spread over a time, each with a text of its own and one model's answer, as sure as chance has it."""
    for number in range(amount):
        model = chance.choice(models)
        created_at = since + span * ((number + chance.random()) / amount)
        region = model.complaint.region
        title = chance.choice(("", "Mohon ditindaklanjuti", f"Laporan {number}"))
        yield replace(
            model,
            id=new_id(),
            status=Status.WAITING,
            complaint=Complaint(_text(chance, region), title, model.complaint.location, region),
            channel=chance.choice(("WhatsApp", "SP4N-LAPOR!", "web")),
            confidentiality=Confidentiality.RAHASIA if chance.random() < 0.02 else Confidentiality.TERBUKA,
            received_at=created_at - timedelta(minutes=chance.random() * 60),
            created_at=created_at,
            answer=replace(model.answer, probability=round(chance.betavariate(4, 2), 6)),
            due_at=due_after(created_at),
            check=Check.BLIND if chance.random() < 0.03 else Check.NONE,
        )


def _keep(store: Store, made: Iterator[Case]) -> None:
    pending = []
    for case in made:
        pending.append(store.add(Addition(case, (review_requested_event(case),))))
        if len(pending) == _TOGETHER:
            for future in pending:
                future.result()
            pending.clear()
    for future in pending:
        future.result()


def _review(store: Store) -> None:
    """A verdict on each decided case: three in four take the suggestion."""
    query = select(cases.c.id, cases.c.closed_at, cases.c.urgency, answers.c.sector, answers.c.agency)
    query = query.join(answers, answers.c.case_id == cases.c.id).where(cases.c.status == Status.DECIDED.value)
    with store.reading() as connection:
        found = connection.execute(query).all()
    chance = random.Random(_SEED)
    with store.writing() as connection:
        connection.execute(insert(reviews), [_verdict(row, chance) for row in found])


def _verdict(row: Row[Any], chance: random.Random) -> dict[str, Any]:
    source = LabelSource.HUMAN_ACCEPTED if chance.random() < 0.75 else LabelSource.HUMAN_CORRECTED
    before = {"status": "waiting", "agency": row.agency, "urgency": row.urgency, "closed_at": None, "queued": True}
    return {
        "case_id": row.id,
        "sector": row.sector,
        "agency": row.agency or "pemda",
        "urgency": row.urgency or 1,
        "note": "",
        "label_source": source.value,
        "decided_at": row.closed_at,
        "reviewer": f"petugas-{chance.randint(1, 6)}",
        "parts": [],
        "seconds": round(chance.expovariate(1 / 40), 1),
        "before": before,
    }


def ask_queue(store: Store, tries: int) -> Iterator[Timing]:
    """The queue's own questions, each as often; counts are counted anew each time."""
    queue, region, few = Queue(store), next(iter(REGIONS)), max(tries // 4, 2)
    rare, common = _rarest_and_commonest(queue, region)
    choices = {
        "all regions": Choice(),
        "one region": Choice(region),
        "its commonest agency": Choice(region, agency=common),
        "its rarest agency": Choice(region, agency=rare),
        "an agency without cases": Choice(region, agency="no-such-agency"),
        "emergencies": Choice(region, urgency=3),
        "urgency 0": Choice(region, urgency=0),
        "late": Choice(region, age=LATE),
        "due within a day": Choice(region, age=SOON),
    }
    for name, choice in choices.items():
        yield _timed(f"lines, {name}", lambda choice=choice: queue.lines(choice, 50), tries)
        yield _timed(f"count, {name}", lambda choice=choice: queue.count(choice), few)
    yield _timed("lines, one region, from the 1,000th", lambda: queue.lines(Choice(region), 50, 1_000), tries)
    yield _timed("next free, one region", lambda: queue.next_free(Choice(region), "siti"), tries)
    yield _timed("next free, its rarest agency", lambda: queue.next_free(Choice(region, agency=rare), "siti"), tries)
    for name, where in (("one region", region), ("all regions", "")):
        # Once in five seconds; the other looks get the same numbers.
        yield _timed(f"counts, {name}", lambda where=where: (queue.forget_counts(), queue.counts(where)), few)


def _timed(name: str, ask: Callable[[], object], tries: int) -> Timing:
    took = []
    for _ in range(tries + 1):
        since = time.perf_counter()
        ask()
        took.append((time.perf_counter() - since) * 1000)
    return Timing(name, took[0], took[1:])


def pages(queue: Queue, tries: int) -> dict[str, list[str]]:
    """Addresses to ask for, by what they are called; each case's page once, from all over the queue."""
    region = next(iter(REGIONS))
    rare, common = _rarest_and_commonest(queue, region)
    choices = {
        "all regions": Choice(),
        "one region": Choice(region),
        "its commonest agency": Choice(region, agency=common),
        "its rarest agency": Choice(region, agency=rare),
        "emergencies": Choice(region, urgency=3),
        "late": Choice(region, age=LATE),
        "due within a day": Choice(region, age=SOON),
    }
    found = {f"/antrean, {name}": [f"/antrean?{choice_query(choice, '')}"] * tries for name, choice in choices.items()}
    found["/antrean/jumlah"] = ["/antrean/jumlah"] * tries
    apart = max(queue.count(Choice()) // tries, 1)
    ids = [line.id for n in range(tries) for line in queue.lines(Choice(), 1, n * apart)]
    found["/kasus/{id}, opened and so taken"] = [f"/kasus/{case_id}" for case_id in ids]
    found["/papan"] = ["/papan"] * tries
    found["/laporan"] = ["/laporan"] * tries
    return found


def _rarest_and_commonest(queue: Queue, region: str) -> tuple[str, str]:
    agencies = {code: count for (where, code), count in queue.counts(region).by_agency.items() if where == region}
    return min(agencies, key=lambda code: agencies[code]), max(agencies, key=lambda code: agencies[code])


def _sign_in(store: Store) -> str:
    """The cookie of a moderator who may do everything everywhere."""
    access = quick_access(store)
    name = f"tolok-ukur-{token_hex(3)}"
    token = access.change_password(name, access.create_moderator(name, [scope.value for scope in Scope]), PASSWORD)
    return f"disposisi={token}"


def _settle(pid: int) -> None:
    """Wait until the server has read its earlier cases back, which is done beside the first answers and then over."""
    busy = 1.0
    while busy > 0.1:
        before = cpu_of(pid)
        time.sleep(2)
        busy = (cpu_of(pid) - before) / 2


def _asked(server: int, port: int, cookie: str, name: str, paths: Sequence[str]) -> Timing:
    """One page after another over one connection, from the request to the last byte of the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took, sizes, used = [], [], cpu_of(server)
    for path in (paths[0], *paths):
        since = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie, "Accept-Encoding": "gzip, deflate, br"})
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - since) * 1000)
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{path} was answered with {answer.status}")
        sizes.append(len(body) + sum(len(key) + len(value) + 4 for key, value in answer.getheaders()))
    connection.close()
    return Timing(name, took[0], took[1:], sizes, (cpu_of(server) - used) * 1000 / len(took))


def _print(timings: Sequence[Timing]) -> None:
    print("| | first ms | median ms | p95 ms | CPU ms | kB |\n|---|---|---|---|---|---|")
    for each in timings:
        size = f"{max(each.sizes) / 1000:.1f}" if each.sizes else ""
        cpu = "" if each.cpu is None else f"{each.cpu:.1f}"
        print(f"| {each.name} | {each.first:.1f} | {each.median:.1f} | {each.p95:.1f} | {cpu} | {size} |")


if __name__ == "__main__":
    sys.exit(main())
