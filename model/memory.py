"""Memory: what a function says of a word, remembered within a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from model.stemming import LONGEST_WORD, REMEMBERED_WORDS

Said = TypeVar("Said")

# Of whole texts only the latest are remembered, for what is asked about one complaint in several places.
RECENT_TEXTS = 64


class WordMemory(dict[str, Said]):
    """`memory[word]` is `function(word)`, computed once; emptied when `most` words are in it.

    Words longer than any are asked about anew each time, so that made-up ones can't fill it. Threads may share it: what
    stands there is a function of the word, and single dict operations are atomic.
    """

    def __init__(self, function: Callable[[str], Said], most: int = REMEMBERED_WORDS) -> None:
        super().__init__()
        self._function = function
        self._most = most

    def __missing__(self, word: str) -> Said:
        said = self._function(word)
        if len(word) <= LONGEST_WORD:
            if len(self) >= self._most:
                self.clear()
            self[word] = said
        return said
