"""Documents in place of features: workers make them features, once, and store these for all epochs.

::

    documents ──put once──▶ storage ──▶ map(featured) ──▶ results, where workers wrote them ──▶ rounds
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import sklearn.feature_extraction.text as theirs
from sklearn.base import clone
from sklearn.utils import check_array, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.validation import validate_data

from wrenml.ml.linear_model.shards import Shard, Stored, checked_weights, features, read
from wrenml.ml.model_selection.engine import Plan
from wrenml.ml.shards import is_dataset
from wrenml.ml.text import HashingVectorizer
from wrenml.ml.text.documents import documents_of, plain_parameters

__all__ = ["OF_A_DATASET", "Documents", "featured", "features_of", "labelled", "read_documents", "store"]


OF_A_DATASET: Final = (
    "vectorizer= is for documents that are given: have the workers write a data set of features with "
    "dataset.transform(…), and learn from that one"
)


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents that stand for a matrix.

    Parameters
    ----------
    documents : list
        One for each row.
    width : int
        Columns of the matrix.
    vectorizer : transformer
        scikit-learn's; it makes a matrix of any documents without having seen others.
    """

    documents: list[Any]
    width: int
    vectorizer: Any

    @classmethod
    def of(cls, vectorizer: Any, given: Iterable[Any]) -> Documents:
        """Take documents as a vectorizer takes them; files are read here.

        Raises
        ------
        TypeError
            If the vectorizer has to be fitted, or is none.
        ValueError
            If there are no documents, or the first ones are not valid.
        """
        plain = _stateless(vectorizer)
        documents = documents_of(vectorizer, given) if hasattr(vectorizer, "decode") else list(given)
        if not documents:
            raise ValueError("Found array with 0 sample(s): there are no documents")
        return cls(documents, plain.transform(documents[:1]).shape[1], plain)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.documents), self.width

    def __getitem__(self, rows: Any) -> Documents:
        some = self.documents[rows] if isinstance(rows, slice) else [self.documents[row] for row in rows]
        return Documents(some, self.width, self.vectorizer)

    def features(self) -> Any:
        """Return the matrix: ndarray or csr matrix of shape (n, width)."""
        return features(self.vectorizer.transform(self.documents))


def features_of(vectorizer: Any, given: Any) -> Any:
    """Return what an estimator learns from and predicts by: features, or documents made into some here.

    Raises
    ------
    ValueError
        If it is a data set in shards.
    """
    if is_dataset(given):
        raise ValueError(
            "a data set is not read here: dataset.map(lambda X, y: model.predict(X)) has workers read and predict its "
            "shards, and dataset.to_arrays() reads all rows"
        )
    return given if vectorizer is None else Documents.of(vectorizer, given).features()


def labelled(estimator: Any, given: Any, y: Any, sample_weight: Any, *, reset: bool = True) -> Shard:
    """Return documents with their labels, for an estimator that has a vectorizer; set or check `n_features_in_`.

    Raises
    ------
    ValueError
        If there are not as many of one as of the other, or they are not valid.
    """
    documents = Documents.of(estimator.vectorizer, given)
    validate_data(estimator, documents, skip_check_array=True, reset=reset)
    if y is not None:
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_consistent_length(documents, y)
    return Shard(documents, y, checked_weights(sample_weight, documents))


def read_documents(vectorizer: Any, given: Iterable[Any]) -> Iterable[Shard]:
    """Check shards that a user gives, one at a time: features, or documents if there is a vectorizer."""
    return read(given) if vectorizer is None else read(given, partial(Documents.of, vectorizer))


def store(plan: Plan, shards: Iterable[Shard]) -> Stored:
    """Store shards, one at a time; those of documents are made features by the workers.

    Raises
    ------
    BaseException
        What the vectorizer raised in a worker, with the shard's number as a note.
    """
    kinds: set[type] = set()

    def noted(shard: Shard) -> Shard:
        kinds.add(type(shard.X))
        return shard

    stored = Stored.of(map(noted, shards), plan.executor)
    if Documents not in kinds:
        return stored
    made = plan.executor.map(featured, stored.refs, **plan.options())
    for number, future in enumerate(made):
        error = future.exception()
        if error is not None:
            made.cancel()
            error.add_note(f"It was raised by the vectorizer, for shard {number}.")
            raise error
    return Stored(list(made), stored.sizes)


def featured(shard: Shard) -> Shard:
    """Return a shard whose documents, if it has some, are made features."""
    return Shard(shard.X.features(), shard.y, shard.weights) if isinstance(shard.X, Documents) else shard


def _stateless(vectorizer: Any) -> Any:
    """Return a vectorizer as scikit-learn's class, that needs no executor where it is sent.

    Raises
    ------
    TypeError
        If it has to be fitted, or is none.
    """
    name = type(vectorizer).__name__
    if not hasattr(vectorizer, "transform") or not hasattr(vectorizer, "__sklearn_tags__"):
        raise TypeError(f"vectorizer={name}: give a transformer of documents, such as HashingVectorizer()")
    if get_tags(vectorizer).requires_fit:
        raise TypeError(
            f"vectorizer={name}(): it has to see all documents before it can make features of one, and a worker sees a "
            "shard. Give HashingVectorizer(), or make the features first and give these"
        )
    if isinstance(vectorizer, HashingVectorizer):
        return theirs.HashingVectorizer(**plain_parameters(vectorizer))
    plain = clone(vectorizer)
    return plain.set_params(input="content") if "input" in plain.get_params() else plain
