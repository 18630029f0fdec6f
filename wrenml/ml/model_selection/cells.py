"""One cell: a candidate fitted to the training rows of a split and scored on its test rows.

This runs in the workers. What cells share is a `Study`, sent once; a cell itself is two numbers.
"""

from __future__ import annotations

import contextlib
import numbers
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from traceback import format_exc
from typing import Any, NamedTuple

from joblib.logger import short_format_time

from wrenml.ml.callbacks import NOTHING, Noted, Quiet, Scene, Watched
from wrenml.ml.model_selection.indexing import Indices, Split, as_indices, rows_of_params
from wrenml.ml.model_selection.prefixes import Candidate, Fitted, Prefixes

__all__ = ["Cell", "Study", "evaluate", "failing", "metadata_of", "score"]

_WIDTH = 80


# Without slots, so that what cannot be pickled is named as the attribute it is.
@dataclass(frozen=True, kw_only=True)
class Study:
    """What cells share.

    Parameters
    ----------
    estimator : estimator
        Cloned for each cell.
    X, y : data
        All rows; `y` may be None.
    splits : sequence of (ndarray, ndarray)
        Training and test rows.
    candidates : sequence of dict or None
        Parameters to set; None sets none.
    scorer : callable
        Returns a number or a dict of them.
    metrics : tuple of str, optional
        Names of the scores, where they are known before the first fit. Default: there is one score, or the scorer
        tells.
    fit_params, score_params : mapping of str to object
        For `fit` and for the scorer; those of one entry for each row are cut like X.
    train_scores, keep_estimator : bool, default False
        Whether to score the training rows too, and to return the fitted estimator.
    error_score : float or "raise"
        The score of a fit that fails.
    verbose : int, default 0
        As for `sklearn.model_selection.GridSearchCV`.
    whole_pipeline : bool, default True
        Whether the scorer must see the whole pipeline, or sees nothing but predictions.
    scene : Scene, optional
        Where cells belong whose callbacks want to know what goes on inside. Default: nobody does.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    candidates: Sequence[Mapping[str, Any] | None]
    scorer: Any
    metrics: tuple[str, ...] | None = None
    fit_params: Mapping[str, Any] = field(default_factory=dict)
    score_params: Mapping[str, Any] = field(default_factory=dict)
    train_scores: bool = False
    keep_estimator: bool = False
    error_score: Any = "raise"
    verbose: int = 0
    numbered: bool = True
    whole_pipeline: bool = True
    scene: Scene | None = None


class Cell(NamedTuple):
    """What came of a cell.

    Parameters
    ----------
    candidate, split : int
        Which one it was.
    test_scores : float or dict of str to float
        On the test rows.
    train_scores : float or dict of str to float, optional
        On the training rows, where asked for.
    fit_time, score_time : float
        Seconds; work shared with other cells is charged to each.
    fit_error : str, optional
        The traceback, where the fit failed.
    test_rows : int
        How many there were.
    estimator : estimator, optional
        The fitted one, where asked for.
    scored : bool
        Whether all scores are the scorer's own.
    noted : Noted
        What callbacks are to be told.
    """

    candidate: int
    split: int
    test_scores: Any
    train_scores: Any
    fit_time: float
    score_time: float
    fit_error: str | None
    test_rows: int
    estimator: Any = None
    scored: bool = True
    noted: Noted = NOTHING


def evaluate(study: Study, candidate: int, number: int, prefixes: Prefixes | None = None) -> Cell:
    """Fit a candidate to the training rows of a split, and score it.

    Parameters
    ----------
    study : Study
        What all cells share.
    candidate, number : int
        Which candidate, and which split.
    prefixes : Prefixes, optional
        Fitted beginnings of pipelines, shared with the cells before. Default: nothing is shared.

    Returns
    -------
    Cell
        A fit that raises is a failed cell, unless ``study.error_score`` is ``"raise"``.

    Raises
    ------
    ValueError
        If `error_score` is neither a number nor ``"raise"``, or a score is no number.
    """
    train, test = map(as_indices, study.splits[number])
    if not isinstance(study.error_score, numbers.Number) and study.error_score != "raise":
        raise ValueError(
            "error_score must be the string 'raise' or a numeric value. "
            "(Hint: if using 'raise', please make sure that it has been spelled correctly.)"
        )
    _say_start(study, candidate, number)
    fit_params = rows_of_params(study.X, study.fit_params, train)
    # Where first steps are shared, neither the whole pipeline nor the rows themselves are needed for most cells.
    proposed = Candidate(study.estimator, study.candidates[candidate])
    data = Split(lambda: proposed.whole, study.X, study.y, train, test)
    started = time.perf_counter()
    fitted = None if prefixes is None else prefixes.extend(proposed, (candidate, number), data)
    fitted = fitted or Fitted(proposed.whole, data.X_train)
    with _scene(study, candidate, number, data) as scene:
        told: dict[str, Any] = {}
        if study.scene is not None:
            told = {"X": data.X_train, "y": data.y_train, "metadata": metadata_of(fit_params)}
        try:
            with scene.fitting(fitted.estimator, **told):
                _fit(fitted, data.y_train, fit_params)
        except Exception:
            if study.error_score == "raise":
                raise
            cell = _failed(study, candidate, number, time.perf_counter() - started, data.test_count)
        else:
            took = time.perf_counter() - started + fitted.fit_seconds
            cell = _scored(study, (candidate, number), fitted, data, took)
        finally:
            scene.ended(**told)
        noted = scene.noted()
    _say_end(study, cell)
    return cell._replace(noted=noted)


def _scene(
    study: Study, candidate: int, number: int, data: Split
) -> contextlib.AbstractContextManager[Quiet | Watched]:
    if study.scene is None:
        return contextlib.nullcontext(Quiet())
    place = candidate * len(study.splits) + number
    return study.scene.numbered(place).entered(lambda: (data.X_train, data.y_train))


def metadata_of(fit_params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what callbacks are told of the parameters of a fit."""
    weight = fit_params.get("sample_weight")
    return None if weight is None else {"sample_weight": weight}


