"""Names of persons where a form or a phrase announces them: `Nama: ...`, `a.n. ...`, `atas nama ...`.

Whether a name follows is told word by word: capitals in a text that uses them, and else that the word isn't an
Indonesian one (by the roots), with two lists for the exceptions. What never begins a name, such as "Dinas" or "warga",
is in `not_names.txt`; names that are also words, such as "Budi" and "Indah", are in `names_that_are_words.txt`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from data.lexicon import TABLES, read_lines, read_table
from model.characters import hide_tokens
from model.stemming import is_root, stem

_MASK = "[NAMA]"
_MOST_WORDS = 6
_RELATION = re.compile(
    r"(?:(?:almh?\.?|almarhum(?:ah)?|suami|istri|isteri|anak|putra|putri|ibu|bapak|ayah|adik|kakak|mertua|nenek|"
    r"kakek|paman|bibi|pelanggan|pemilik|peserta|pasien|siswa|kepala[ \t]keluarga|tetangga|keponakan|cucu|"
    r"orang[ \t]?tua|ortu)"
    r"(?!\w)[ \t]*){1,3}(?:(?:saya|sy|kami|kita|kandung|pertama|kedua|dari)\b[ \t]*)*,?[ \t]*",
    re.IGNORECASE,
)
_THING_BEFORE = re.compile(
    r"\b(?:grup|group|akun|toko|perusahaan|aplikasi|program|produk|perumahan|kanal|channel|website|situs|kafe|cafe|warung|"
    r"jalan|sekolah|yayasan|kapal|gedung|proyek|kegiatan|obat|penyakit|sungai|kali|jembatan|pasar|pabrik|pt|cv|masjid|"
    r"danau|situ|komplek|kompleks|cluster|klinik|puskesmas|desa|kampung|dusun|taman|stasiun|terminal|mal|mall|ruko|"
    r"hotel|tempat|usaha|bisnis|rumah\s+(?:sakit|makan))\b(?:\W+\w+)?\W+(?:yang\W+)?(?:ber|dengan\W+|atas\W+)?$",
    re.IGNORECASE,
)

_WHOSE = (
    r"(?:lengkap(?:nya)?|asli|pelapor|pemohon|pengadu|pengirim|penerima|pemilik|pasien|siswa|murid|anak|bayi|korban|saksi|"
    r"ibu|bapak|ayah|suami|istri|isteri|orang\s?tua|ortu|wali|kk|kepala\s+keluarga|ktp|saya|sy|kami|ahli\s+waris|"
    r"almarhum(?:ah)?|pelanggan|peserta|sesuai|di|pada|yang\s+bersangkutan|terlapor|warga|karyawan|pegawai|guru|lansia|"
    r"kandung|kecil|panggilan|terang|pengurus|ketua|nasabah|wajib\s+pajak|wp|rumah)"
)
_OWN = r"(?:saya|sy|aku|gue|kami|beliau|abdi|kulo|kula|ambo|tiang|sim|ku)"
_ATAS_NAMA = re.compile(r"a[ \t]?[./](?<!\wa[./])(?<!-a[./])(?<!\b\w\.a[./])[ \t]?n\b[ \t]?[.:]?[ \t]*\n?")
_LINE_BREAKS = r"(?:\n[^\w\n]{0,20}){0,3}"


@dataclass(frozen=True, eq=False)
class _Cue:
    """A way to announce a name, all in lower case.

    It is searched only in texts that hold one of its `signs`, if it has any, and one of its `gates`: a plain `in` beats
    any regular expression, and for a single sign it costs next to nothing.

    A `form` has a field's sign after it, so that what follows is its value; a `closing` is a letter's end, where a
    name stands on a line of its own; a `field` has no sign, so another field must follow the name; else it is a phrase
    in a sentence, and where it is a weak one the name must have a `capital`. Patterns begin with letters and look back
    after them, because that is how `re` finds them quickly.
    """

    kind: Literal["form", "field", "closing", "phrase", "bare", "capital"]
    signs: str
    gates: tuple[str, ...]
    pattern: re.Pattern[str]


_CUES = (
    _Cue("form", "", ("nam",), re.compile(
        rf"nam[ai](?<![^\W_]nam[ai])(?:[ \t]+{_WHOSE}){{0,4}}(?:[ \t]*[/&][ \t]*\w{{2,15}}){{0,2}}"
        r"(?:[ \t]*\([^()\n]{0,20}\))?(?:[ \t\]_*.]{0,40}(?:[:=;|\u2013]|-+>?)[ \t*_-]*\n?[-*]?|\][ \t]*)"
    )),
    _Cue("phrase", "", ("nam",), re.compile(
        r"nam[aio](?:(?:(?<=atas\snam[ai])|(?<=atas\s\snam[ai])|(?<=dengan\snama)|(?<=dgn\snama)"
        r"|(?<=bernama)|(?<=da\snama))(?:[ \t]+lengkap)?"
        rf"|(?<!\wnam[aio])(?:[ \t]*{_OWN}|(?:[ \t]+{_WHOSE}){{1,2}}[ \t]+{_OWN}|nya(?=[ \t]+(?:adalah|ialah|yaitu)))\b"
        r"(?:[ \t]+(?:adalah|ialah|yaitu|itu))?)[ \t]*[:=,]?[ \t]*\n?"
    )),
    _Cue("capital", "", ("nam",), re.compile(r"namanya[ \t]+")),
    _Cue("field", "", ("nam",), re.compile(rf"nama(?<!\wnama)(?:[ \t]+{_WHOSE}){{0,2}}[ \t.,]{{1,3}}")),
    _Cue("capital", "", ("wasta", "maaran"), re.compile(r"ma?(?:e?wasta|aran)[ \t]+")),
    _Cue("form", ":=", ("nm",), re.compile(r"nm(?<!\wnm)[ \t]*[:=][ \t]*")),
    _Cue("phrase", ".", ("a.n", "a. n"), _ATAS_NAMA),
    _Cue("phrase", "/", ("a/n",), _ATAS_NAMA),
    _Cue("phrase", ".", ("an.",), re.compile(r"an(?<![\w-]an)\.(?=[ \t])[ \t]*")),
    _Cue("phrase", ":", ("an:", "an :"), re.compile(r"an(?<![\w-]an) ?:(?=[ \t])[ \t]*")),
    _Cue("form", ":=", ("pelapor", "pemohon", "pengadu", "pengirim", "penerima"), re.compile(
        r"pe(?:lapor|mohon|ngadu|ngirim|nerima)(?:[ \t]*/?[ \t]*\w{2,12})?[ \t]*[:=][ \t]*\n?"
    )),
    _Cue("form", "", ("hormat", "ttd", "tertanda"), re.compile(
        rf"(?:hormat(?<!\whormat)[ \t]+(?:saya|kami)|ttd|tertanda)\b[^\w\n]{{0,20}}{_LINE_BREAKS}(?:1[.)][ \t]*)?"
    )),
    *(
        _Cue("closing", "\n", (word,), re.compile(rf"{word}[ \t\r\n.,!:]{{0,25}}\n[ \t\r]{{0,25}}[(]?(?=\w)"))
        for word in ("kasih", "nuhun", "nuwun", "suksma", "salam", "salamualaikum", "wb", "hormat", "hormat kami")
    ),
    _Cue("phrase", "", ("kenalkan",), re.compile(
        r"kenalkan,?[ \t]+(?:nama[ \t]+)?(?:saya|sy|aku|kami)[ \t]*[:=,]?[ \t]*"
    )),
    _Cue("phrase", "", ("jeneng",), re.compile(r"jeneng(?:e|ku|[ \t]+kul[ao])?\b[ \t]*[:=,]?[ \t]*")),
    _Cue("bare", "", (" an ",), re.compile(r" an [ \t]*(?=\w+)")),
)  # fmt: skip
_GATES: dict[str, dict[str, list[_Cue]]] = {}
for _cue in _CUES:
    for _sign in _cue.signs or ("",):
        for _gate in _cue.gates:
            _GATES.setdefault(_sign, {}).setdefault(_gate, []).append(_cue)
_REPORTER = re.compile(
    r"(?<!\w)(?:saya|sy|bpk|bapak|pak|ibu|bu|sdr|sdri|saudara|saudari|mas|mbak|kang|teh|uda|uni|bli|mbok)\b[.,]?",
    re.IGNORECASE,
)
_WORD = re.compile(r"[ \t]*([^\W\d_](?:[^\W\d_]|['\u2019`-](?=[^\W\d_])){0,60})(\.?)")
_SIGNS_BEFORE = re.compile(r"[ \t\"'\u201c\u2018(*_]*")
# A comma joins names only if more of them follow: "Budi, Ujang dan Iroh".
_COMMA = re.compile(r"[ \t]*,[ \t]+(?=[A-Z][\w.' -]{2,40}(?:,| dan )[ \t]*[A-Z])")
_NEXT_FIELD = re.compile(
    r"[^\w]{0,4}(?:alamat|umur|usia|nik|no|nomor|rt|rw|pekerjaan|ttl|tempat|tinggal|hp|telp|warga|dusun|desa|kp|jl|kel|kec)\b",
    re.IGNORECASE,
)
_END_OF_LINE = re.compile(r"[^\w\n]{0,5}(?:,[^\n]{0,30})?(?:\n|$)")
_AND = re.compile(r"[ \t]*(?:(?:dan|&|serta)[ \t]+|\n[ \t]*\d[.)][ \t]*)", re.IGNORECASE)
_TITLES = frozenset(
    (
        "h hj drs dra dr drg ir prof kh ust ustadz ustad tn ny nn bpk bapak pak ibu bu sdr sdri saudara saudari alm "
        "almh almarhum almarhumah mas mbak mbah kak kang teh gus nyai haji hajjah mak etek mpok abang bang ceu ceuk "
        "pakde bude amak cak kapten bripka aipda serka"
    ).split()
)
_GREETINGS = ("wassal", "wasal", "assal", "salam", "terima", "trima", "makasi", "matur", "hatur")
_TITLE = re.compile(r"(?:haji|hajjah|hj|bapak|bpk|ibu|sdr|sdri|almarhum|almarhumah|alm)\b", re.IGNORECASE)
_LINKS = frozenset(("bin binti bt br boru van de der al el ni i luh gst ngr dg istri mas anak").split())
_SHORTEST_STEM = 4
_LONGEST_SHORTENED = 4


def mask_announced_names(text: str) -> str:
    """Put `[NAMA]` in place of each name of a person that a form field or phrase announces."""
    lower = _lowered(text)
    opened = [
        cue
        for sign, gates in _GATES.items()
        if sign in lower
        for gate, cues in gates.items()
        if gate in lower
        for cue in cues
    ]
    if not opened:
        return text
    announced = {
        (found.end(), found.start(), cue.kind)
        for cue in opened
        for found in cue.pattern.finditer(lower)
        if _may_begin_name(text, found.end()) and (cue.kind != "bare" or _is_short_for_atas_nama(text, found))
    }
    if not announced:
        return text
    telling = _capitals_tell(text)
    spans: list[tuple[int, int]] = []
    for place, begin, kind in sorted(announced):
        # Names joined by "dan" are read once, not again from each announcement among them.
        if spans and place < spans[-1][1]:
            continue
        spans += _names_after(text, begin, place, kind, telling=telling)
    return _mask_spans(text, spans)


def mask_reporter(text: str) -> str:
    """Put `[NAMA]` also where the reporter or someone else is called by name: "saya Budi", "Bapak Joko".

    Where capitals tell nothing, a name is what is no Indonesian word, and after "saya" only what is known as a name.
    """
    telling = _capitals_tell(text)
    look = _Look(telling=telling, is_form=False, capitals_only=telling)
    spans: list[tuple[int, int]] = []
    for found in _REPORTER.finditer(text):
        span = look.find(text, found.end())
        if span and (
            telling or not _is_self(found[0]) or _first_word(text, span) in read_lines("names_that_are_words")
        ):
            spans.append(span)
    return _mask_spans(text, spans)


def _is_self(word: str) -> bool:
    return word.lower().rstrip(".,") in ("saya", "sy")


def _first_word(text: str, span: tuple[int, int]) -> str:
    return text[span[0] : span[1]].split()[0].lower()


def _may_begin_name(text: str, place: int) -> bool:
    """A quick look at the word after an announcement, since most are "nama jalan" or have a token there."""
    first = _WORD.match(text, _past_signs(text, place))
    if first is None:
        return False
    word = first[1].lower()
    return word not in read_lines("not_names") or word in _TITLES or _RELATION.match(text, place) is not None


def _past_signs(text: str, place: int) -> int:
    signs = _SIGNS_BEFORE.match(text, place)
    return signs.end() if signs else place


def _is_short_for_atas_nama(text: str, found: re.Match[str]) -> bool:
    """Whether a bare "an" is "atas nama": "an Budi", "AN BUDI", but not "Masjid An Nur"."""
    if _TITLE.match(text, found.end()):
        return True
    following = text[found.end() : found.end() + 2]
    return following[:1].isupper() and text[found.start() + 1].isupper() == following.isupper()


def _lowered(text: str) -> str:
    """The text in lower case, every letter in its place (a few grow when lowered), without the words of tokens."""
    text = hide_tokens(text)
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _mask_spans(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for begin, end in sorted(spans):
        if begin >= done:
            pieces += [text[done:begin], _MASK]
            done = end
    return "".join([*pieces, text[done:]])


def _names_after(text: str, begin: int, place: int, kind: str, *, telling: bool) -> list[tuple[int, int]]:
    """Where the names after an announcement at `begin` to `place` stand, one or several joined by "dan"."""
    weak = kind == "capital" or (kind == "field" and telling)
    look = _Look(telling=telling, is_form=kind in ("form", "closing"), capitals_only=weak)
    if kind in ("phrase", "bare"):
        relation = _RELATION.match(text, place)
        if relation and not (telling and text[place].isupper()):
            place, look = relation.end(), replace(look, capitals_only=telling)
    span = look.find(text, place)
    if span and kind in ("phrase", "bare", "capital") and _THING_BEFORE.search(text[max(0, begin - 60) : begin]):
        if text[:begin].endswith(("ber", "Ber", "BER")) or kind == "capital":
            return []
        look = replace(look, is_thing=True)
        span = look.find(text, place)
    spans: list[tuple[int, int]] = []
    while span:
        spans.append(span)
        joint = _AND.match(text, span[1]) or (_COMMA.match(text, span[1]) if telling else None)
        if joint is None:
            break
        look = replace(look, capitals_only=telling and text[span[0]].isupper())
        span = look.find(text, joint.end())
    needed = {"closing": _END_OF_LINE, "field": _NEXT_FIELD}.get(kind)
    if needed and spans and not needed.match(text, spans[-1][1]):
        return []
    return spans


def _capitals_tell(text: str) -> bool:
    """Whether the text uses capitals for names: some words have one, and most don't."""
    words = text.split()
    capitals = sum(map(str.isupper, [word[0] for word in words]))
    return capitals > 0 and (capitals <= 0.6 * len(words) or len(words) <= 6)


