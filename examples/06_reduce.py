"""Reduce: results go from worker to worker through storage, never through this process."""

from __future__ import annotations

from collections import Counter

import wrenml
from wrenml import default_executor


def count_words(text: str) -> Counter[str]:
    """How often each word occurs."""
    return Counter(word.strip(".,;:()`'\"").lower() for word in text.split() if word.strip(".,;:()`'\""))


def merge(counters: list[Counter[str]]) -> list[tuple[str, int]]:
    """The most frequent words of all texts."""
    return sum(counters, Counter[str]()).most_common(5)


if __name__ == "__main__":
    texts = [str(getattr(wrenml, name).__doc__) for name in wrenml.__all__]
    with default_executor() as executor:
        print("in one step: ", executor.map_reduce(count_words, texts, merge).result())

        counted = executor.map(count_words, texts)  # or with the futures in between
        merged = executor.reduce(merge, counted)
        top = executor.submit(max, merged)  # a future is an argument like any other
        print("in two steps:", merged.result())
        print("at the top of it, in the order of the alphabet:", top.result())
        assert top.result() == max(merged.result())
