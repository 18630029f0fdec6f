"""Hashing: stateless, so that shards need nothing of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import sklearn.feature_extraction.text as theirs
from scipy import sparse

from wrenml.ml.signatures import with_parameters
from wrenml.ml.text.documents import DEFAULT_SHARDS, documents_of, over_shards, plain_parameters, stacked

__all__ = ["HashingVectorizer", "hashed"]


@with_parameters(n_shards=DEFAULT_SHARDS, executor=None)
class HashingVectorizer(theirs.HashingVectorizer):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `HashingVectorizer`, whose documents are read by the workers of an executor.

    Parameters
    ----------
    n_shards : int, default 8
        How many calls the documents are shared among; the result is the same.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.
    """

    def transform(self, X: Iterable[Any]) -> Any:
        """Return the documents' hashed terms.

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
        """
        documents = documents_of(self, X)
        return stacked(over_shards(self, partial(hashed, plain_parameters(self)), documents))


def hashed(parameters: dict[str, Any], documents: Sequence[Any]) -> Any:
    """Return the hashed terms of documents: in a worker."""
    vectorizer = theirs.HashingVectorizer(**parameters)
    if not documents:  # scikit-learn asks for the first
        return sparse.csr_matrix((0, vectorizer.n_features), dtype=vectorizer.dtype)
    return vectorizer.transform(documents)
