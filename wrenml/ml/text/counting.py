"""Counts, exact: each shard's terms and counts, then their sorted union.

::

    documents ─▶ shards ─▶ terms, counts of each ─▶ union of terms, sorted; counts under its columns
                                                        └─▶ limits (max_df …) on document frequencies of all
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
import sklearn.feature_extraction.text as theirs
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from wrenml.ml.signatures import with_parameters
from wrenml.ml.text.documents import DEFAULT_SHARDS, documents_of, over_shards, plain_parameters, stacked

__all__ = ["CountVectorizer"]


@with_parameters(n_shards=DEFAULT_SHARDS, executor=None)
class CountVectorizer(theirs.CountVectorizer):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `CountVectorizer`, whose documents are read by the workers of an executor.

    Parameters
    ----------
    n_shards : int, default 8
        How many calls the documents are shared among; the result is the same.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Columns of the terms.
    fixed_vocabulary_ : bool
        Whether they were given.
    """

    vocabulary_: dict[Any, int]

    def fit(self, raw_documents: Iterable[Any], y: Any = None) -> Self:
        """Learn the terms of documents; see `fit_transform`."""
        self.fit_transform(raw_documents, y)
        return self

    def fit_transform(self, raw_documents: Iterable[Any], y: Any = None) -> Any:  # noqa: ARG002  # scikit-learn's
        """Learn the terms of documents, and count them.

        Parameters
        ----------
        raw_documents : iterable of str, bytes or files
            Documents, as `input` tells.
        y : object
            Ignored.

        Returns
        -------
        csr matrix of shape (n_documents, n_terms)
            Equal to scikit-learn's.

        Raises
        ------
        ValueError
            scikit-learn's.
        """
        documents = documents_of(self, raw_documents)
        # It checks all parameters, and what it says is about them.
        given = ["?"] if self.vocabulary is None else self.vocabulary
        plain = theirs.CountVectorizer(**self._parameters(vocabulary=given)).fit([])
        self.fixed_vocabulary_ = self.vocabulary is not None
        if self.fixed_vocabulary_:
            self.vocabulary_ = plain.vocabulary_
            return self._counts(documents)
        shards = over_shards(self, partial(_counted, self._parameters()), documents)
        terms, counts = _united(shards)
        if not terms:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        kept = self._kept(counts)
        self.vocabulary_ = {terms[old]: new for new, old in enumerate(kept)}
        return counts[:, kept]

    def transform(self, raw_documents: Iterable[Any]) -> Any:
        """Count the known terms in documents.

        Parameters
        ----------
        raw_documents : iterable of str, bytes or files
            Documents, as `input` tells.

        Returns
        -------
        csr matrix of shape (n_documents, n_terms)
            Equal to scikit-learn's.

        Raises
        ------
        ValueError
            scikit-learn's.
        sklearn.exceptions.NotFittedError
            If no terms were learned or given.
        """
        documents = documents_of(self, raw_documents)
        if not hasattr(self, "vocabulary_"):
            if self.vocabulary is None:
                check_is_fitted(self, "vocabulary_", msg="Vocabulary not fitted or provided")
            self.vocabulary_ = theirs.CountVectorizer(**self._parameters()).fit([]).vocabulary_
            self.fixed_vocabulary_ = True
        return self._counts(documents)

    def _counts(self, documents: Sequence[Any]) -> Any:
        task = partial(_known, self._parameters(vocabulary=self.vocabulary_))
        return stacked(over_shards(self, task, documents))

    def _parameters(self, **others: Any) -> dict[str, Any]:
        return plain_parameters(self, **others)

    def _kept(self, counts: Any) -> Any:
        """Return the columns within the limits, as scikit-learn chooses them."""
        n_documents = counts.shape[0]
        most: Any = self.max_df if isinstance(self.max_df, Integral) else self.max_df * n_documents
        least: Any = self.min_df if isinstance(self.min_df, Integral) else self.min_df * n_documents
        if most < least:
            raise ValueError("max_df corresponds to < documents than min_df")
        frequencies = np.bincount(counts.indices, minlength=counts.shape[1])
        kept = np.flatnonzero((frequencies <= most) & (frequencies >= least))
        if self.max_features is not None and len(kept) > self.max_features:
            totals = np.asarray(counts.sum(axis=0)).ravel()
            kept = np.sort(kept[(-totals[kept]).argsort()[: self.max_features]])
        if not len(kept):
            raise ValueError("After pruning, no terms remain. Try a lower min_df or a higher max_df.")
        return kept


def _counted(parameters: dict[str, Any], documents: Sequence[Any]) -> tuple[list[Any], Any]:
    """Return the terms of a shard, and how often each document has them: in a worker."""
    analyze = theirs.CountVectorizer(**parameters).build_analyzer()
    columns: dict[Any, int] = {}
    rows, data, bounds = array("i"), array("i"), [0]
    for document in documents:
        for term, count in Counter(analyze(document)).items():
            rows.append(columns.setdefault(term, len(columns)))
            data.append(1 if parameters["binary"] else count)
        bounds.append(len(rows))
    shape = (len(documents), len(columns))
    return list(columns), sparse.csr_matrix(
        (np.asarray(data), np.asarray(rows), bounds), shape=shape, dtype=parameters["dtype"]
    )


def _known(parameters: dict[str, Any], documents: Sequence[Any]) -> Any:
    return theirs.CountVectorizer(**parameters).transform(documents)


def _united(shards: Sequence[tuple[list[Any], Any]]) -> tuple[list[Any], Any]:
    """Return the sorted terms of all shards, and all counts under them.

    A row keeps its counts in the order in which the corpus first has the terms, as scikit-learn does: a row's norm is
    summed in that order, and would be rounded otherwise in another.
    """
    met: dict[Any, int] = {}
    for found, _ in shards:
        for term in found:
            met.setdefault(term, len(met))
    counts = stacked([_under(found, counted, met) for found, counted in shards])
    terms = sorted(met)
    places = np.empty(len(terms), dtype=counts.indices.dtype)
    places[[met[term] for term in terms]] = np.arange(len(terms))
    return terms, sparse.csr_matrix((counts.data, places[counts.indices], counts.indptr), shape=counts.shape)


def _under(terms: Sequence[Any], counts: Any, columns: dict[Any, int]) -> Any:
    """Put counts under other columns, and sort each row by them."""
    places = np.array([columns[term] for term in terms], dtype=counts.indices.dtype)
    found = sparse.csr_matrix(
        (counts.data.copy(), places[counts.indices], counts.indptr), shape=(counts.shape[0], len(columns))
    )
    found.sort_indices()
    return found
