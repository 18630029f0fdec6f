"""Megabytes of text a second: hashed, and weighted by tf-idf, over Python's own library as a corpus."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from time import perf_counter

import sklearn.feature_extraction.text as theirs

import wrenml.ml.text as ours
from wrenml import default_executor

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
MOST = 3_000_000
TALK = {"HashingVectorizer": 4.176, "TfidfVectorizer": 1.712}


def corpus() -> list[str]:
    """Read source files of Python's library, as many as are enough."""
    texts: list[str] = []
    size = 0
    for path in sorted(LIBRARY.glob("*.py")) + sorted(LIBRARY.glob("[a-z]*/*.py")):
        if size < MOST and "site-packages" not in path.parts and "dist-packages" not in path.parts:
            texts.append(path.read_text(errors="replace"))
            size += path.stat().st_size
    return texts


if __name__ == "__main__":
    texts = corpus()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} files of {LIBRARY.name}, {megabytes:.1f} MB")

    with default_executor() as executor:
        ours.HashingVectorizer(executor=executor).transform(texts[:8])  # starts the workers and imports scikit-learn
        for name, options in {"HashingVectorizer": {"n_features": 2**16}, "TfidfVectorizer": {}}.items():
            start = perf_counter()
            serial = getattr(theirs, name)(**options).fit_transform(texts)
            middle = perf_counter()
            spread = getattr(ours, name)(**options, executor=executor).fit_transform(texts)
            end = perf_counter()
            assert (serial != spread).nnz == 0
            print(
                f"{name:17} {serial.shape[1]:,} features: scikit-learn {megabytes / (middle - start):.2f} MB/s, "
                f"on the workers {megabytes / (end - middle):.2f} MB/s; the talk, 2013: {TALK[name]:.3f} MB/s"
            )
