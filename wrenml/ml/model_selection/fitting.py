"""One `fit` of a search: what it proposes is evaluated, and the best is fitted to all data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv

from wrenml import FutureList
from wrenml.ml.callbacks import Callbacks, Task, path_of, replay
from wrenml.ml.interrupting import interruptible, kept_or_not
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.cells import Cell, Study, metadata_of
from wrenml.ml.model_selection.content import as_one
from wrenml.ml.model_selection.engine import Arrived, planned
from wrenml.ml.model_selection.given import given
from wrenml.ml.model_selection.indexing import as_indices, rows_of_params, split
from wrenml.ml.model_selection.kept import Kept
from wrenml.ml.model_selection.results import insert_error_scores, report_failed_fits, tabulate
from wrenml.ml.model_selection.studies import run_study, sees_predictions_only
from wrenml.ml.model_selection.watching import Evaluated, Watch

__all__ = ["Search", "fit_search", "so_far"]

_CELL = "candidate-split-evaluation"  # scikit-learn's name for it


class Search:
    """One `fit` of a search under way.

    Parameters
    ----------
    search : BaseSearchCV
        Tells what to do.
    X, y : data
        As given.
    params : mapping of str to object
        Further arguments of `fit`.
    watch : Watch, optional
        Who wants to know of each cell as it is here.
    """

    def __init__(self, search: Any, X: Any, y: Any, params: Mapping[str, Any], watch: Watch | None = None) -> None:
        self.scorer, self.refit_metric = compat.scorers_of(search)
        self.metrics = compat.metrics_of(self.scorer, search.scoring)
        self.X, self.y, self.sent = given(X, y)
        params = rows_of_params(self.X, params)
        self.routed = compat.routed(search, params)
        self.metadata = metadata_of(params)
        self.context = compat.callbacks_of(search)
        self.search = search
        self.tell(self.context, "begin")
        self.watch = watch
        plan = planned(search.executor, type(search).__name__, search.estimator, search.n_jobs)
        self.plan = replace(plan, started=self._started)
        self.maps: list[FutureList[Any]] = []
        search.evaluated, search.dollars = [], 0.0
        self.cv = check_cv(search.cv, self.y, classifier=is_classifier(search.estimator))
        compat.splitter_is(search, self.cv)
        split = self.routed.splitter.split
        compat.check_inputs(search, self.X, self.y, split)
        search.n_splits_ = self.cv.get_n_splits(self.X, self.y, **split)
        self.estimator = clone(search.estimator)
        self.candidates: list[Mapping[str, Any]] = []
        self.cells: list[Cell] = []
        self.more: dict[str, list[Any]] = {}
        self.results: dict[str, Any] = {}

    def tell(self, context: Any, what: str, **data: Any) -> None:
        """Tell callbacks, if any, of the beginning or end of a task; by default its data are all rows."""
        if context is not None:
            told = {"X": self.X, "y": self.y, "metadata": self.metadata} | data
            getattr(context, f"call_on_fit_task_{what}")(estimator=self.search, **told)

    # Evaluation

    def evaluate(
        self,
        candidate_params: Iterable[Mapping[str, Any]],
        cv: Any = None,
        more_results: Mapping[str, Sequence[Any]] | None = None,
        callback_ctx: Any = None,
    ) -> dict[str, Any]:
        """Evaluate candidates; what `_run_search` is given.

        Parameters
        ----------
        candidate_params : iterable of dict
            The candidates.
        cv : splitter, optional
            Default: the search's own.
        more_results : dict of str to sequence, optional
            Further columns of `cv_results_`, one value for each candidate.
        callback_ctx : CallbackContext, optional
            The task that this is part of.

        Returns
        -------
        dict
            All results so far, as in `cv_results_`.

        Raises
        ------
        ValueError
            If there is nothing to fit, or all fits fail.
        """
        search = self.search
        candidates = list(candidate_params)
        splits = self._splits(cv or self.cv)
        if search.verbose > 0:
            fits = len(candidates) * len(splits)
            print(f"Fitting {len(splits)} folds for each of {len(candidates)} candidates, totalling {fits} fits")  # noqa: T201
        cells = self._run(candidates, splits, callback_ctx)
        if not cells:
            raise ValueError("No fits were performed. Was the CV iterator empty? Were there no candidates?")
        report_failed_fits(cells, search.error_score)
        if callable(search.scoring):
            cells = insert_error_scores(cells, search.error_score)
        self.candidates += candidates
        self.cells += cells
        for name, column in (more_results or {}).items():
            self.more.setdefault(name, []).extend(column)
        train = search.return_train_score
        self.results = tabulate(self.candidates, search.n_splits_, self.cells, self.more, train=train)
        return self.results

    def _splits(self, cv: Any) -> list[tuple[Any, Any]]:
        splits = list(cv.split(self.X, self.y, **self.routed.splitter.split))
        expected = self.search.n_splits_
        if len(splits) != expected:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {expected} splits, got {len(splits)}"
            )
        return splits

    def _run(self, candidates: list[Mapping[str, Any]], splits: list[tuple[Any, Any]], context: Any) -> list[Cell]:
        study = self._study(candidates, splits)
        items = list(product(range(len(candidates)), range(len(splits))))
        watched, callbacks = self._watched(study, candidates, context)
        tell = self._teller(watched, callbacks, context)
        name = self.search.cache
        kept = None if name is None else Kept(self.plan.executor, name, study, self.X, self.y)
        found = {} if kept is None else kept.find(items)
        for item, cell in found.items():
            self._note(cell, candidates[item[0]], reused=True)
        wanted = [item for item in items if item not in found]

        def arrived(_: int, cell: Cell) -> None:
            self._note(cell, candidates[cell.candidate])
            if kept is not None:
                kept.keep(cell)

        try:
            made = run_study(self.plan, watched, wanted, arrived=arrived, opened=None if found else tell)
        finally:
            self.search.dollars += sum(each.cost.dollars for each in self.maps)
            self.maps.clear()
            if kept is not None:
                kept.write()
        reused = bool(found)
        found |= dict(zip(wanted, made, strict=True))
        if tell is not None and reused:
            for number, item in enumerate(items):
                tell(number, found[item])
        return [found[item] for item in items]

    def _study(self, candidates: list[Mapping[str, Any]], splits: list[tuple[Any, Any]]) -> Study:
        search = self.search
        return Study(
            estimator=compat.shipped(self.estimator),
            X=self.sent[0],
            y=self.sent[1],
            splits=as_one(splits),
            candidates=[{name: compat.without_callbacks(value) for name, value in each.items()} for each in candidates],
            scorer=self.scorer,
            metrics=None if self.metrics is None else tuple(self.metrics),
            fit_params=self.routed.estimator.fit,
            score_params=self.routed.scorer.score,
            train_scores=search.return_train_score,
            error_score=search.error_score,
            verbose=search.verbose,
            whole_pipeline=not sees_predictions_only(search.scoring),
        )

    def _started(self, calls: FutureList[Any]) -> None:
        self.maps.append(calls)
        if self.watch is not None:
            self.watch.started(calls)

    def _note(self, cell: Cell, params: Mapping[str, Any], *, reused: bool = False) -> None:
        evaluated = Evaluated.of(cell, dict(params), reused=reused)
        self.search.evaluated.append(evaluated)
        if self.watch is not None:
            self.watch.found.put(evaluated)

    def _watched(
        self, study: Study, candidates: list[Mapping[str, Any]], context: Any
    ) -> tuple[Study, Callbacks | None]:
        """Return a study with proxies for the callbacks that want to know what goes on in a cell, if there are any."""
        callbacks = Callbacks()
        estimator = callbacks.marked(self.estimator)
        marked = [{name: callbacks.marked(value) for name, value in each.items()} for each in candidates]
        if not callbacks.all and (context is None or not compat.passes_callbacks_on(self.search)):
            return study, None
        above = () if context is None else path_of(context)
        cell = Task(type(self.search).__name__, _CELL, 0, 0, sequential=True, stands_for=None)
        scene = callbacks.scene((*above, cell) if above else (), compat.callbacks_set(context))
        return replace(study, estimator=estimator, candidates=marked, scene=scene), callbacks

    def _teller(self, study: Study, callbacks: Callbacks | None, context: Any) -> Arrived | None:
        """Tell callbacks of cells as they are here, in order: callbacks stay in this process."""
        if callbacks is None and (context is None or not compat.has_callbacks(self.search)):
            return None

        def tell(number: int, cell: Cell) -> None:
            train = as_indices(study.splits[cell.split][0])
            task = context and context.subcontext(task_name=_CELL, task_id=number)
            if callbacks is not None and cell.noted.calls:
                replay(cell.noted, callbacks.all, self.search, task, lambda: self._training(train))
            elif task is not None:
                # Functions, since few callbacks ask for data.
                told = {
                    "X": lambda: self._training(train)[0],
                    "y": lambda: self._training(train)[1],
                    "metadata": lambda: metadata_of(rows_of_params(self.X, study.fit_params, train)),
                }
                for what in ("begin", "end"):
                    self.tell(task, what, **told)

        return tell

    def _training(self, train: Any) -> tuple[Any, Any]:
        """Return training rows, as a cell has them."""
        return split(self.estimator, self.X, self.y, train)

    # The result

    def finish(self) -> None:
        """Choose the best candidate, fit it to all data, and give the search its attributes."""
        search, metric = self.search, self.refit_metric
        first = self.cells[0].test_scores
        search.multimetric_ = isinstance(first, dict)
        if callable(search.scoring) and search.multimetric_:
            compat.check_refit(search, first)
            metric = search.refit
        if search.refit or not search.multimetric_:
            search.best_index_ = compat.best_index(search, metric, self.results)
            if not callable(search.refit) or compat.halves(search):
                search.best_score_ = self.results[f"mean_test_{metric}"][search.best_index_]
            search.best_params_ = self.results["params"][search.best_index_]
        if search.refit:
            self._refit()
        search.scorer_ = self.scorer if self.metrics is None else self.metrics
        search.cv_results_ = self.results
        self.tell(self.context, "end")

    def _refit(self) -> None:
        search = self.search
        best = clone(self.estimator).set_params(**clone(search.best_params_, safe=False))
        search.best_estimator_ = best
        fit_params = self.routed.estimator.fit
        with compat.task(self.context, "refit-with-best-params", best) as context:
            self.tell(context, "begin")
            started = time.time()
            if self.y is None:
                best.fit(self.X, **fit_params)
            else:
                best.fit(self.X, self.y, **fit_params)
            search.refit_time_ = time.time() - started
        if hasattr(best, "feature_names_in_"):
            search.feature_names_in_ = best.feature_names_in_
        self.tell(context, "end")


@compat.with_callbacks  # type: ignore[untyped-decorator]
def fit_search(search: Any, X: Any, y: Any, params: Mapping[str, Any], watch: Watch | None = None) -> None:
    """Fit a search; parameters as for `Search`."""
    with compat.fitting(search):
        state = Search(search, X, y, params, watch)
        with interruptible(lambda: so_far(search)):
            compat.propose(search, state.evaluate, state.context)
            state.finish()


def so_far(search: Any) -> str:
    """Say what an interrupted search has."""
    return (
        f"{type(search).__name__} stopped after {len(search.evaluated)} fits. They are in .evaluated and .to_frame(); "
        f"{kept_or_not(search.cache)}"
    )
