"""Dask's figures: what a task costs to schedule, and first steps of pipelines fitted once for all that share them."""

from __future__ import annotations

import io
import json
import lzma
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter

import numpy as np
import sklearn.model_selection
from joblib import Parallel, delayed, parallel_config
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline

import wrenml.ml.model_selection
from wrenml import default_executor

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"
TASKS = 500


class Counted(CountVectorizer):  # type: ignore[misc]  # scikit-learn has no types
    """A vectorizer that says when it is fitted."""

    def fit_transform(self, raw_documents: list[str], y: list[str] | None = None) -> csr_matrix:
        """Learn the vocabulary, and count."""
        print("fitted")
        return super().fit_transform(raw_documents, y)


MODEL = make_pipeline(Counted(), TfidfTransformer(), SGDClassifier(random_state=0))
GRID = {
    "counted__ngram_range": [(1, 1), (1, 2)],
    "tfidftransformer__norm": ["l1", "l2"],
    "sgdclassifier__alpha": [1e-5, 1e-4, 1e-3],
}

if __name__ == "__main__":
    mails = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()[::4]]
    data = [mail["text"] for mail in mails], [mail["label"] for mail in mails]

    with default_executor() as executor:
        ways = {
            "a call of map": lambda: executor.map(abs, range(TASKS)).results(),
            "a task of joblib's, packed with others": lambda: Parallel()(delayed(abs)(-n) for n in range(TASKS)),
        }
        for name, way in ways.items():
            with parallel_config("wrenml", executor=executor):
                way()  # starts the workers, and imports what they need
                start = perf_counter()
                assert way() == [*range(TASKS)]
            print(f"{name} costs {(perf_counter() - start) / TASKS * 1e3:.2f} ms; Dask's talk: about 1 ms")

        searches = {
            "scikit-learn": sklearn.model_selection.GridSearchCV(MODEL, GRID, cv=3, refit=False),
            "wrenml": wrenml.ml.model_selection.GridSearchCV(MODEL, GRID, cv=3, refit=False, executor=executor),
        }
        counts = []
        for name, search in searches.items():
            start = perf_counter()
            with redirect_stdout(io.StringIO()) as said:
                search.fit(*data)
            counts.append(said.getvalue().count("fitted"))
            print(f"{name}: {counts[-1]} fits of the vectorizer in a search of 36 fits, {perf_counter() - start:.1f} s")
        scores = [search.cv_results_["mean_test_score"] for search in searches.values()]
        assert np.array_equal(*scores)
        assert counts[1] < counts[0]
