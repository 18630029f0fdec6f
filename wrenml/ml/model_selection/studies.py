"""Running the cells of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wrenml.errors import CallError
from wrenml.ml.model_selection.cells import Cell, Study, evaluate, failing
from wrenml.ml.model_selection.engine import Arrived, Plan, groups_of, run
from wrenml.ml.model_selection.prefixes import Prefixes, shared_steps

__all__ = ["CellTask", "run_study", "sees_predictions_only"]


class CellTask:
    """The task of a worker: one cell.

    Parameters
    ----------
    study : Study
        What all cells share.
    prefixes : Prefixes, optional
        Fitted steps that they share.
    """

    def __init__(self, study: Study, prefixes: Prefixes | None = None) -> None:
        self._study = study
        self._prefixes = prefixes

    def __call__(self, candidate: int, split: int) -> Cell:
        """Evaluate a cell."""
        return evaluate(self._study, candidate, split, self._prefixes)


def run_study(
    plan: Plan,
    study: Study,
    items: Sequence[tuple[int, int]],
    *,
    arrived: Arrived | None = None,
    opened: Arrived | None = None,
) -> list[Cell]:
    """Evaluate cells of a study; return them in order.

    Parameters
    ----------
    plan : Plan
        Where and how.
    study : Study
        What the cells share.
    items : sequence of (int, int)
        Candidate and split of each.
    arrived, opened : callable, optional
        As for `engine.run`.

    Raises
    ------
    BaseException
        What the first cell in order raised that raised anything.
    """
    keys = None if study.scene is not None else shared_steps(study.estimator, study.candidates, study.fit_params)
    prefixes = None if keys is None else Prefixes(keys, train_scores=study.train_scores)
    groups = None if keys is None else groups_of(items, keys, plan.workers)
    task = CellTask(study, prefixes)
    return run(plan, task, items, groups=groups, arrived=arrived, opened=opened, lost=_lost(study, items))


def _lost(study: Study, items: Sequence[tuple[int, int]]) -> Callable[[int, CallError], Cell]:
    def lost(number: int, error: CallError) -> Cell:
        if study.error_score == "raise":
            raise error
        text = f"{type(error).__module__}.{type(error).__qualname__}: {error}\n"
        rows = len(study.splits[items[number][1]][1])
        scores = failing(study)
        train = failing(study) if study.train_scores else None
        return Cell(*items[number], scores, train, np.nan, np.nan, text, rows, scored=False)

    return lost


def sees_predictions_only(scoring: Any) -> bool:
    """Whether scorers are known by name: such see nothing of an estimator but what it predicts."""
    names = scoring.values() if isinstance(scoring, Mapping) else scoring
    if scoring is None or isinstance(scoring, str):
        return True
    return not callable(scoring) and all(isinstance(name, str) for name in names)
