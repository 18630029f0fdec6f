"""Mails as they come: hashed and learned by the workers, batch by batch, each judged before it is learned."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from wrenml import default_executor
from wrenml.ml.linear_model import ParallelPerceptron
from wrenml.ml.text import HashingVectorizer

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"


def batches(size: int) -> Iterator[tuple[list[str], list[str]]]:
    """Texts and labels, as many at a time; the file is never read as a whole."""
    with lzma.open(MAILS, "rt") as lines:
        while batch := [json.loads(line) for line in islice(lines, size)]:
            yield [mail["text"] for mail in batch], [mail["label"] for mail in batch]


if __name__ == "__main__":
    with default_executor() as executor:
        vectorizer = HashingVectorizer(n_features=2**14, n_shards=2, executor=executor)
        model = ParallelPerceptron(n_shards=2, random_state=0, executor=executor)
        seen, scores = 0, []
        for texts, labels in batches(100):
            features = vectorizer.transform(texts)
            if seen:
                scores.append(model.score(features, labels))
                print(f"after {seen} mails: {100 * scores[-1]:.0f} % of the next {len(labels)} are told right")
            model.partial_fit(features, labels, classes=["ham", "spam"])
            seen += len(labels)
        assert scores[0] < max(scores)
