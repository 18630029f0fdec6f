"""Tf-idf of counted terms: the documents that have a term are counted over all shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wrenml.ml.signatures import with_parameters
from wrenml.ml.text.counting import CountVectorizer
from wrenml.ml.text.weighing import Weighing, without_weighing

__all__ = ["TfidfVectorizer"]


@with_parameters(dtype=np.float64, norm="l2", use_idf=True, smooth_idf=True, sublinear_tf=False)
class TfidfVectorizer(Weighing, CountVectorizer):
    """scikit-learn's `TfidfVectorizer`, whose documents are read by the workers of an executor.

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
    idf_ : ndarray of shape (n_terms,)
        Inverse document frequencies, with `use_idf` only.
    """

    def fit_transform(self, raw_documents: Iterable[Any], y: Any = None) -> Any:
        """Learn the terms of documents and their frequencies, and weigh them.

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
        return self._weighed_first(super().fit_transform(raw_documents, y))

    def transform(self, raw_documents: Iterable[Any]) -> Any:
        """Weigh the known terms in documents.

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
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        self._check_fitted()
        return self._weighed(super().transform(raw_documents))

    def _columns(self) -> int | None:
        known: Any = getattr(self, "vocabulary_", self.vocabulary)
        return len(known) if hasattr(known, "__len__") else None

    def _parameters(self, **others: Any) -> dict[str, Any]:
        return without_weighing(super()._parameters(**others))
