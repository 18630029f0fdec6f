"""``wrenml demo``: cross-validation folds and a parameter sweep on real data, in parallel, and again one by one."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from wrenml.cli.exits import Exit
from wrenml.demo import Task, accuracy
from wrenml.errors import NotSupportedError
from wrenml.executors import default_executor
from wrenml.observe.text import plural, span

__all__ = ["run_demo"]

_SHOWN = 8


class _Row(NamedTuple):
    """A candidate's line of the table; accuracies from 0 to 1."""

    model: str
    parameters: str
    mean: float
    spread: float


def run_demo(arguments: argparse.Namespace) -> int:
    """Run the demo; it fails where parallel and serial numbers differ."""
    images, digits = _data()
    folds = 3 if arguments.quick else 5
    tasks = _tasks(folds, quick=arguments.quick)
    fit = partial(accuracy, images, digits, folds)

    _say(f"{len(images):,} images of handwritten digits, {images.shape[1]} pixels each (scikit-learn's load_digits)")
    _say(f"{plural(len(tasks) // folds, 'candidate')} × {folds} folds = {plural(len(tasks), 'fit')}\n")

    began = time.perf_counter()
    with default_executor() as executor:
        futures = executor.map(fit, tasks, name="cross-validation")
        scores = futures.results()
        parallel = time.perf_counter() - began
        where = f"{executor.session.backend}, {plural(executor.session.workers, 'worker')}"
    _say_table(tasks, scores)

    _say("\nThe same fits one after another in this process, for comparison …")
    began = time.perf_counter()
    serial_scores = [fit(task) for task in tasks]
    serial = time.perf_counter() - began
    if serial_scores != scores:
        sys.stderr.write("wrenml: parallel and serial scores differ, which is a defect; please report it.\n")
        return Exit.FAILED
    _say(f"  parallel  {span(parallel):>8}  ({where}; starting them and importing scikit-learn there included)")
    _say(f"  serial    {span(serial):>8}  (all {plural(len(tasks), 'fit')}, measured)")
    _say(f"  speed-up  {serial / parallel:>6.2f} ×")
    _say(f"  scores    equal, all {len(tasks)}")
    if executor.session.backend != "inline":
        _say(f"\n`wrenml show {futures.id}` tells more.")
    return Exit.DONE


def _tasks(folds: int, *, quick: bool) -> list[Task]:
    strengths, widths = ((1, 10), (1e-3,)) if quick else ((0.1, 1, 10, 100), (1e-4, 3e-4, 1e-3, 3e-3, 1e-2))
    trees, features = (20, (8,)) if quick else (100, (4, 8, 16))
    candidates: list[tuple[str, tuple[tuple[str, float], ...]]] = [
        ("support vectors", (("C", strength), ("gamma", width))) for strength, width in product(strengths, widths)
    ]
    candidates += [
        (model, (("n_estimators", trees), ("max_features", count)))
        for model, count in product(("random forest", "extra trees"), features)
    ]
    return [Task(*candidate, fold) for candidate, fold in product(candidates, range(folds))]


def _data() -> tuple[Any, Any]:
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise NotSupportedError(
            "the demo needs scikit-learn, which is not installed here: pip install 'wrenml[ml]', or run scripts/demo "
            "in a checkout."
        ) from None
    images, digits = load_digits(return_X_y=True)
    return images, digits


def _say_table(tasks: Sequence[Task], scores: Sequence[float]) -> None:
    grouped: dict[tuple[str, tuple[tuple[str, float], ...]], list[float]] = {}
    for task, score in zip(tasks, scores, strict=True):
        grouped.setdefault((task.model, task.parameters), []).append(score)
    rows = [
        _Row(model, ", ".join(f"{name}={value:g}" for name, value in parameters), statistics.mean(each), _spread(each))
        for (model, parameters), each in grouped.items()
    ]
    rows.sort(key=lambda row: row.mean, reverse=True)
    widest = max(len(row.parameters) for row in rows)
    _say(f"\n  {'':>4}  {'model':<15}  {'parameters':<{widest}}  accuracy")
    for place, row in enumerate(rows[:_SHOWN], 1):
        figure = f"{100 * row.mean:.2f} % ± {100 * row.spread:.2f}"
        _say(f"  {place:>3}.  {row.model:<15}  {row.parameters:<{widest}}  {figure}")
    if len(rows) > _SHOWN:
        _say(f"        … and {len(rows) - _SHOWN} more, down to {100 * rows[-1].mean:.2f} %")


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
