"""The case's page: the complaint, the words that decided, what is suggested, what to know, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.complaint import Complaint, Jurisdiction, Urgency
from data.region import Region, load_region
from model.completeness import SlotState
from model.text import TextChain, shown_word
from serving.case import NEXT, OPEN, Case, Claim, Kind, Return, Review, Status
from serving.history import Outcome
from serving.queue_page import UrgencyView
from serving.reasons import KIND_NAMES, REASON_NAMES, Archiving, Correction
from serving.verdict_form import KIND_VALUES, OTHER_CHOICE, Office, SentForm, all_offices
from serving.wording import (
    CONFIDENTIALITY_NAMES,
    JURISDICTION_TEXTS,
    SLOT_NAMES,
    SOURCE_NAMES,
    STATUS_NAMES,
    agency_name,
    ago,
    clock,
    number,
    percent,
    reason_text,
    sector_name,
    sureness,
    time_left,
    urgency_name,
)

_WORDS_SHOWN = 8
_ALTERNATIVES_SHOWN = 7
# A word is listed, and marked in the text, from this share of the strongest word's contribution on.
_LISTED_FROM, _MARKED_FROM = 0.05, 0.2


@dataclass(frozen=True)
class OptionView:
    """A choice in the form: `value` is what is sent, `agency/sector`."""

    value: str
    agency: str
    sector: str
    percent: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece of the complaint's text, and whether it is a word that decided."""

    text: str
    decided: bool


@dataclass(frozen=True)
class WordView:
    word: str
    speaks_for: bool
    share: int


@dataclass(frozen=True)
class NoteView:
    """Something to know before deciding."""

    title: str
    text: str


@dataclass(frozen=True)
class SimilarView:
    id: str
    percent: str
    is_duplicate: bool
    age: str
    became: str


@dataclass(frozen=True)
class EntryView:
    """A line of the history: when, who, what, and what was written about it."""

    time: str
    who: str
    what: str
    words: str = ""


@dataclass(frozen=True)
class Named:
    """A code with its name, for a choice of a few."""

    value: str
    name: str


@dataclass(frozen=True)
class CasePage:
    """What `/kasus/{id}` shows.

    `can_decide`: the form is shown. `taken`: who else is at work on the case and until when, "" for nobody. `problems`
    are what was wrong with a verdict that was just sent, `undo` the id of the case whose verdict was just saved.
    """

    id: str
    query: str
    status: str
    can_decide: bool
    taken: str
    is_emptied: bool
    is_blind: bool
    is_emergency: bool
    title: list[Piece]
    text: list[Piece]
    location: str
    area: str
    channel: str
    confidentiality: str
    region: str
    received: str
    left: str
    is_late: bool
    suggestion: OptionView | None
    suggestion_name: str
    sureness: str
    percent: str
    reasons: list[str]
    notes: list[NoteView]
    similar: list[SimilarView]
    words: list[WordView]
    alternatives: list[OptionView]
    offices: list[str]
    others: list[str]
    urgencies: list[UrgencyView]
    corrections: list[Named]
    archivings: list[Named]
    kinds: list[Named]
    history: list[EntryView]
    form: SentForm
    problems: list[str]
    notice: str
    undo: str
    seen: int
    until: str


@dataclass(frozen=True)
class Beside:
    """What a case's page needs beside the case: its history, what became of similar ones, and who is at work on it."""

    history: Sequence[Review | Return]
    outcomes: Mapping[str, Outcome]
    claim: Claim | None
    at: datetime
    me: str
    query: str = ""


