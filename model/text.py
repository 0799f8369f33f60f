"""The text steps: from a complaint as typed to the words that the features are made of.

Each step is a pure `str -> str` function. `SURFACE_STEPS` and `STEM_STEPS` list them in order; a recipe chooses which
of the optional ones are on, and a bundle's manifest records the names of those it was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, groupby

from data.complaint import Complaint
from data.errors import UnknownName
from model.encoder import Encoder, Meanings
from model.expansion import expand_word, expansions, tell_apart, translate_word, translations
from model.masking import KINDS, mask_personal_data
from model.normalising import (
    blur_numbers,
    cut_boilerplate,
    fold,
    join_letters,
    split_units,
    split_words,
    undouble,
    unleet,
    unstretch,
)
from model.stemming import LONGEST_WORD, stem

TextFunction = Callable[[str], str]
WordsFunction = Callable[[list[str]], list[str]]

REMEMBERED_WORDS = 65_536
# What one step brings out may be what an earlier one looks for: "n4ma budi" -> "nama budi" -> "nama _nama_".
_MOST_ROUNDS = 6
_MASK_WORDS = frozenset(f"_{kind.lower()}_" for kind in KINDS)


@dataclass(frozen=True)
class Step:
    """A text step by one function: of the whole text, from text to words, of the list of words, or of each word alone.

    Whatever it works on, called it is `str -> str`. The chain splits a text into words once and remembers what becomes
    of a word.
    """

    name: str
    of_text: TextFunction | None = None
    to_words: Callable[[str], list[str]] | None = None
    of_words: WordsFunction | None = None
    of_word: TextFunction | None = None
    optional: bool = True

    def __call__(self, text: str) -> str:
        if self.of_text is not None:
            return self.of_text(text)
        if self.to_words is not None:
            return " ".join(self.to_words(text))
        if self.of_words is not None:
            return " ".join(self.of_words(text.split()))
        return " ".join(map(self.of_word, text.split())) if self.of_word is not None else text


def stem_word(word: str) -> str:
    """A word by its stem, unless the stem is a form of our tables, which would mean something else."""
    stemmed = stem(word)
    return word if stemmed in expansions() or stemmed in translations() else stemmed


SURFACE_STEPS = (
    Step("mask_personal_data", of_text=mask_personal_data, optional=False),
    Step("cut_boilerplate", of_text=cut_boilerplate),
    Step("fold", of_text=fold, optional=False),
    Step("split_words", to_words=split_words, optional=False),
    Step("join_letters", of_words=join_letters),
    Step("expand", of_word=expand_word),
    Step("unstretch", of_word=unstretch),
    Step("undouble", of_word=undouble),
    Step("split_units", of_word=split_units),
    Step("unleet", of_word=unleet),
    Step("translate", of_word=translate_word),
    Step("tell_apart", of_words=tell_apart),
    Step("blur_numbers", of_words=blur_numbers, optional=False),
)
STEM_STEPS = (Step("stem_words", of_word=stem_word),)
ALL_STEPS = {step.name: step for step in (*SURFACE_STEPS, *STEM_STEPS)}
REQUIRED_STEPS = tuple(step.name for step in ALL_STEPS.values() if not step.optional)


def shown_word(word: str) -> str:
    """A word as people are shown it: a mask as it stands in the text, `[NIK]` for `_nik_`."""
    return f"[{word.strip('_').upper()}]" if word in _MASK_WORDS else word


@dataclass(frozen=True)
class PreparedText:
    """A complaint ready for the features: `words` as spelled, `stems` one for one beside them.

    Both are of title and text; `title` holds the stems of the title alone, "" where there is none. `names_area` tells
    whether an area of the complaint's region is named in them, as far as anybody looked. `meaning` is the sentence
    embedding (d,), if the chain has an encoder.
    """

    words: str
    stems: str
    region: str
    title: str = ""
    names_area: bool = False
    meaning: Meanings | None = field(default=None, compare=False, repr=False)


class _WordMemory(dict[str, tuple[str, ...]]):
    """What word steps make of a word, run until it settles; remembered within a bound, but what was given stays.

    Threads may share it: a word's entry is a function of the word, and single dict operations are atomic.
    """

    def __init__(self, steps: Iterable[Step], given: Mapping[str, str]) -> None:
        self._functions = [step.of_word for step in steps if step.of_word]
        self._given = {word: (result,) for word, result in given.items()}
        super().__init__(self._given)

    def __missing__(self, word: str) -> tuple[str, ...]:
        # Given, and yet missing: another thread is emptying the memory.
        if word in self._given:
            return self._given[word]
        result = tuple(self._settled(word).split())
        if len(word) <= LONGEST_WORD:
            if len(self) >= REMEMBERED_WORDS + len(self._given):
                self.clear()
                self.update(self._given)
            self[word] = result
        return result

    def _settled(self, word: str) -> str:
        for _ in range(_MOST_ROUNDS):
            before = word
            for function in self._functions:
                word = " ".join(map(function, word.split())) if " " in word else function(word)
            if word == before:
                break
        return word

    def rewrite(self, words: Iterable[str]) -> list[str]:
        """The words that the steps make of each word; the memory's own, whose hashes are known already."""
        return list(chain.from_iterable(map(self.__getitem__, words)))


