"""Stems of Indonesian words: PySastrawi's algorithm and roots, written to be quick, with mended stems before it.

The algorithm is confix stripping (Nazief & Adriani 1996; Asian 2007, "Effective Techniques for Indonesian Text
Retrieval"; Arifin et al. 2009, ECS; Tahitoe & Purwitasari 2010) as PySastrawi has it, its order of trials and its
oddities included: both give the same stem to every word. PySastrawi asks each of its 54 rules in turn by a regular
expression; here the first letters choose the few rules that can fit. Only its list of roots is read, from the
installed package.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib.resources import files

from data.errors import MissingRoots
from data.lexicon import read_stems

LONGEST_WORD = 40
REMEMBERED_WORDS = 65_536

_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxyz")
_VOWELS = frozenset("aiueo")
_LETTERS = _CONSONANTS | _VOWELS
# Rules 35 and 36 leave out l, m, n, r, w and y.
_HARD = _CONSONANTS - frozenset("lmnrwy")
_PARTICLES = ("lah", "kah", "tah", "pun")
_POSSESSIVES = ("ku", "mu", "nya")
_PLAIN_PREFIXES = ("di", "ke", "se")
_DERIVATIONAL = ("isasi", "isme", "kan", "an", "is", "i")
_INFIXES = ("er", "el", "em", "in")
_PREFIX_ROUNDS = 3


@lru_cache(maxsize=REMEMBERED_WORDS)
def stem(word: str) -> str:
    """The stem of one lower-case word, possibly with hyphens; what isn't letters, or is too long, stays."""
    if len(word) > LONGEST_WORD or not word.replace("-", "").isalpha():
        return word
    mended = read_stems().get(word)
    if mended is not None:
        return mended
    found = sastrawi_stem(word)
    # What the algorithm leaves may be a mended word: "selainnya" -> "selain" -> "lain".
    return read_stems().get(found, found)


def is_root(word: str) -> bool:
    """Whether a word is in PySastrawi's list of roots."""
    return word in _roots()


def require_roots() -> None:
    """Raise `MissingRoots` where PySastrawi's list of roots is missing, before a word asks for it."""
    _roots()


def sastrawi_stem(word: str) -> str:
    """What PySastrawi's `stem_word` gives for a lower-case word, possibly with hyphens."""
    return _stem_plural(word) if "-" in word and _is_plural(word) else _stem_singular(word)


@cache
def _roots() -> frozenset[str]:
    """PySastrawi's list of roots. Raises `MissingRoots` where the package or its list is missing."""
    try:
        text = files("Sastrawi.Stemmer").joinpath("data", "kata-dasar.txt").read_text(encoding="utf-8")
    except (ImportError, OSError) as error:
        raise MissingRoots from error
    found = frozenset(text.split("\n")) - {""}
    if not found:
        raise MissingRoots
    return found


def _is_plural(word: str) -> bool:
    head, _, tail = word.rpartition("-")
    return "-" in head if tail in (*_POSSESSIVES, *_PARTICLES) else True


def _stem_plural(word: str) -> str:
    """A word said twice has the stem that both halves share: berbalas-balasan -> balas."""
    first, _, second = word.rpartition("-")
    if second in (*_POSSESSIVES, *_PARTICLES) and "-" in first:
        first, _, middle = first.rpartition("-")
        second = f"{middle}-{second}"
    first_stem, second_stem = _stem_singular(first), _stem_singular(second)
    if second_stem == second and second not in _roots():
        second_stem = _stem_singular(f"me{second}")
    return first_stem if first_stem == second_stem else word