def case_page(
    case: Case,
    chain: TextChain,
    beside: Beside,
    sent: SentForm | None = None,
    problems: Sequence[str] = (),
    notice: str = "",
    undo: str = "",
) -> CasePage:
    """The page of one case; `sent` and `problems` are of a verdict that was refused."""
    region, answer, blind = load_region(case.complaint.region), case.answer, case.is_blind
    # Nothing runs out for a case that went on by itself, or that its reporter is asked about.
    waits = is_open(case) and (case.status in OPEN or blind)
    words = [] if blind else [(entry["word"], entry["contribution"]) for entry in answer.detail["explanation"]["words"]]
    strongest = max((abs(contribution) for _, contribution in words), default=0.0)
    deciding = {word for word, contribution in words if contribution > _MARKED_FROM * strongest}
    suggestion = None if blind else _suggestion(case, region)
    claim = beside.claim
    taken = claim if claim and claim.holder != beside.me else None
    offices = _ordered_offices(region, "" if blind else answer.sector)
    return CasePage(
        id=case.id,
        query=beside.query,
        status="Pemeriksaan acak" if blind else STATUS_NAMES[case.status],
        can_decide=is_open(case) and taken is None,
        taken=f"{taken.holder.rpartition(':')[2]} sampai {clock(taken.until)}" if taken else "",
        is_emptied=case.emptied_at is not None,
        is_blind=blind,
        is_emergency=not blind and case.urgency == Urgency.DARURAT and is_open(case),
        title=marked_pieces(case.complaint.title, deciding, chain),
        text=marked_pieces(case.complaint.text, deciding, chain),
        location=case.complaint.location,
        area="" if blind else answer.area or "",
        channel=case.channel,
        confidentiality=CONFIDENTIALITY_NAMES[case.confidentiality],
        region=region.name,
        received=f"{clock(case.received_at)} ({ago(case.received_at, beside.at)})",
        left=time_left(case.due_at, beside.at) if case.due_at and waits else "",
        is_late=case.due_at is not None and beside.at > case.due_at,
        suggestion=suggestion,
        suggestion_name="" if blind else suggestion.agency if suggestion else _unnamed(case, region),
        sureness=sureness(answer.probability),
        percent=percent(answer.probability),
        reasons=[] if blind else [reason_text(code) for code in answer.detail["reasons"]],
        notes=_return_notes(case, region) + ([] if blind else _notes(answer.detail, region)),
        similar=_similar(answer.detail, beside.outcomes, region, blind=blind),
        words=_word_views(words, strongest),
        alternatives=[] if blind else _alternatives(case, region),
        offices=[office.label for office in offices],
        others=[office.label for office in offices if office.agency.level is not Jurisdiction.LOCAL],
        urgencies=[UrgencyView(int(level), urgency_name(level)) for level in Urgency],
        corrections=[Named(code, REASON_NAMES[code]) for code in Correction],
        archivings=[Named(code, REASON_NAMES[code]) for code in Archiving],
        kinds=[Named(value, KIND_NAMES[kind]) for value, kind in KIND_VALUES.items()],
        history=_history(case, beside.history, region),
        form=sent or first_form(case, region),
        problems=list(problems),
        notice=notice,
        undo=undo,
        seen=len(beside.history),
        until=claim.until.isoformat() if claim and not taken else "",
    )


def is_open(case: Case) -> bool:
    """Whether the case may still be decided, if only to correct where it went by itself."""
    return Status.DECIDED in NEXT[case.status] and case.emptied_at is None


def first_form(case: Case, region: Region) -> SentForm:
    """The form as it is first shown: filled with the suggestion, or empty where that is hidden."""
    if case.is_blind:
        return SentForm(pilihan=OTHER_CHOICE)
    detail, answer = case.answer.detail, case.answer
    suggestion = _suggestion(case, region)
    jurisdiction, completeness = detail.get("jurisdiction") or {}, detail.get("completeness") or {}
    others = {each.value: each.label for each in all_offices(region) if each.agency.level is not Jurisdiction.LOCAL}
    return SentForm(
        pilihan=suggestion.value if suggestion else OTHER_CHOICE,
        urgensi="" if case.urgency is None else str(case.urgency),
        pertanyaan=completeness.get("question", ""),
        kepada=others.get(f"{answer.agency}/{answer.sector}", ""),
        rujukan=jurisdiction.get("referral", ""),
        gabung_dengan=next((found["case_id"] for found in detail.get("similar", []) if found["is_duplicate"]), ""),
    )