class TextChain:
    """Some of the steps, in their order, ready to run; neighbouring word steps run as one.

    The surface steps run until nothing changes, so the chain leaves its own words as they are. `stems` are stems known
    before, as a bundle carries them, so that none of those is computed again. An `encoder` embeds the text as typed but
    for personal data; `names_area` looks for areas. Raises `UnknownName` for a step that this program doesn't have.
    """

    def __init__(
        self,
        names: Iterable[str],
        stems: Mapping[str, str] | None = None,
        encoder: Encoder | None = None,
        names_area: Callable[[Complaint], bool] | None = None,
    ) -> None:
        wanted = set(names)
        for name in sorted(wanted - ALL_STEPS.keys()):
            raise UnknownName("text step", name, ALL_STEPS)
        self.names = [name for name in ALL_STEPS if name in wanted]
        self.stems = dict(stems or {})
        self._encoder = encoder
        self._names_area = names_area
        surface = [step for step in SURFACE_STEPS if step.name in wanted]
        self._of_text = [step.of_text for step in surface if step.of_text]
        self._of_words = _compiled([step for step in surface if step.of_words or step.of_word])
        self._first_of_words = self._of_words[0][0] if self._of_words else list
        stemming = [step for step in STEM_STEPS if step.name in wanted]
        self._stems = _WordMemory(stemming, self.stems if stemming else {})

    def prepare(self, complaint: Complaint, *, look_for_areas: bool = True) -> PreparedText:
        """Run the steps over title and text, and over the title by itself."""
        words = self._words(full_text(complaint))
        title = self._stems.rewrite(self._words(complaint.title)) if complaint.title else []
        return PreparedText(
            words=" ".join(words),
            stems=" ".join(self._stems.rewrite(words)),
            region=complaint.region,
            title=" ".join(title),
            names_area=look_for_areas and self._names_area is not None and self._names_area(complaint),
            meaning=self._encoder.encode([mask_personal_data(full_text(complaint))])[0] if self._encoder else None,
        )

    def _words(self, text: str) -> list[str]:
        """A text's words once no step changes anything more."""
        text = self._after_steps_of_text(text)
        for _ in range(_MOST_ROUNDS):
            words = self._settled(split_words(text))
            joined = " ".join(words)
            text = self._after_steps_of_text(joined)
            if text == joined:
                break
        return words

    def _settled(self, words: list[str]) -> list[str]:
        """The words when no more step on words changes them.

        Word steps leave their own words alone (see `_WordMemory`); only one that asks neighbours may have more to do.
        """
        for _ in range(_MOST_ROUNDS):
            settled = True
            for of_words, asks_neighbours in self._of_words:
                found = of_words(words)
                settled = settled and not (asks_neighbours and found != words)
                words = found
            if settled and self._first_of_words(words) == words:
                break
        return words

    def _after_steps_of_text(self, text: str) -> str:
        for of_text in self._of_text:
            text = of_text(text)
        return text


def _compiled(steps: Sequence[Step]) -> list[tuple[WordsFunction, bool]]:
    """Functions of a list of words, and whether they ask a word's neighbours; word steps side by side become one."""
    functions: list[tuple[WordsFunction, bool]] = []
    for by_word, group in groupby(steps, key=lambda step: step.of_words is None):
        own = list(group)
        if by_word:
            functions.append((_WordMemory(own, {}).rewrite, False))
        else:
            functions += [(step.of_words, True) for step in own if step.of_words]
    return functions


@cache
def whole_chain() -> TextChain:
    """Every step, for what has no bundle: near-copies, benchmarks."""
    return TextChain(ALL_STEPS)


def prepare(complaint: Complaint) -> PreparedText:
    """A complaint through the whole chain."""
    return whole_chain().prepare(complaint)


def full_text(complaint: Complaint) -> str:
    """Title and text; a title that only repeats the opening of the text isn't read twice."""
    title, text = complaint.title.strip(), complaint.text.strip()
    if not title or text.casefold().startswith(title.casefold()):
        return text
    return f"{title}\n{text}"
