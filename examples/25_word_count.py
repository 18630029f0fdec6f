"""MapReduce's own example: words of real mails, counted in parts and added up on a worker."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from pathlib import Path

from wrenml import default_executor

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"
SPLIT = 50


def count(texts: list[str]) -> Counter[str]:
    """Count the words of some mails."""
    return Counter(word for text in texts for word in re.findall(r"[a-z']+", text.lower()))


def total(counters: list[Counter[str]]) -> Counter[str]:
    """Add up; `sum` would copy what it has for each part."""
    words = Counter[str]()
    for counter in counters:
        words.update(counter)
    return words


if __name__ == "__main__":
    texts = [json.loads(line)["text"] for line in lzma.decompress(MAILS.read_bytes()).splitlines()]
    splits = [texts[start : start + SPLIT] for start in range(0, len(texts), SPLIT)]

    with default_executor() as executor:
        words = executor.map_reduce(count, splits, total).result()  # counts go from worker to worker

    print(f"{words.total():,} words of {len(texts)} mails in {len(splits)} parts, {len(words):,} different ones")
    for word, times in words.most_common(5):
        print(f"{times:6,} × {word}")
    assert words == count(texts)
