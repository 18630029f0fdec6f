"""Tf-idf of counted terms: the documents that have a term are counted over all shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wrenml.executor import Executor
from wrenml.ml.text.counting import CountVectorizer
from wrenml.ml.text.documents import DEFAULT_SHARDS
from wrenml.ml.text.weighing import Weighing, without_weighing

__all__ = ["TfidfVectorizer"]


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

    def __init__(  # noqa: PLR0913  # scikit-learn's signature
        self,
        *,
        input: str = "content",  # noqa: A002  # scikit-learn's name
        encoding: str = "utf-8",
        decode_error: str = "strict",
        strip_accents: Any = None,
        lowercase: bool = True,
        preprocessor: Any = None,
        tokenizer: Any = None,
        analyzer: Any = "word",
        stop_words: Any = None,
        token_pattern: str | None = r"(?u)\b\w\w+\b",  # noqa: S107  # no password
        ngram_range: tuple[int, int] = (1, 1),
        max_df: float = 1.0,
        min_df: float = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
        binary: bool = False,
        dtype: Any = np.float64,
        norm: str | None = "l2",
        use_idf: bool = True,
        smooth_idf: bool = True,
        sublinear_tf: bool = False,
        n_shards: int = DEFAULT_SHARDS,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            analyzer=analyzer,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
            n_shards=n_shards,
            executor=executor,
        )
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf

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

    def _parameters(self, **others: Any) -> dict[str, Any]:
        return without_weighing(super()._parameters(**others))
