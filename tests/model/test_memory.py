"""Memory: each word is asked about once, within a bound."""

from __future__ import annotations

from model.memory import WordMemory
from model.stemming import LONGEST_WORD


def test_a_word_is_asked_about_once() -> None:
    asked: list[str] = []

    def count_letters(word: str) -> int:
        asked.append(word)
        return len(word)

    memory = WordMemory(count_letters)
    assert [memory[word] for word in ("jalan", "rusak", "jalan")] == [5, 5, 5]
    assert asked == ["jalan", "rusak"]


def test_a_full_memory_is_emptied_and_says_the_same() -> None:
    memory = WordMemory(len, most=2)
    assert [memory[word] for word in ("a", "bb", "ccc", "a")] == [1, 2, 3, 1]
    assert len(memory) <= 2


def test_a_word_longer_than_any_is_not_kept() -> None:
    memory = WordMemory(len)
    assert memory["x" * (LONGEST_WORD + 1)] == LONGEST_WORD + 1
    assert not memory
