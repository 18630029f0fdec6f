"""Trials as rows with the same columns: plain dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from wrenml.ml.sweep.trial import Trial

__all__ = ["RESULT", "as_html", "metrics_of", "rows"]

RESULT: Final = "result"
"""Column of results that are no dicts."""

_FIXED: Final = ("error", "error_message", "error_traceback", "seconds", "dollars", "reused")
_SHOWN: Final = 100


def metrics_of(trials: Sequence[Trial]) -> list[str] | None:
    """Names of the metrics, in order of appearance; None if results are not all dicts with names as keys."""
    results = [trial.result for trial in trials if trial.error is None]
    if not results or not all(isinstance(each, Mapping) and all(type(key) is str for key in each) for each in results):
        return None
    return list(dict.fromkeys(name for each in results for name in each))


def rows(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return a dict for each trial, all with the same keys; None stands for what there is not.

    Parameters
    ----------
    trials : sequence of Trial
        In the order of the rows.

    Returns
    -------
    list of dict
        Parameters and metrics have columns of their own names, results that are no dicts have ``result``; then
        ``error`` (its type), ``error_message``, ``error_traceback``, ``seconds``, ``dollars``, ``reused``. A parameter
        or metric of a name that is taken has ``param_`` or ``result_`` before it.
    """
    metrics = metrics_of(trials)
    taken = set(_FIXED) if metrics is not None else {*_FIXED, RESULT}
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    params = {name: f"param_{name}" if name in taken else name for name in names}
    taken.update(params.values())
    columns = {name: f"result_{name}" if name in taken else name for name in metrics or ()}
    found = []
    for trial in trials:
        row = {column: trial.params.get(name) for name, column in params.items()}
        if metrics is None:
            row[RESULT] = trial.result
        else:
            row |= {column: (trial.result or {}).get(name) for name, column in columns.items()}
        error = trial.error or (None, None, None)
        found.append(row | dict(zip(_FIXED, (*error, trial.seconds, trial.dollars, trial.reused), strict=True)))
    return found


def as_html(trials: Sequence[Trial], caption: str) -> str:
    """Return the table as HTML for notebooks, without tracebacks; of a long one the first rows."""
    table = rows(trials[:_SHOWN])
    columns = [name for name in (table[0] if table else ()) if name != "error_traceback"]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_shown(row[name]))}</td>' for name in columns)}</tr>" for row in table)
    left = len(trials) - len(table)
    more = f"<p>… and {left:,} more rows: .records has them all</p>" if left else ""
    head = f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f"<table>{head}<tbody>{body}</tbody></table>{more}"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else f"{value!s:.80}"
