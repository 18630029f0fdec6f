"""What a search found, in scikit-learn's form: `cv_results_`, scores by name, and what is said of failed fits."""

from __future__ import annotations

import numbers
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import FitFailedWarning

from wrenml.ml.model_selection.cells import Cell

__all__ = ["by_name", "insert_error_scores", "report_failed_fits", "stack", "tabulate"]

Floats = np.ndarray[Any, Any]


def stack(scores: Sequence[Any]) -> Any:
    """Return numbers as an array, anything else as a list."""
    return np.asarray(scores) if isinstance(scores[0], numbers.Number) else list(scores)


def by_name(scores: Sequence[Any]) -> dict[str, Any]:
    """Return scores by metric; the only one is called ``"score"``.

    Parameters
    ----------
    scores : sequence of float or of dict of str to float
        Of each cell.
    """
    if isinstance(scores[0], dict):
        return {name: stack([score[name] for score in scores]) for name in scores[0]}
    return {"score": stack(scores)}


def insert_error_scores(cells: Sequence[Cell], error_score: Any) -> list[Cell]:
    """Give failed cells a score for each metric, whose names only successful cells of a callable scorer tell.

    Parameters
    ----------
    cells : sequence of Cell
        Of all cells.
    error_score : float or "raise"
        The score of a failed cell.
    """
    names = next((cell.test_scores for cell in cells if cell.fit_error is None), None)
    if not isinstance(names, dict):
        return list(cells)
    failed = dict.fromkeys(names, error_score)
    return [
        cell
        if cell.fit_error is None
        else cell._replace(test_scores=dict(failed), train_scores=None if cell.train_scores is None else dict(failed))
        for cell in cells
    ]


def report_failed_fits(cells: Sequence[Cell], error_score: Any) -> None:
    """Warn of failed fits, each traceback once.

    Raises
    ------
    ValueError
        If all have failed.
    """
    errors = [cell.fit_error for cell in cells if cell.fit_error is not None]
    if not errors:
        return
    line = "-" * 80 + "\n"
    summary = "\n".join(
        f"{line}{times} fits failed with the following error:\n{error}" for error, times in Counter(errors).items()
    )
    if len(errors) == len(cells):
        raise ValueError(
            f"\nAll the {len(cells)} fits failed.\n"
            "It is very likely that your model is misconfigured.\n"
            "You can try to debug the error by setting error_score='raise'.\n\n"
            f"Below are more details about the failures:\n{summary}"
        )
    warnings.warn(
        f"\n{len(errors)} fits failed out of a total of {len(cells)}.\n"
        "The score on these train-test partitions for these parameters"
        f" will be set to {error_score}.\n"
        "If these failures are not expected, you can try to debug them "
        "by setting error_score='raise'.\n\n"
        f"Below are more details about the failures:\n{summary}",
        FitFailedWarning,
        stacklevel=2,
    )


def tabulate(
    candidates: Sequence[Mapping[str, Any]],
    splits: int,
    cells: Sequence[Cell],
    more: Mapping[str, Sequence[Any]] | None = None,
    *,
    train: bool = False,
) -> dict[str, Any]:
    """Make `cv_results_`.

    Parameters
    ----------
    candidates : sequence of dict
        Parameters of each.
    splits : int
        How many cells each has.
    cells : sequence of Cell
        All cells of the first candidate, then of the second.
    more : mapping of str to sequence, optional
        Further columns, put first.
    train : bool, default False
        Whether training scores were taken.

    Returns
    -------
    dict of str to array
        Times and scores are float64 of shape (candidates,), ranks int32, parameters masked arrays.
    """
    results: dict[str, Any] = {name: np.asarray(column) for name, column in (more or {}).items()}
    shape = len(candidates), splits
    _add(results, "fit_time", [cell.fit_time for cell in cells], shape)
    _add(results, "score_time", [cell.score_time for cell in cells], shape)
    results |= _columns(candidates)
    results["params"] = list(candidates)
    test = by_name([cell.test_scores for cell in cells])
    trained = by_name([cell.train_scores for cell in cells]) if train else {}
    for name, scores in test.items():
        _add_splits(results, f"test_{name}", scores, shape)
        _add(results, f"test_{name}", scores, shape)
        results[f"rank_test_{name}"] = _rank(results[f"mean_test_{name}"])
        if train:
            _add_splits(results, f"train_{name}", trained[name], shape)
            _add(results, f"train_{name}", trained[name], shape)
    return results


def _add(results: dict[str, Any], name: str, values: Sequence[Any], shape: tuple[int, int]) -> None:
    table = np.array(values, dtype=np.float64).reshape(shape)
    means = np.average(table, axis=1)
    results[f"mean_{name}"] = means
    if not name.endswith("_time") and not np.isfinite(means).all():
        which = name.split("_", maxsplit=1)[0]
        warnings.warn(f"One or more of the {which} scores are non-finite: {means}", UserWarning, stacklevel=2)
    results[f"std_{name}"] = np.sqrt(np.average((table - means[:, np.newaxis]) ** 2, axis=1))


def _add_splits(results: dict[str, Any], name: str, values: Sequence[Any], shape: tuple[int, int]) -> None:
    table = np.array(values, dtype=np.float64).reshape(shape)
    results.update({f"split{i}_{name}": table[:, i] for i in range(shape[1])})


def _rank(means: Floats) -> Floats:
    if np.isnan(means).all():
        return np.ones_like(means, dtype=np.int32)
    # What failed is tied with the worst.
    filled = np.nan_to_num(means, nan=np.nanmin(means) - 1)
    return np.asarray(rankdata(-filled, method="min").astype(np.int32, copy=False))


def _columns(candidates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One masked array for each parameter: masked where a candidate lacks it."""
    found: dict[str, dict[int, Any]] = {}
    for i, candidate in enumerate(candidates):
        for name, value in candidate.items():
            found.setdefault(f"param_{name}", {})[i] = value
    columns = {}
    for name, values in found.items():
        column: Any = np.ma.MaskedArray(np.empty(len(candidates), dtype=_dtype(list(values.values()))), mask=True)
        for i, value in values.items():
            column[i] = value
        columns[name] = column
    return columns


def _dtype(values: list[Any]) -> np.dtype[Any]:
    try:
        array = np.array(values)
    except ValueError:  # sequences of several lengths
        return np.dtype(object)
    return array.dtype if array.dtype.kind != "U" and array.ndim == 1 else np.dtype(object)