def _fit(fitted: Fitted, y: Any, fit_params: Mapping[str, Any]) -> None:
    if y is None:
        fitted.estimator.fit(fitted.X_train, **fit_params)
    else:
        fitted.estimator.fit(fitted.X_train, y, **fit_params)


def _failed(study: Study, candidate: int, number: int, took: float, test_rows: int) -> Cell:
    scores = failing(study)
    trained = failing(study) if study.train_scores else None
    return Cell(candidate, number, scores, trained, took, 0.0, format_exc(), test_rows, scored=False)


def failing(study: Study) -> Any:
    """Return the scores of a fit that failed."""
    return study.error_score if study.metrics is None else dict.fromkeys(study.metrics, study.error_score)


def _scored(study: Study, cell: tuple[int, int], fitted: Fitted, data: Split, fit_time: float) -> Cell:
    started = time.perf_counter()
    estimator, X_train, X_test = fitted.for_scoring(data, whole=study.whole_pipeline)
    test_scores, good = score(study, estimator, X_test, data.y_test, data.test)
    score_time = time.perf_counter() - started + fitted.score_seconds
    train_scores = None
    if study.train_scores:
        train_scores, also = score(study, estimator, X_train(), data.y_train, data.train)
        good = good and also
    kept = fitted.whole() if study.keep_estimator else None
    return Cell(*cell, test_scores, train_scores, fit_time, score_time, None, data.test_count, kept, good)


def score(study: Study, estimator: Any, X: Any, y: Any, selected: Indices) -> tuple[Any, bool]:
    """Score a fitted estimator.

    Parameters
    ----------
    study : Study
        Tells the scorer, its parameters and what a failing score counts.
    estimator : estimator
        Fitted.
    X, y : data
        The rows selected.
    selected : ndarray
        Which rows of the study these are.

    Returns
    -------
    scores : float or dict of str to float
        The scores.
    good : bool
        False if `study.error_score` stands for one.

    Raises
    ------
    ValueError
        If a score is no number.
    """
    params = rows_of_params(study.X, study.score_params, selected)
    good = True
    try:
        scores = study.scorer(estimator, X, **params) if y is None else study.scorer(estimator, X, y, **params)
    except Exception:
        # A scorer of several metrics catches on its own what is to be caught.
        if study.metrics is not None or study.error_score == "raise":
            raise
        scores, good = study.error_score, False
        _warn_of_score(study, format_exc())
    if study.metrics is not None:
        for name, text in scores.items():
            if isinstance(text, str):
                scores[name], good = study.error_score, False
                _warn_of_score(study, text)
    if isinstance(scores, dict):
        return {name: _number(value, name) for name, value in scores.items()}, good
    return _number(scores, study.scorer), good


def _warn_of_score(study: Study, details: str) -> None:
    warnings.warn(
        "Scoring failed. The score on this train-test partition for "
        f"these parameters will be set to {study.error_score}. Details: \n{details}",
        UserWarning,
        stacklevel=2,
    )


def _number(value: Any, scorer: Any) -> Any:
    if hasattr(value, "item"):
        with contextlib.suppress(ValueError):
            value = value.item()
    if not isinstance(value, numbers.Number):
        # The type that scikit-learn raises.
        raise ValueError(f"scoring must return a number, got {value} ({type(value)}) instead. (scorer={scorer})")  # noqa: TRY004
    return value


# What is printed, as scikit-learn prints it: from level 2 on a line at the end, from 10 on one at the start.


def _progress(study: Study, candidate: int, number: int) -> str:
    if study.verbose <= 2 or not study.numbered:  # noqa: PLR2004
        return ""
    text = f" {number + 1}/{len(study.splits)}"
    return text if study.verbose <= 9 else f"{text}; {candidate + 1}/{len(study.candidates)}"  # noqa: PLR2004


def _parameters(study: Study, candidate: int) -> str:
    parameters = study.candidates[candidate] or {}
    return ", ".join(f"{name}={parameters[name]}" for name in sorted(parameters))


def _say_start(study: Study, candidate: int, number: int) -> None:
    if study.verbose > 9:  # noqa: PLR2004
        start = f"[CV{_progress(study, candidate, number)}] START {_parameters(study, candidate)}"
        print(f"{start}{(_WIDTH - len(start)) * '.'}")  # noqa: T201


def _say_end(study: Study, cell: Cell) -> None:
    if study.verbose <= 1:
        return
    end = f"[CV{_progress(study, cell.candidate, cell.split)}] END "
    text = _parameters(study, cell.candidate)
    text += ";" if text else ""
    if study.verbose > 2:  # noqa: PLR2004
        text += _scores_text(cell)
    text += f" total time={short_format_time(cell.score_time + cell.fit_time)}"
    print(end + "." * (_WIDTH - len(end) - len(text)) + text)  # noqa: T201


def _scores_text(cell: Cell) -> str:
    test, train = cell.test_scores, cell.train_scores
    if isinstance(test, dict):
        return "".join(
            f" {name}: ({'' if train is None else f'train={train[name]:.3f}, '}test={test[name]:.3f})"
            for name in sorted(test)
        )
    return f", score={test:.3f}" if train is None else f", score=(train={train:.3f}, test={test:.3f})"
