"""Characters put right: broken encodings, HTML entities, odd Unicode forms and signs nobody sees."""

from __future__ import annotations

import html
import re
import unicodedata

# UTF-8 read as Windows-1252 or Latin-1: a lead byte and as many followers as it announces.
_FOLLOWER = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201a"
    "\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
)
_MOJIBAKE = re.compile(
    f"[\u00c2-\u00f4](?:(?<=[\u00c2-\u00df]){_FOLLOWER}|(?<=[\u00e0-\u00ef]){_FOLLOWER}{{2}}|(?<=[\u00f0-\u00f4]){_FOLLOWER}{{3}})"
)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_TOKEN = re.compile(r"\[[A-Z]{2,8}\]")
_FOREIGN_RUN = re.compile("[^\x00-\x7f]{128}")
_PIECES = re.compile("[\x00-\x7f]*[^\x00-\x7f]{0,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# "&amp;lt;" is "<" escaped twice.
_ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});")


def repair(text: str) -> str:
    """The same text with its characters as they were meant: "daun\u00c2\u00b2nya" -> "daun2nya", "&amp;" -> "&"."""
    if "&" in text:
        text = _ENTITY.sub(_unescape, text)
    if not text.isascii():
        text = _MOJIBAKE.sub(_decode, text)
        text = _UNSEEN.sub("", text)
        # Normalising sorts a letter's marks in quadratic time, so a long run of them is normalised in pieces.
        pieces = _PIECES.findall(text) if _FOREIGN_RUN.search(text) else [text]
        text = "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)
    # Line breaks aren't printable and yet fine, so they are left out of the cheap look.
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub(" ", text)


def _unescape(entity: re.Match[str]) -> str:
    return html.unescape(f"&{entity[1]};")


def _decode(found: re.Match[str]) -> str:
    """The characters whose UTF-8 bytes these are; unchanged if they are no such bytes."""
    raw = b"".join(_byte(letter) for letter in found[0])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return found[0]


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1", "replace")


def hide_tokens(text: str) -> str:
    """The text with zeros for the letters of mask tokens, which stand for what was there and are no words."""
    return _TOKEN.sub(lambda token: f"[{'0' * (len(token[0]) - 2)}]", text) if "[" in text else text
