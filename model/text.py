"""The text steps: from a complaint as typed to the words that the features are made of.

Each step is a pure `str -> str` function. A bundle's manifest records their names and refuses to be read by a program
whose steps differ, so a change here asks for a retraining.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from data.complaint import Complaint
from model.stemming import stem

TextStep = Callable[[str], str]

# What stands between the digits of a number: blanks, hyphens of all kinds, brackets, and signs nobody sees.
_GAP = r"[ \u00a0\u2009\u202f\u00ad\u200b-\u200f\u2060\ufeff\u2010-\u2015()-]"
_MASKS = (
    ("[URL]", re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)),
    ("[EMAIL]", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
)
# Sixteen digits in the groups people write an ID number in, all parted alike; amounts and dates come in other groups.
_ID_GROUPS = ("6 6 4", "4 4 4 4", "10 6", "2 2 2 6 4", "2 2 2 2 2 2 4")
_ID_NUMBER = re.compile(
    "|".join(
        rf"(?<!\d)\d{{{sizes[0]}}}(?P<gap{number}>{_GAP}?|\.)"
        + rf"(?P=gap{number})".join(rf"\d{{{size}}}" for size in sizes[1:])
        + r"(?!\d)"
        for number, sizes in enumerate(groups.split() for groups in _ID_GROUPS)
    )
)
# The first group has four digits or more, so that "1.081.234.567" is an amount going on; a second number is its own.
_PHONE = re.compile(
    rf"(?<!\d)\(?(?:\+62{_GAP}{{0,2}}8\d{{1,12}}|62{_GAP}?8\d{{1,12}}|08\d{{2,12}})\)?"
    rf"(?:(?:{_GAP}{{1,3}}|\.)(?!\(?(?:\+?62|0)8)\d{{2,10}}){{0,5}}(?!\d)"
)
_PHONE_DIGITS = range(9, 15)
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ELONGATED = re.compile(r"([^\W\d_])\1{2,}")
_HYPHENATED_TWIN = re.compile(r"\b([^\W\d_]{3,40})-\1\b")
_NUMBERED_TWIN = re.compile(r"\b([^\W\d_]{3,40})2(?=\W|$)")
_LONG_NUMBER = re.compile(r"(?<!\w)\d{6,}(?!\w)")
_WORD = re.compile(r"\w+")


def mask_personal_data(text: str) -> str:
    """Put `[NIK]`, `[TELEPON]`, `[EMAIL]` and `[URL]` in place of what identifies a person."""
    text = unicodedata.normalize("NFKC", text)
    for token, pattern in _MASKS:
        text = pattern.sub(token, text)
    return _PHONE.sub(_mask_phone, _ID_NUMBER.sub("[NIK]", text))


def _mask_phone(found: re.Match[str]) -> str:
    return "[TELEPON]" if sum(map(str.isdigit, found[0])) in _PHONE_DIGITS else found[0]


def fold(text: str) -> str:
    """Undo HTML escapes, odd Unicode forms, capitals, invisible characters and runs of white space."""
    text = unicodedata.normalize("NFKC", html.unescape(text)).lower()
    return " ".join(_CONTROL.sub(" ", _UNSEEN.sub("", text)).split())


def unstretch(text: str) -> str:
    """ "bangeeeet" -> "banget": a letter typed three times or more stands once."""
    return _ELONGATED.sub(r"\1", text)


def undouble(text: str) -> str:
    """ "jalan-jalan", "jalan2" -> "jalan": reduplication marks a plural, not another matter."""
    return _NUMBERED_TWIN.sub(r"\1", _HYPHENATED_TWIN.sub(r"\1", text))


def blur_numbers(text: str) -> str:
    """Numbers of six digits or more become the word "nomor": which one it was tells a person apart, not a sector."""
    return _LONG_NUMBER.sub("nomor", text)


def spell_words(text: str) -> str:
    """Words only, one space between them: punctuation carries nothing that the features use."""
    return " ".join(_WORD.findall(text))


def stem_words(text: str) -> str:
    """Each word by its stem; words with a digit stay as they are."""
    return " ".join(stem(word) for word in text.split())


SURFACE_STEPS: tuple[TextStep, ...] = (mask_personal_data, fold, unstretch, undouble, blur_numbers, spell_words)
STEM_STEPS: tuple[TextStep, ...] = (stem_words,)


def step_names() -> list[str]:
    """The steps in order, as a manifest records them."""
    return [step.__name__ for step in (*SURFACE_STEPS, *STEM_STEPS)]


@dataclass(frozen=True)
class PreparedText:
    """A complaint ready for the features: `words` as written, `stems` one for one beside them."""

    words: str
    stems: str
    region: str


def prepare(complaint: Complaint) -> PreparedText:
    """Run the text steps over title and text."""
    text = full_text(complaint)
    for step in SURFACE_STEPS:
        text = step(text)
    stems = text
    for step in STEM_STEPS:
        stems = step(stems)
    return PreparedText(text, stems, complaint.region)


def full_text(complaint: Complaint) -> str:
    """Title and text; a title that only repeats the opening of the text isn't read twice."""
    title, text = complaint.title.strip(), complaint.text.strip()
    if not title or text.casefold().startswith(title.casefold()):
        return text
    return f"{title}\n{text}"
