"""Hashing: stateless, so that shards need nothing of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import sklearn.feature_extraction.text as theirs

from wrenml.executor import Executor
from wrenml.ml.text.documents import DEFAULT_SHARDS, documents_of, over_shards, plain_parameters, stacked

__all__ = ["HashingVectorizer", "hashed"]


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
        stop_words: Any = None,
        token_pattern: str | None = r"(?u)\b\w\w+\b",  # noqa: S107  # no password
        ngram_range: tuple[int, int] = (1, 1),
        analyzer: Any = "word",
        n_features: int = 2**20,
        binary: bool = False,
        norm: str | None = "l2",
        alternate_sign: bool = True,
        dtype: Any = np.float64,
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
            n_features=n_features,
            binary=binary,
            norm=norm,
            alternate_sign=alternate_sign,
            dtype=dtype,
        )
        self.n_shards = n_shards
        self.executor = executor

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
    return theirs.HashingVectorizer(**parameters).transform(documents)