def _stem_singular(word: str) -> str:
    """Prefixes and suffixes off, in the order that fits the word, until a root is left; else the word itself."""
    roots = _roots()
    if word in roots or len(word) <= 3:
        return word
    if _prefixes_go_first(word):
        bare = _without_prefixes(word)
        if bare in roots:
            return bare
        bare = _without_suffixes(bare)[-1]
        if bare in roots:
            return bare
    steps = _without_suffixes(word)
    if steps[-1] in roots:
        return steps[-1]
    bare = _without_prefixes(steps[-1])
    return bare if bare in roots else _with_suffixes_returned(word, steps)


def _with_suffixes_returned(word: str, steps: list[str]) -> str:
    """Put the suffixes back one by one and try the prefixes on each (ECS); "kan" may be "an" after a root's own k."""
    roots = _roots()
    for longer, shorter in zip(reversed(steps[:-1]), reversed(steps[1:]), strict=True):
        if longer == f"{shorter}kan":
            bare = _without_prefixes(f"{shorter}k")
            if bare in roots:
                return bare
        bare = _without_prefixes(longer)
        if bare in roots:
            return bare
    return word


def _prefixes_go_first(word: str) -> bool:
    """Whether the prefix belongs to the suffix, so that it comes off first (Asian 2007, p. 78)."""
    if word.endswith("i"):
        return word.startswith(("me", "di", "pe", "ter"))
    return word.startswith("be") and word.endswith(("lah", "an"))


def _without_suffixes(word: str) -> list[str]:
    """The word, and what is left after each suffix that comes off: particle, possessive, derivation."""
    roots = _roots()
    steps = [word]
    for suffixes in (_PARTICLES, _POSSESSIVES, _DERIVATIONAL):
        for suffix in suffixes:
            if word.endswith(suffix):
                word = word[: -len(suffix)]
                if suffixes is not _DERIVATIONAL:
                    word = word.rstrip("-")
                steps.append(word)
                if word in roots:
                    return steps
                break
    return steps


def _without_prefixes(word: str) -> str:
    """Up to three prefixes off; the plain ones are tried before looking whether the word is a root already."""
    roots = _roots()
    for _ in range(_PREFIX_ROUNDS):
        if word.startswith(_PLAIN_PREFIXES):
            word = word[2:]
        elif word in roots:
            return word
        else:
            shorter = _without_one_prefix(word)
            if shorter is None:
                return word
            word = shorter
        if word in roots:
            return word
    return word


def _without_one_prefix(word: str) -> str | None:
    """What the first rule that fits leaves; None if none fits. Numbers are those of the papers and of PySastrawi."""
    rules = _RULES.get(word[:2])
    if rules is not None and (shorter := rules(word)) is not None:
        return shorter
    if len(word) > 3 and word[1:3] in _INFIXES and word[0] in _CONSONANTS and word[3] in _VOWELS:  # 37-40
        return word[0] + word[3:]
    if word.startswith("ku"):  # 41
        return word[2:]
    return word[3:] if word.startswith("kau") else None  # 42


def _first_root(*candidates: str | None) -> str | None:
    """The first candidate that is a root, else the last one, whatever it is."""
    roots = _roots()
    return next((word for word in candidates if word in roots), candidates[-1])


def _be(word: str) -> str | None:
    third, fourth, rest = word[2:3], word[3:4], word[3:]
    if third == "r":
        if fourth in _VOWELS:  # 1
            return _first_root(rest, f"r{rest}")
        if fourth in _CONSONANTS and word[4:5] in _LETTERS:
            if word[5:7] != "er":  # 2
                return rest
            if fourth != "r" and word[7:8] in _VOWELS:  # 3
                return rest
    if word == "belajar":  # 4
        return "ajar"
    if third in _CONSONANTS and third != "r" and rest.startswith("er") and word[5:6] in _CONSONANTS:  # 5
        return word[2:]
    return None


