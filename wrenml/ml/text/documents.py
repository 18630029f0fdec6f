"""Documents cut into shards, each read by one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from scipy import sparse

from wrenml.ml.model_selection.content import as_content
from wrenml.ml.model_selection.engine import planned, run

__all__ = ["DEFAULT_SHARDS", "documents_of", "over_shards", "plain_parameters", "stacked"]

DEFAULT_SHARDS: Final = 8


def documents_of(vectorizer: Any, raw_documents: Iterable[Any]) -> list[Any]:
    """Return documents as what a worker can read: files are opened here.

    Raises
    ------
    ValueError
        With scikit-learn's words, if a string is given instead of documents, or a document is NaN.
    """
    if isinstance(raw_documents, str):
        # The type that scikit-learn raises.
        raise ValueError("Iterable over raw text documents expected, string object received.")  # noqa: TRY004
    if isinstance(raw_documents, np.ndarray) and raw_documents.ndim == 1:
        raw_documents = raw_documents.tolist()  # numpy's own strings are five times as many bytes, pickled
    documents = (
        list(raw_documents) if vectorizer.input == "content" else [vectorizer.decode(raw) for raw in raw_documents]
    )
    # scikit-learn tells it by identity, which no copy has.
    if any(document is np.nan for document in documents):  # noqa: PLW0177  # identity is meant
        raise ValueError("np.nan is an invalid document, expected byte or unicode string.")
    return documents


def over_shards(vectorizer: Any, task: Callable[[Sequence[Any]], Any], documents: Sequence[Any]) -> list[Any]:
    """Run a task on each shard of some documents; return what it returns, in order.

    Parameters
    ----------
    vectorizer : estimator
        Tells `n_shards` and `executor`.
    task : callable
        Gets a list of documents.
    documents : sequence
        Cut into at most `n_shards` parts of about the same number of characters.

    Raises
    ------
    ValueError
        If `n_shards` is not 1 or more; or what the task raises.
    """
    n_shards = vectorizer.n_shards
    if not isinstance(n_shards, int | np.integer) or n_shards < 1:
        raise ValueError(f"n_shards={n_shards!r}: give a whole number, 1 or more")
    plan = planned(vectorizer.executor, "text", vectorizer, None)
    shards = [(as_content(shard),) for shard in _cut(documents, int(n_shards))]
    return run(plan, task, shards, groups=[[number] for number in range(len(shards))])


def _cut(documents: Sequence[Any], n_shards: int) -> Iterable[list[Any]]:
    lengths = [len(document) if hasattr(document, "__len__") else 1 for document in documents]
    wanted = (sum(lengths) + len(lengths)) / n_shards
    shard: list[Any] = []
    had = made = 0.0
    for document, length in zip(documents, lengths, strict=True):
        shard.append(document)
        had += length + 1
        if had >= wanted * (made + 1):
            yield shard
            shard, made = [], made + 1
    if shard or not made:
        yield shard


def stacked(parts: Sequence[Any]) -> Any:
    """Return the rows of several matrices as one, that may be written to; results need not."""
    return parts[0].copy() if len(parts) == 1 else sparse.vstack(parts, format="csr")


def plain_parameters(vectorizer: Any, **others: Any) -> dict[str, Any]:
    """Return the parameters that scikit-learn's class of the same name knows, some of them changed.

    Documents are read before they are sent, so `input` is ``"content"``.
    """
    own = vectorizer.get_params(deep=False)
    return {name: value for name, value in own.items() if name not in ("n_shards", "executor")} | {
        "input": "content",
        **others,
    }
