"""Leaks: what of a text gives its agency away, because the writer or the form put it there, and cutting it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from data.region import Region

ADDRESSEE, ROUTING = "addressee", "routing sentence"

_GREETING = re.compile(
    r"\W*(?:(?:kepada|kpd)\s*)?(?:yth|ykh|yang\s+terhormat|yg\s+terhormat)\b[.,:;\s]*|\W*(?:kepada|kpd)\b[.,:;\s]*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"[\s.,:;)\-\u2013]*")
# Where an addressee ends that no region file knows.
_STOP = re.compile(r"[,.:;\n]|\s-\s")
_OFFICE = re.compile(
    r"\b(?:dinas|badan|kepala|bapak|bpk|bupati|wali\s?kota|gubernur|camat|lurah|kades|kecamatan|kelurahan|kementerian|"
    r"menteri|presiden|pemerintah|pemkot|pemkab|pemprov|pemda|admin|direktur|pimpinan|pdam|pln|rsud|polres|polsek|"
    r"satpol|upt|sekretaris|ketua|dprd)\b",
    re.IGNORECASE,
)
_LONGEST_NAME, _LONGEST_ADDRESS, _MOST_ADDRESSEES = 12, 8, 4
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n+|$|[.!?](?=\S))")
_SENT_ON = (
    r"(?:diteruskan|didisposisikan|disposisikan|terdisposisi|dilimpahkan|ditujukan|kami\s+teruskan|kami\s+disposisikan)"
)
_ROUTED = re.compile(
    rf"\b(?:laporan|aduan|pengaduan|keluhan|permohonan)\b.{{0,60}}\b{_SENT_ON}\b.{{0,20}}\b(?:ke|kepada|pada)\b"
    rf"|^\W*(?:{_SENT_ON}\s+(?:ke|kepada|pada)\b|disposisi\s*(?::|ke\b|kepada\b))",
    re.IGNORECASE,
)
# A citizen tells what became of an earlier complaint, or asks that this one be passed on.
_CITIZENS = re.compile(
    r"\b(?:saya|sy|aku|belum|blm|tapi|tetapi|namun|padahal|mohon|tolong|harap|agar|supaya|semoga|kenapa|mengapa|kapan)\b",
    re.IGNORECASE,
)


@dataclass
class LeakFinder:
    """Finds what gives a region's agencies away. Keep it: it remembers the names of all its agencies."""

    region: Region
    _names: dict[str, tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._names = {
            agency.code: tuple({self.region.name_key(name) for name in (agency.name, *agency.aliases)})
            for agency in self.region.agencies
        }

    def cut(self, text: str) -> tuple[str, list[tuple[str, str]]]:
        """The text without addressees at its start and routing sentences at its ends, and what was cut: kind, words.

        A text that would be empty without them stays as it is.
        """
        rest = text
        cuts: list[tuple[str, str]] = []
        while len(cuts) < _MOST_ADDRESSEES and (end := self._addressee_end(rest)):
            cuts.append((ADDRESSEE, rest[:end].strip()))
            rest = rest[end:]
        rest, routed = _cut_routing(rest)
        cuts += [(ROUTING, sentence) for sentence in routed]
        if not cuts or not _WORD.search(rest):
            return text, []
        return rest.strip(), cuts

    def names_agency(self, text: str, agency: str) -> bool:
        """Whether a text names the agency of that code. An area's office is not looked for: its name is a place."""
        names = self._names.get(agency, ())
        words = f" {self.region.name_key(text)} " if names else ""
        return any(f" {name} " in words for name in names if name)

    def _addressee_end(self, text: str) -> int:
        """Where the addressee at a text's start ends; 0 if there is none, or it can't be told from what follows."""
        greeting = _GREETING.match(text)
        if greeting is None:
            return 0
        start = greeting.end()
        words = list(_words_of_line(text, start))
        for word in reversed(words):
            if self.region.resolve_agency_name(text[start : word.end()]) is not None:
                ending = _ENDING.match(text, word.end())
                return ending.end() if ending else word.end()
        stop = _STOP.search(text, start)
        end = stop.end() if stop else len(text)
        is_plain = re.search(r"yth|ykh|hormat", greeting[0], re.IGNORECASE) is not None
        address = text[start:end]
        short = len(_WORD.findall(address)) <= _LONGEST_ADDRESS
        is_address = _OFFICE.search(address) and not _CITIZENS.search(address)
        return end if is_plain and stop and short and is_address else 0


def _words_of_line(text: str, start: int) -> Iterator[re.Match[str]]:
    for number, word in enumerate(_WORD.finditer(text, start)):
        if number == _LONGEST_NAME or "\n" in text[start : word.start()]:
            return
        yield word


def _cut_routing(text: str) -> tuple[str, list[str]]:
    """A text without the routing sentences that it begins or ends with."""
    if not _ROUTED.search(text) and "isposisi" not in text:
        return text, []
    spans = [found.span() for found in _SENTENCE.finditer(text) if found[0].strip()]
    first, last = 0, len(spans)
    while first < last and _is_routing(text[slice(*spans[first])]):
        first += 1
    while last > first and _is_routing(text[slice(*spans[last - 1])]):
        last -= 1
    cut = [text[slice(*span)].strip() for span in (*spans[:first], *spans[last:])]
    if not cut or first == last:
        return text, []
    return text[spans[first][0] : spans[last - 1][1]], cut


def _is_routing(sentence: str) -> bool:
    return _ROUTED.search(sentence.strip()) is not None and _CITIZENS.search(sentence) is None
