"""Counts weighed by inverse document frequencies, as scikit-learn's `TfidfTransformer` does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils.validation import check_is_fitted

__all__ = ["Weighing", "without_weighing"]

_PARAMETERS = ("norm", "use_idf", "smooth_idf", "sublinear_tf")


def without_weighing(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of counting among those of a vectorizer that weighs."""
    return {name: value for name, value in parameters.items() if name not in _PARAMETERS}


class Weighing:
    """Weighs counts; its parameters are `TfidfTransformer`'s."""

    use_idf: bool
    transformer_: Any
    _columns: Callable[[], int | None]
    """How many columns there are; None if that is not known yet."""

    @property
    def idf_(self) -> Any:
        """Inverse document frequencies of the columns. They may be set, too: then nothing need be learned.

        Raises
        ------
        ValueError
            If they are set with ``use_idf=False``, or for another number of columns.
        """
        self._check_fitted()
        return self.transformer_.idf_

    @idf_.setter
    def idf_(self, value: Any) -> None:
        if not self.use_idf:
            raise ValueError("idf_ cannot be set with use_idf=False: nothing is weighed by it")
        columns = self._columns()
        if columns is not None and len(value) != columns:
            raise ValueError(f"idf_ has {len(value)} weights, and there are {columns} columns: give one for each")
        transformer = self._transformer()
        transformer.idf_ = value
        self.transformer_ = transformer

    def _check_fitted(self) -> None:
        check_is_fitted(self, "transformer_", msg="The TF-IDF vectorizer is not fitted")

    def _transformer(self) -> Any:
        return TfidfTransformer(**{name: getattr(self, name) for name in _PARAMETERS})

    def _weighed_first(self, counts: Any) -> Any:
        """Learn the frequencies from counts, and weigh these."""
        weigh = self._transformer()
        weighed = weigh.fit_transform(counts)
        self.transformer_ = weigh
        return weighed

    def _weighed(self, counts: Any) -> Any:
        """Weigh counts, which are overwritten."""
        return self.transformer_.transform(counts, copy=False)
