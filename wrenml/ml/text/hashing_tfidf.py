"""Tf-idf without a vocabulary: terms are hashed, and only document frequencies are summed over the shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import sklearn.feature_extraction.text as theirs
from scipy import sparse

from wrenml.ml.signatures import with_parameters
from wrenml.ml.text.documents import documents_of, over_shards, plain_parameters, stacked
from wrenml.ml.text.hashing import HashingVectorizer, hashed
from wrenml.ml.text.weighing import Weighing, without_weighing

__all__ = ["HashingTfidfVectorizer"]


@with_parameters({"alternate_sign": False}, use_idf=True, smooth_idf=True, sublinear_tf=False)
class HashingTfidfVectorizer(Weighing, HashingVectorizer):
    """Hashed terms weighed by inverse document frequencies, with documents read by the workers of an executor.

    It is scikit-learn's `HashingVectorizer` with ``norm=None, alternate_sign=False``, then `TfidfTransformer`, bit for
    bit, but that learning takes no memory for the documents: of a shard only the frequencies of its columns come back,
    and a stream can be learned batch by batch.

    Parameters
    ----------
    norm, use_idf, smooth_idf, sublinear_tf
        As for `TfidfTransformer`.
    n_shards : int, default 8
        How many calls the documents are shared among; the result is the same.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As for `HashingVectorizer`.

    Attributes
    ----------
    idf_ : ndarray of shape (n_features,)
        Inverse document frequencies, with `use_idf` only.
    document_frequencies_ : ndarray of shape (n_features,), int64
        How many documents have a term in each column.
    n_documents_ : int
        How many documents were learned.
    """

    def fit(self, X: Iterable[Any], y: Any = None) -> Self:
        """Learn the document frequencies of documents; see `fit_transform`."""
        self._forget()
        return self.partial_fit(X, y)

    def partial_fit(self, X: Iterable[Any], y: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's
        """Learn the document frequencies of more documents.

        Parameters
        ----------
        X : iterable of str, bytes or files
            Documents, as `input` tells.
        y : object
            Ignored.

        Returns
        -------
        HashingTfidfVectorizer
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's; if `n_features` was another before.
        """
        known = getattr(self, "document_frequencies_", None)
        if known is not None and len(known) != self.n_features:
            raise ValueError(
                f"n_features={self.n_features}, but {len(known)} columns have been learned: fit() begins anew"
            )
        for count, columns, frequencies in over_shards(
            self, partial(_surveyed, self._parameters()), documents_of(self, X)
        ):
            self._take(count, columns, frequencies)
        self._settle()
        return self

    def fit_transform(self, X: Iterable[Any], y: Any = None) -> Any:  # noqa: ARG002  # scikit-learn's
        """Learn the document frequencies of documents, and weigh their terms.

        Parameters
        ----------
        X : iterable of str, bytes or files
            Documents, as `input` tells.
        y : object
            Ignored.

        Returns
        -------
        csr matrix of shape (n_documents, n_features)
            Equal to scikit-learn's.

        Raises
        ------
        ValueError
            scikit-learn's.
        """
        theirs.HashingVectorizer(**self._parameters()).fit([])
        counts = self._counts(X)
        self._forget()
        self._take(counts.shape[0], *np.unique(counts.indices, return_counts=True))
        self._settle()
        return self._weighed(counts)

    def transform(self, X: Iterable[Any]) -> Any:
        """Weigh the terms of documents.

        Parameters
        ----------
        X : iterable of str, bytes or files
            Documents, as `input` tells.

        Returns
        -------
        csr matrix of shape (n_documents, n_features)
            Equal to scikit-learn's.

        Raises
        ------
        ValueError
            scikit-learn's.
        sklearn.exceptions.NotFittedError
            Before it has learned.
        """
        self._check_fitted()
        return self._weighed(self._counts(X))

    def _counts(self, X: Iterable[Any]) -> Any:
        return stacked(over_shards(self, partial(hashed, self._parameters()), documents_of(self, X)))

    def _parameters(self) -> dict[str, Any]:
        return {**without_weighing(plain_parameters(self)), "norm": None, "alternate_sign": False}

    def _columns(self) -> int:
        return int(self.n_features)

    def _forget(self) -> None:
        for name in ("document_frequencies_", "n_documents_", "transformer_"):
            if hasattr(self, name):
                delattr(self, name)

    def _take(self, count: int, columns: Any, frequencies: Any) -> None:
        if not hasattr(self, "n_documents_"):
            self.document_frequencies_ = np.zeros(self.n_features, dtype=np.int64)
            self.n_documents_ = 0
        self.n_documents_ += count
        self.document_frequencies_[columns] += frequencies

    def _settle(self) -> None:
        """Make the transformer that `TfidfTransformer.fit` makes, from frequencies alone."""
        weigh = self._transformer()
        with np.errstate(divide="ignore"):  # no document yet
            weigh.fit(sparse.csr_matrix((1, self.n_features), dtype=self.dtype))
        if self.use_idf:
            kind = weigh.idf_.dtype.type
            idf = np.full(self.n_features, self.n_documents_ + int(self.smooth_idf), dtype=kind)
            idf /= self.document_frequencies_.astype(kind) + kind(self.smooth_idf)
            np.log(idf, out=idf)
            idf += 1
            weigh.idf_ = idf
        self.transformer_ = weigh

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags


def _surveyed(parameters: dict[str, Any], documents: Sequence[Any]) -> tuple[int, Any, Any]:
    """Count the documents of a shard that have each column: in a worker."""
    columns, frequencies = np.unique(hashed(parameters, documents).indices, return_counts=True)
    return len(documents), columns, frequencies
