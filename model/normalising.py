"""Normalising: how citizens type, brought to the spelling of the dictionary.

Steps take and give a text, its list of words, or a single word; those on a word are functions of that word alone, so
that the chain computes each word once (see `model.text`). What is an Indonesian word is asked of roots and stemmer.
"""

from __future__ import annotations

import re
from itertools import groupby
from string import ascii_lowercase

from data.lexicon import read_table
from model.expansion import expansions
from model.masking import KINDS
from model.stemming import LONGEST_WORD, is_root, sastrawi_stem, stem

_TAG = re.compile(
    r"</?(?:a|b|br|div|em|font|h[1-6]|i|img|li|ol|p|span|strong|table|td|tr|u|ul)\b[^<>]{0,300}>", re.IGNORECASE
)
# The intake form of SP4N-LAPOR! glues its fields to the end of the text: "...mohonLokasi Kejadian KAB. X | Y | Z".
_PLACE_LABEL = re.compile(
    r"lokasi kejadian(?=\W{0,6}(?:provinsi|kabupaten|kab\b|kota|kecamatan|kec\b|[\w .]{2,40}\|))", re.IGNORECASE
)
# Only as the form writes it, capitals and all: "ini kewenangan pemkab, mohon diperbaiki" is the citizen's.
_ROUTING_LINE = re.compile(
    r"(?:Di ?[Ll]uar ?)?Kewenangan (?:Pemerintah|Pemda|Pemkab|Pemkot|Pemprov)(?: [A-Z][\w.]{0,20}){0,4}\s{0,9}$"
)
_LABELS = ("Lokasi", "Tanggal", "Waktu", "Nama", "Alamat", "Kewenangan", "Kronologi", "Mohon", "Terima", "Demikian")
# The label comes first and the look back after it: `re` finds letters quickly, but not places between letters.
_GLUED_LABELS = re.compile("(?:" + "|".join(rf"{label}(?<=[a-z0-9.,)]{label})" for label in _LABELS) + ")(?=[ a-z])")
_MASK_TOKEN = re.compile(rf"\[({'|'.join(KINDS)})\]", re.IGNORECASE)
# For ASCII alone: a table for bytes is several times as quick as one for str.
_PUNCTUATION = bytes(code if chr(code).isalnum() or chr(code) in "_-" else 32 for code in range(128)) + bytes(128)
_LOOSE_HYPHEN = re.compile(r"-(?:(?<!\w-)|(?!\w))")
_WORD = re.compile(r"\w+(?:-\w+)*")
_FEWEST_LETTERS = 4
_LETTERS = frozenset(ascii_lowercase)
_LONG_NUMBER = 6

_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_ROMAN = re.compile(r"[ivx]+")
_TWIN = re.compile(r"([^\W\d_]{3,})2(nya|an|kan|ku|mu|lah|i)?")
_AMOUNT = re.compile(r"(\d+)([a-z]{1,5})")
_LEET = str.maketrans("0134579", "oieasta")
_LEET_WORD = re.compile(r"[a-z]+\d[a-z\d]*[a-z]")


def fold(text: str) -> str:
    """Lower case, without HTML tags."""
    return (_TAG.sub(" ", text) if "<" in text else text).lower()


def cut_boilerplate(text: str) -> str:
    """Part what the intake form glued on, and leave out its labels and the routing line, which isn't the citizen's."""
    if not text.islower() and any(label in text for label in _LABELS):
        text = _GLUED_LABELS.sub(r" \g<0>", text)
    if "Kewenangan" in text:
        text = _ROUTING_LINE.sub(" ", text)
    return _PLACE_LABEL.sub(" ", text) if "lokasi kejadian" in text.lower() else text


def split_words(text: str) -> list[str]:
    """The words alone; hyphens inside a word stay, and a mask becomes a word such as `_nik_`."""
    if "[" in text:
        text = _MASK_TOKEN.sub(lambda found: f" _{found[1].lower()}_ ", text)
    if not text.isascii():
        return _WORD.findall(text)
    text = text.encode("ascii").translate(_PUNCTUATION).decode("ascii")
    return (_LOOSE_HYPHEN.sub(" ", text) if "-" in text else text).split()


def join_letters(words: list[str]) -> list[str]:
    """ "b a n j i r" -> "banjir": four letters or more typed apart, where together they are a word."""
    if len(_LETTERS.intersection(words)) < _FEWEST_LETTERS - 1:
        return words
    joined: list[str] = []
    for single, group in groupby(words, key=lambda word: len(word) == 1 and word.isalpha()):
        run = list(group)
        word = "".join(run)
        joined += [word] if single and _FEWEST_LETTERS <= len(run) <= LONGEST_WORD and _is_word(word) else run
    return joined


def blur_numbers(words: list[str]) -> list[str]:
    """Numbers of six digits or more become "nomor": which one it was tells a person apart, not a sector.

    Numbers that follow each other count as one, so that what is left holds no number that masking would look for.
    """
    if sum(map(len, filter(str.isdigit, words))) < _LONG_NUMBER:
        return words
    blurred: list[str] = []
    for is_number, group in groupby(words, key=str.isdigit):
        run = list(group)
        blurred += ["nomor"] if is_number and sum(map(len, run)) >= _LONG_NUMBER else run
    return blurred


def unstretch(word: str) -> str:
    """ "bangeeeet" -> "banget": a letter typed three times or more stands once, or twice where that is the word."""
    single = _STRETCHED.sub(r"\1", word)
    if single == word or _ROMAN.fullmatch(word):
        return word
    double = _STRETCHED.sub(r"\1\1", word)
    return double if _is_derived(double) and not is_root(single) else single


def undouble(word: str) -> str:
    """ "jalan-jalan", "jalan2" -> "jalan": reduplication marks a plural, not another matter."""
    if "-" in word:
        return " ".join(map(undouble, _undouble_hyphenated(word).split()))
    twin = _TWIN.fullmatch(word)
    return twin[1] + (twin[2] or "") if twin else word


def _undouble_hyphenated(word: str) -> str:
    parts = word.split("-")
    if len(word) > LONGEST_WORD or len(parts) != 2 or not all(part.isalpha() for part in parts):
        return " ".join(part for part in parts if part)
    first, second = parts
    if first == second:
        return first
    if sastrawi_stem(first) == sastrawi_stem(second):
        return max(first, second, key=len)
    return f"{first} {second}"


def split_units(word: str) -> str:
    """ "5jt" -> "5 juta", "10km" -> "10 kilometer"."""
    amount = _AMOUNT.fullmatch(word)
    unit = read_table("units").get(amount[2]) if amount else None
    return f"{amount[1]} {unit}" if amount and unit else word


def unleet(word: str) -> str:
    """ "j4l4n" -> "jalan": digits inside a word that stand for letters, where that makes a word."""
    if word.isalpha() or not _LEET_WORD.fullmatch(word):
        return word
    spelled = word.translate(_LEET)
    return spelled if spelled.isalpha() and _is_word(spelled) else word


def _is_derived(word: str) -> bool:
    """Whether a word is an Indonesian root or made of one."""
    return is_root(word) or stem(word) != word


def _is_word(word: str) -> bool:
    """Whether a word is Indonesian, or in a table of ours."""
    return _is_derived(word) or word in expansions()
