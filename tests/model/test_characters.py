"""Characters are put right, by a table of before and after, and what is right already stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.characters import repair

LONG = 100_000
# Letters of Western Europe, read as UTF-8 was meant or was misread.
MISREAD = ("latin-1", "cp1252")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("daun\u00c2\u00b2nya", "daun2nya"),
        ("caf\u00c3\u00a9", "caf\u00e9"),
        ("\u00e2\u20ac\u0153hai\u00e2\u20ac\u009d", "\u201chai\u201d"),
        ("Jum\u00e2\u20ac\u2122at", "Jum\u2019at"),
        ("Jum\u00e2\u0080\u0099at", "Jum\u2019at"),
        ("\u00f0\u0178\u02dc\u20ac", "\U0001f600"),
        ("\u00f0\u009f\u0098\u0080", "\U0001f600"),
        ("jalan\u00c2\u00a0rusak", "jalan rusak"),
    ],
    ids=ascii,
)
def test_a_text_decoded_wrongly_is_decoded_again(before: str, after: str) -> None:
    assert repair(before) == after


@pytest.mark.parametrize("letter", ["é", "ï", "ü", "’", "“", "–", "…", "€", "😀", "²"], ids=ascii)
@pytest.mark.parametrize("misread", MISREAD)
def test_every_letter_misread_alone_comes_back(letter: str, misread: str) -> None:
    try:
        wrong = letter.encode("utf-8").decode(misread)
    except UnicodeDecodeError:
        wrong = letter.encode("utf-8").decode("latin-1")
    assert repair(f"di {wrong} situ") == f"di {unicodedata.normalize('NFKC', letter)} situ"


@pytest.mark.parametrize("text", ["naïve", "Müller", "São Paulo", "Ã", "jalan Ã", "Â ", "à la carte", "ÃÃÃ"], ids=ascii)
def test_letters_that_only_look_misread_stay(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("air &amp; listrik", "air & listrik"),
        ("&AMP;", "&"),
        ("&amp;lt;b&amp;gt;", "<b>"),
        ("&amp;amp;amp;quot;", '"'),
        ("a&nbsp;b", "a b"),
        ("Jum&#8217;at", "Jum\u2019at"),
        ("Jum&#x2019;at", "Jum\u2019at"),
        ("&#48;812", "0812"),
        ("ja&shy;lan", "jalan"),
        ("ja&#8203;lan", "jalan"),
        ("&frac12;", "1\u20442"),
    ],
)
def test_an_html_entity_is_the_character_it_means_however_often_it_was_escaped(before: str, after: str) -> None:
    assert repair(before) == after


@pytest.mark.parametrize(
    "text", ["&", "a & b", "&amp", "R&D;", "&foo;", "&;", "&#;", "&#x;", "AT&T; dan lain", "&&amp"]
)
def test_an_ampersand_that_begins_no_entity_stays(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize("entity", ["&#0;", "&#xD800;", "&#55296;", "&#1114112;", "&#9999999;", "&#xFFFFFF;"])
def test_an_entity_of_no_character_is_the_sign_for_that(entity: str) -> None:
    assert repair(entity) == "\ufffd"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ＪＡＬＡＮ", "JALAN"),
        ("０８１２", "0812"),
        ("\U0001d7ce\U0001d7d6", "08"),
        ("①", "1"),
        ("ﬁ", "fi"),
        ("x²", "x2"),
        ("\u00a0", " "),
        ("\u3000", " "),
        ("cafe\u0301", "café"),
        ("＠", "@"),
        ("ｈｔｔｐｓ：／／", "https://"),
        ("…", "..."),
    ],
    ids=ascii,
)
def test_odd_forms_of_a_character_become_the_plain_one(before: str, after: str) -> None:
    assert repair(before) == after


@pytest.mark.parametrize(
    "sign",
    "\u00ad \u034f \u061c \u115f \u1160 \u180e \u200b \u200c \u200d \u200e \u200f \u202a \u202c \u202e \u2060 \u2066 "
    "\u2069 \ufe0f \ufeff \u3164 \uffa0".split(" "),
    ids=ascii,
)
def test_signs_that_nobody_sees_are_gone(sign: str) -> None:
    assert repair(f"0812{sign}3456") == "08123456"


@pytest.mark.parametrize(
    "sign", "\x00 \x07 \x08 \x0b \x0c \x1b \x1f \x7f \x80 \x9f \ud800 \udfff".split(" "), ids=ascii
)
def test_what_is_no_text_becomes_a_space(sign: str) -> None:
    assert repair(f"a{sign}b") == "a b"


def test_halves_of_a_character_are_not_joined() -> None:
    assert repair("\ud83d\ude00") == "  "


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\r\nb", "a\u2028b", "", " ", "\n"], ids=ascii)
def test_white_space_that_parts_lines_and_words_stays(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize(
    "text",
    ["الشارع مكسور", "路灯坏了", "ꦗꦭꦤ꧀", "Jl. Mawar No. 12, RT 02/RW 05; Rp 1.500.000", "😡🙏🏽", "“ya”"],
    ids=ascii,
)
def test_a_text_in_any_script_stays(text: str) -> None:
    assert repair(text) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&") | st.sampled_from("\t\n\r")))
def test_plain_text_without_ampersands_stays(text: str) -> None:
    assert repair(text) == text


@given(st.text())
@settings(max_examples=40, deadline=None)
def test_whatever_comes_is_text_that_can_be_written_down(text: str) -> None:
    repair(text).encode("utf-8")


# An ampersand may be written as an entity, and a misread letter be misread again, as deep as one likes: left out.
@given(
    st.lists(
        st.text(st.characters(exclude_characters="&＆﹠"), max_size=3)
        | st.sampled_from(["ﬁ", "²", "e\u0301", "\u200b", "\ufeff", "\ud800", "\x85", "㎡", "ﷺ", "각", "\u1112\u1161"])
    ).map("".join)
)
@settings(max_examples=40, deadline=None)
def test_what_is_put_right_is_right(text: str) -> None:
    once = repair(text)
    assert repair(once) == once


@given(st.text(st.characters(exclude_characters="&", max_codepoint=0x2FFF)))
@settings(deadline=None)
def test_a_text_escaped_for_html_reads_like_the_text(text: str) -> None:
    escaped = "".join(f"&#{ord(letter)};" if letter.isalpha() else letter for letter in text)
    assert repair(escaped) == repair(text)


@pytest.mark.parametrize(
    "piece",
    ["\u0301", "\u0327\u0301", "a\u0301", "\u200b", "&amp;", "&", "&#", "&#1", "Ã", "â€", "\ud800", "😀\u200d"],
    ids=ascii,
)
def test_a_long_text_of_one_piece_is_put_right(piece: str) -> None:
    text = piece * (LONG // len(piece))
    assert repair(f"{text} jalan").endswith(" jalan")
    assert len(repair(text)) <= len(text)