def marked_pieces(text: str, deciding: set[str], chain: TextChain) -> list[Piece]:
    """The text cut at white space, each piece marked if the model reads a deciding word in it."""
    pieces = re.findall(r"\s+|\S+", text)
    if not deciding:
        return [Piece(text, False)] if text else []
    alone = [_words(piece, chain) for piece in pieces]
    marked = []
    for place, piece in enumerate(pieces):
        # Words and white space take turns, so that a word's neighbours are two places away.
        before = alone[place - 2] if place >= 2 else []
        after = alone[place + 2] if place + 2 < len(pieces) else []
        together = _words("".join(pieces[max(place - 2, 0) : place + 3]), chain) if alone[place] else []
        read = together[len(before) : len(together) - len(after)]
        # Where the neighbours are read otherwise beside the piece, which words are its own can't be told.
        if before + read + after != together:
            read = alone[place]
        marked.append(Piece(piece, not deciding.isdisjoint(read)))
    return marked


def _words(text: str, chain: TextChain) -> list[str]:
    """The words that the model reads in a text, as people are shown them."""
    return list(map(shown_word, chain.prepare(Complaint(text)).words.split()))


def _suggestion(case: Case, region: Region) -> OptionView | None:
    """What the program suggests, if the region still has that agency for that sector."""
    answer = case.answer
    value = f"{answer.agency}/{answer.sector}"
    if answer.agency is None or value not in {office.value for office in all_offices(region)}:
        return None
    return _option(region, answer.agency, answer.sector, answer.probability)


def _unnamed(case: Case, region: Region) -> str:
    answer = case.answer
    if answer.agency is None:
        return f"{sector_name(answer.sector)}: wilayah belum diketahui"
    return f"{agency_name(region, answer.agency)}, yang tidak ada lagi dalam daftar instansi daerah ini"


def _alternatives(case: Case, region: Region) -> list[OptionView]:
    known = {office.value for office in all_offices(region)}
    found = [
        _option(region, entry["agency"], entry["sector"], entry["probability"])
        for entry in case.answer.detail["alternatives"]
        if f"{entry['agency']}/{entry['sector']}" in known
    ]
    return found[:_ALTERNATIVES_SHOWN]


def _ordered_offices(region: Region, sector: str) -> list[Office]:
    """All offices, those of a sector first."""
    return sorted(all_offices(region), key=lambda office: office.sector != sector)


def _option(region: Region, agency: str, sector: str, probability: float) -> OptionView:
    return OptionView(f"{agency}/{sector}", agency_name(region, agency), sector_name(sector), percent(probability))


def _word_views(words: Sequence[tuple[str, float]], strongest: float) -> list[WordView]:
    return [
        WordView(word, contribution > 0, round(100 * abs(contribution) / strongest))
        for word, contribution in words[:_WORDS_SHOWN]
        if abs(contribution) > _LISTED_FROM * strongest
    ]


def _return_notes(case: Case, region: Region) -> list[NoteView]:
    """Who sent the case back, when and why, if it waits because of that."""
    if case.status is not Status.RETURNED or case.returned is None:
        return []
    returned = case.returned
    who = agency_name(region, returned.agency) if returned.agency else "instansi"
    told = f"Oleh {who}, {clock(returned.returned_at)}."
    return [NoteView("Dikembalikan", f"{told} Alasan: {returned.reason}" if returned.reason else told)]


def _notes(detail: dict[str, Any], region: Region) -> list[NoteView]:
    """What is worth knowing of jurisdiction, completeness, urgency and a second matter; old cases lack some of it."""
    notes = []
    if detail.get("urgency_reasons"):
        notes.append(NoteView("Tanda bahaya", f"Terbaca dalam laporan: {', '.join(detail['urgency_reasons'])}."))
    jurisdiction, completeness, split = (detail.get(name) for name in ("jurisdiction", "completeness", "split"))
    if jurisdiction and jurisdiction["referral"]:
        who = f" Dapat dirujuk ke {jurisdiction['responsible']}." if jurisdiction["responsible"] else ""
        notes.append(NoteView("Kewenangan", JURISDICTION_TEXTS[Jurisdiction(jurisdiction["level"])] + who))
    if completeness and completeness["question"]:
        missing = [SLOT_NAMES[slot["name"]] for slot in completeness["slots"] if slot["state"] == SlotState.MISSING]
        text = f"Belum disebut: {', '.join(missing)}." if missing else "Laporan ini mungkin belum jelas."
        notes.append(NoteView("Kelengkapan", text))
    if split:
        both = [agency_name(region, each["agency"]) if each["agency"] else sector_name(each["sector"])
                for each in split["choices"]]  # fmt: skip
        text = f"Mungkin untuk {' serta '.join(both)}, peluang {percent(split['probability'])}."
        notes.append(NoteView("Dua perkara", text))
    return notes


