"""Cells found before: results of a study, kept in the executor's storage by the content of all they depend on.

::

    searches/<name>/<study>/<time>-<random>.json      [[cell, test, train, fit s, score s, rows], …]

`study` digests data, estimator, scorer, parameters of fit and scoring, and the versions of scikit-learn and numpy;
`cell` a candidate's parameters and the rows of a split. So a search that was killed goes on where it was, and a larger
grid fits only what is new. Entries are JSON: reading them runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import sklearn

from wrenml.executor import Executor
from wrenml.ml.kept import Rows, content_of, safe_name
from wrenml.ml.model_selection.cells import Cell, Study

__all__ = ["Kept"]


class Kept:
    """The cells of one study, those there are and those that come.

    Parameters
    ----------
    executor : Executor
        In whose storage they are.
    name : str
        Of the cache.
    study : Study
        What the cells depend on.
    X, y : data
        As the study has them, but not wrapped.

    Raises
    ------
    ConfigError
        If the name can be none.
    """

    def __init__(self, executor: Executor, name: str, study: Study, X: Any, y: Any) -> None:
        prefix = f"searches/{safe_name(name)}/{_study_digest(study, X, y)}/"
        self._rows = Rows(executor, prefix, "results of a search", width=6)
        self._candidates = [_digest(candidate) for candidate in study.candidates]
        self._splits = [_digest([np.asarray(train), np.asarray(test)]) for train, test in study.splits]

    def find(self, items: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Cell]:
        """Return those of some cells, by candidate and split, that were kept."""
        rows = {row[0]: row[1:] for row in self._rows.read()}
        found = {}
        for item in items:
            row = rows.get(self._key(item))
            if row is not None:
                test, train, fit_time, score_time, count = row
                found[item] = Cell(*item, test, train, fit_time, score_time, None, count)
        return found

    def keep(self, cell: Cell) -> None:
        """Keep a cell, unless it failed: then it may do better another time."""
        if not cell.scored:
            return
        scores = cell.test_scores.values() if isinstance(cell.test_scores, dict) else [cell.test_scores]
        if any(type(score) not in (float, int, bool) for score in scores):
            return
        key = self._key((cell.candidate, cell.split))
        row = [key, cell.test_scores, cell.train_scores, cell.fit_time, cell.score_time, cell.test_rows]
        self._rows.add(row, cell.fit_time + cell.score_time)

    def write(self) -> None:
        """Write the cells that are not written yet."""
        self._rows.write()

    def _key(self, item: tuple[int, int]) -> str:
        return f"{self._candidates[item[0]]}.{self._splits[item[1]]}"


def _study_digest(study: Study, X: Any, y: Any) -> str:
    parts = [
        _digest(part)
        for part in (
            X,
            y,
            study.estimator,
            study.scorer,
            study.metrics,
            dict(study.fit_params),
            dict(study.score_params),
        )
    ]
    versions: Mapping[str, str] = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
    return sha256(json.dumps([parts, versions, study.train_scores, repr(study.error_score)]).encode()).hexdigest()


def _digest(value: Any) -> str:
    return content_of(value, "a search")