def _te(word: str) -> str | None:
    third, fourth, rest = word[2:3], word[3:4], word[3:]
    if third == "r":
        if fourth in _VOWELS:  # 6
            return _first_root(rest, f"r{rest}")
        if fourth in _CONSONANTS and fourth != "r":
            if word[4:6] != "er" or word[6:7] in _VOWELS:  # 8, 7
                return rest
            if fourth in _HARD and word[6:7] in _CONSONANTS:  # 35
                return rest
    elif third in _CONSONANTS and rest.startswith("er") and word[5:6] in _CONSONANTS:  # 9
        return word[2:]
    return None


def _me(word: str) -> str | None:
    third, fourth = word[2:3], word[3:4]
    if third in ("l", "r", "w", "y"):
        return word[2:] if fourth in _VOWELS else None  # 10
    if third == "m":
        if fourth in _VOWELS:  # 13
            return _first_root(f"m{word[3:]}", f"p{word[3:]}")
        if fourth == "p":  # 12, 19
            return word[3:] if word[4:5] in _LETTERS and word[4:5] != "n" else None
        return word[3:] if fourth in ("b", "f", "v") else None  # 11
    if third != "n":
        return None
    if fourth in _VOWELS:  # 15
        return _first_root(f"n{word[3:]}", f"t{word[3:]}")
    if fourth == "g":
        return _meng(word)
    if fourth == "y":  # 18
        return _first_root(f"ny{word[4:]}", f"s{word[4:]}") if word[4:5] in _VOWELS else None
    return word[3:] if fourth in ("c", "d", "j", "s", "t", "z") else None  # 14


def _meng(word: str) -> str | None:
    rest = word[4:]
    if rest[:1] in _VOWELS:  # 17
        return _first_root(rest, f"k{rest}", rest[1:] if rest.startswith("e") else None, f"ng{rest}")
    return rest if rest[:1] in ("g", "h", "q", "k") else None  # 16


def _pe(word: str) -> str | None:
    third, fourth = word[2:3], word[3:4]
    shorter: str | None = None
    if third in ("w", "y"):
        shorter = word[2:] if fourth in _VOWELS else None  # 20
    elif third == "r":
        shorter = _per(word)
    elif third == "m":
        shorter = _pem(word)
    elif third == "n":
        shorter = _pen(word)
    elif third == "l":
        shorter = "ajar" if word == "pelajar" else word[2:] if fourth in _VOWELS else None  # 32
    if shorter is not None or third not in _CONSONANTS:
        return shorter
    if word[3:5] != "er":  # 34
        return word[2:]
    return word[2:] if third in _HARD and word[5:6] in _CONSONANTS else None  # 36


def _per(word: str) -> str | None:
    fourth = word[3:4]
    if fourth in _VOWELS:  # 21
        return _first_root(word[3:], word[2:])
    fits = fourth in _CONSONANTS and word[4:5] in _LETTERS
    if fits and (word[5:7] != "er" or (fourth != "r" and word[7:8] in _VOWELS)):  # 23, 24
        return word[3:]
    return None


def _pem(word: str) -> str | None:
    fourth = word[3:4]
    if fourth in _VOWELS:  # 26
        return _first_root(f"m{word[3:]}", f"p{word[3:]}")
    return word[3:] if fourth in ("b", "f", "v") else None  # 25


def _pen(word: str) -> str | None:
    fourth, fifth = word[3:4], word[4:5]
    if fourth in _VOWELS:  # 28
        return _first_root(f"n{word[3:]}", f"t{word[3:]}")
    if fourth == "g" and fifth in _CONSONANTS:  # 29
        return word[4:]
    if fourth == "g" and fifth in _VOWELS:  # 30
        return _first_root(word[4:], f"k{word[4:]}", word[5:] if fifth == "e" else None)
    if fourth == "y" and fifth in _VOWELS:  # 31
        return _first_root(f"ny{word[4:]}", f"s{word[4:]}")
    return word[3:] if fourth in ("c", "d", "j", "s", "t", "z") else None  # 27


_RULES: dict[str, Callable[[str], str | None]] = {"be": _be, "te": _te, "me": _me, "pe": _pe}