def _similar(
    detail: dict[str, Any], outcomes: Mapping[str, Outcome], region: Region, *, blind: bool
) -> list[SimilarView]:
    """Earlier cases like this one that may be seen; where the suggestion is hidden, so is what became of them."""
    return [
        SimilarView(
            id=found["case_id"],
            percent=percent(found["similarity"]),
            is_duplicate=found["is_duplicate"],
            age=_age(found["days_apart"]),
            became="" if blind else _became(outcomes[found["case_id"]], region),
        )
        for found in detail.get("similar", [])
        if found["case_id"] in outcomes
    ]


def _became(outcome: Outcome, region: Region) -> str:
    if outcome.is_blind:
        return "belum diperiksa"
    verdict = outcome.review.verdict if outcome.review else None
    if verdict and verdict.kind is not Kind.DISPOSE:
        return KIND_NAMES[verdict.kind].lower()
    if outcome.status in (Status.DECIDED, Status.ROUTED, Status.RETURNED):
        what = {Status.DECIDED: "diputuskan ke", Status.ROUTED: "diteruskan ke", Status.RETURNED: "dikembalikan dari"}
        return f"{what[outcome.status]} {agency_name(region, outcome.agency)}"
    return STATUS_NAMES[outcome.status].lower()


def _age(days: float) -> str:
    return "kurang dari sehari sebelumnya" if days < 1 else f"{days:.0f} hari sebelumnya"


def _history(case: Case, entries: Sequence[Review | Return], region: Region) -> list[EntryView]:
    """What became of the case, from its arrival on; nothing of it can be changed, only added to."""
    answer = case.answer
    channel = f" lewat {case.channel}" if case.channel else ""
    told = [EntryView(clock(case.created_at), "Sistem penerima", f"Laporan masuk{channel}.")]
    if not case.is_blind:
        went = "Meneruskan ke" if answer.outcome == "auto" else "Mengusulkan"
        where = f"{agency_name(region, answer.agency)}: {sector_name(answer.sector)}"
        told.append(
            EntryView(clock(case.created_at), "Program", f"{went} {where}, peluang {percent(answer.probability)}.")
        )
    for entry in entries:
        if isinstance(entry, Return):
            who = agency_name(region, entry.agency) if entry.agency else "Instansi"
            told.append(EntryView(clock(entry.returned_at), who, "Mengembalikan laporan.", entry.reason))
        else:
            told += _verdict_entries(entry, region)
    return told


def _verdict_entries(review: Review, region: Region) -> list[EntryView]:
    who = review.reviewer.rpartition(":")[2] or "Moderator"
    entries = [EntryView(clock(review.decided_at), who, verdict_text(review, region), _written(review))]
    if review.undone_at:
        entries.append(EntryView(clock(review.undone_at), who, "Mengurungkan putusan itu."))
    return entries


def verdict_text(review: Review, region: Region) -> str:
    """A verdict in a sentence or two."""
    verdict = review.verdict
    if verdict.kind in (Kind.DISPOSE, Kind.REFUSE):
        places = [(verdict.agency, verdict.sector, verdict.urgency)]
        places += [(part.agency, part.sector, part.urgency) for part in verdict.parts]
        where = "; ".join(
            f"{agency_name(region, agency)}: {sector_name(sector)} ({urgency_name(urgency).lower()})"
            for agency, sector, urgency in places
        )
        told = f"{KIND_NAMES[verdict.kind]}: {where}."
    elif verdict.kind is Kind.MERGE:
        told = f"Digabungkan dengan kasus {verdict.merged_into[:8]}."
    else:
        told = f"{KIND_NAMES[verdict.kind]}."
    extras = [SOURCE_NAMES[review.label_source]] if verdict.kind is Kind.DISPOSE else []
    extras += [REASON_NAMES[verdict.reason].lower()] if verdict.reason in REASON_NAMES else []
    extras += [f"{number(review.seconds)} detik"] if review.seconds is not None else []
    told += f" ({'; '.join(extras)})" if extras else ""
    return told


def _written(review: Review) -> str:
    return "\n".join(words for words in (review.verdict.reply, review.verdict.note) if words)
