"""Text into features: tf-idf beside scikit-learn serial and in chunks through loky, and what hashing saves."""

from __future__ import annotations

import json
import lzma
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.feature_extraction.text as theirs
from _bench import WORKERS, Bench, Samples, main, race
from joblib import Parallel, delayed
from model_backend import cpu_seconds
from scipy import sparse

import wrenml
import wrenml.ml.text as ours

_MAILS = Path(__file__).parents[1] / "examples" / "data" / "mails.jsonl.xz"
_LOKY = "loky"
_SERIAL = "serial"
_WRENML = "wrenml"

Matrix = Any  # scikit-learn has no types
Texts = list[str]


def corpus(repeats: int) -> Texts:
    """All mails that are shipped, several times: the terms are those of the mails once."""
    mails = [json.loads(line)["text"] for line in lzma.decompress(_MAILS.read_bytes()).splitlines()]
    return mails * repeats


def counted(texts: Texts) -> tuple[dict[str, int], Matrix]:
    """Count the terms of a chunk."""
    vectorizer = theirs.CountVectorizer()
    counts = vectorizer.fit_transform(texts)
    return vectorizer.vocabulary_, counts


def through_loky(texts: Texts) -> Matrix:
    """Weigh texts as is done by hand: chunks are counted by workers, and put under the union of their terms here."""
    size = -(-len(texts) // (4 * WORKERS))
    chunks = [texts[start : start + size] for start in range(0, len(texts), size)]
    parts = Parallel(n_jobs=WORKERS)(delayed(counted)(chunk) for chunk in chunks)
    columns = {term: number for number, term in enumerate(sorted(set().union(*(terms for terms, _ in parts))))}
    stacked = []
    for terms, counts in parts:
        places = np.array([columns[term] for term in sorted(terms, key=terms.__getitem__)])
        shape = (counts.shape[0], len(columns))
        stacked.append(sparse.csr_matrix((counts.data, places[counts.indices], counts.indptr), shape=shape))
    return theirs.TfidfTransformer().fit_transform(sparse.vstack(stacked, format="csr"))


def raced(
    bench: Bench, title: str, contestants: dict[str, Callable[[], Matrix]]
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Race ways to the same matrix; return wall-clock and processor time."""
    used: dict[str, list[float]] = {name: [] for name in contestants}
    made: dict[str, Matrix] = {}

    def run(name: str) -> float:
        cpu, start = cpu_seconds(), time.perf_counter()
        made[name] = contestants[name]()
        wall = time.perf_counter() - start
        used[name].append(cpu_seconds() - cpu)
        return wall

    walls = race({name: partial(run, name) for name in contestants}, bench.rounds(3))
    assert (made[_WRENML] != made[_SERIAL]).nnz == 0
    # The round that warms up does not count.
    cpus = {name: Samples(tuple(values[1:])) for name, values in used.items()}
    bench.show(f"{title}, wall", walls, baseline=_SERIAL)
    bench.show(f"{title}, CPU", cpus, baseline=_SERIAL)
    return walls, cpus


def measure(bench: Bench) -> None:
    """Race tf-idf and hashing; note how many megabytes a second each is."""
    warnings.simplefilter("ignore")
    texts = corpus(bench.size(20, 1))
    size = sum(len(text.encode()) for text in texts) / 1e6
    with wrenml.local_executor(workers=WORKERS) as executor:
        tfidf = {
            _WRENML: lambda: ours.TfidfVectorizer(executor=executor).fit_transform(texts),
            _LOKY: lambda: through_loky(texts),
            _SERIAL: lambda: theirs.TfidfVectorizer().fit_transform(texts),
        }
        title = f"tf-idf of {size:.3g} MB"
        walls, cpus = raced(bench, title, tfidf)
        bench.compare(f"{title}, wall", walls[_WRENML].median, walls[_LOKY].median, _LOKY, 1.0)
        bench.compare(f"{title}, wall", walls[_WRENML].median, walls[_SERIAL].median, _SERIAL, 0.75)
        bench.compare(f"{title}, CPU", cpus[_WRENML].median, cpus[_SERIAL].median, _SERIAL, 1.2)
        columns: dict[str, Any] = {"n_features": 2**16}
        hashing = {
            _WRENML: lambda: ours.HashingVectorizer(**columns, executor=executor).transform(texts),
            _SERIAL: lambda: theirs.HashingVectorizer(**columns).transform(texts),
        }
        title = f"hashing of {size:.3g} MB"
        hashed, used = raced(bench, title, hashing)
        bench.compare(f"{title}, wall", hashed[_WRENML].median, hashed[_SERIAL].median, _SERIAL, 0.75)
        bench.compare(f"{title}, CPU", used[_WRENML].median, used[_SERIAL].median, _SERIAL, 1.2)
    for name in (_WRENML, _SERIAL):
        fast, slow = size / used[name].median, size / cpus[name].median
        bench.note(
            f"{name}, MB a second of processor time: hashing {fast:.3g}, tf-idf {slow:.3g}, ratio {fast / slow:.2g}"
        )


if __name__ == "__main__":
    main(__file__, "text into features", measure)