@dataclass(slots=True)
class _Look:
    """How to look for a name: what the text's capitals tell, and how clearly a name was announced."""

    telling: bool
    is_form: bool
    capitals_only: bool
    is_thing: bool = False

    def find(self, text: str, place: int) -> tuple[int, int] | None:
        """Where a name that must begin at `place` begins and ends."""
        place = _past_signs(text, place)
        begin = end = None
        capital = False
        for _ in range(2 * _MOST_WORDS):
            found = _WORD.match(text, place)
            if found is None:
                break
            raw, dot = found[1], found[2]
            word = raw.lower()
            if begin is None and word in _TITLES and not (self.is_form and raw in ("I", "Ni")):
                place = found.end()
                continue
            is_initial = len(raw) == 1 and (raw.isupper() or bool(dot))
            is_link = word in _LINKS and (begin is not None or word in ("i", "ni", "al", "el"))
            belongs = is_initial or is_link or self._may_be_name(raw, word, first=begin is None, capital=capital)
            if not belongs and (begin is None or self.telling or not self._is_between_names(text, found)):
                break
            if begin is None:
                begin, capital = found.start(1), raw[0].isupper()
            place = found.end()
            if not is_link or word in ("istri", "mas", "luh", "gst", "ngr", "dg"):
                end = found.end() if is_initial else found.end(1)
            if dot and not is_initial and len(raw) > _LONGEST_SHORTENED:
                break
        return None if begin is None or end is None else (begin, end)

    def _is_between_names(self, text: str, found: re.Match[str]) -> bool:
        """Whether a plain root stands between a name and another word that can only be one: "yohana ina lewar"."""
        following = _WORD.match(text, found.end())
        if following is None or not is_root(found[1].lower()) or found[1].lower() in read_lines("not_names"):
            return False
        return self._may_be_name(following[1], following[1].lower(), first=True, capital=False)

    def _may_be_name(self, raw: str, word: str, *, first: bool, capital: bool) -> bool:
        if word in read_lines("not_names") or len(word) < 2 or word.startswith(_GREETINGS):
            return False
        if raw[0].islower() and (self.capitals_only or (capital and self.telling)):
            return False
        if word in read_lines("names_that_are_words"):
            return True
        word, _, second = word.partition("-")
        told = (
            raw[0].isupper()
            and not (first and self.is_thing)
            and (self.telling or (self.is_form and not raw.isupper()))
        )
        is_acronym = raw.isupper() or not told
        if word == second or (is_acronym and _is_table_form(word)):
            return False
        stemmed = stem(word)
        if stemmed != word and len(stemmed) >= _SHORTEST_STEM and (first or not told):
            return False
        return not is_root(word) or told or (first and self.is_form and raw[0].isupper())


def _is_table_form(word: str) -> bool:
    """Whether a word stands in a word table as something other than standard Indonesian."""
    return any(word in read_table(name) for name in TABLES)
