"""Rounds of learning as they are seen from here: the model goes to each shard, and the answers are joined.

::

    here                                         worker, one call a shard
    model ── up: with the arguments, or a blob ─▶  fetch the shard, load the model, compute
    combine(answers) ◀─────────────────── down ──  Answer
       ├─▶ history: loss, seconds, time by phase
       ├─▶ checkpoint: the joint answer, under what it depends on
       └─▶ callback
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from wrenml.ml.linear_model.checkpoints import Checkpoint
from wrenml.ml.linear_model.entering import Survey, loaded
from wrenml.ml.linear_model.gradients import Answer, joined, n_problems, parted
from wrenml.ml.linear_model.history import LearningRound, LearningState
from wrenml.ml.model_selection.engine import Plan, run

__all__ = ["Learning", "Task", "known_model"]

Task = Callable[[Any, Any, int], Answer]
"""Gets the model, a shard and its number."""

_INLINE_BYTES: Final = 1 << 14  # of a model that travels with each call's arguments; a larger one is stored once


class _Now:
    """Becomes the time at which it is unpickled: what stands between two of them took as long to load."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.perf_counter, ()


@dataclass(frozen=True, slots=True)
class _Done:
    """An answer, and how long a worker took for it."""

    answer: Answer
    fetch: float
    load: float
    compute: float
    ended: float


@dataclass(frozen=True, slots=True)
class _Timed:
    """Runs a task in a worker, timed."""

    task: Task

    def __call__(self, began: float, model: Any, between: float, given: Any, fetched: float, number: int) -> _Done:
        """Run it on an item's parts, which are unpickled in this order."""
        vector = np.frombuffer(model) if isinstance(model, bytes) else model
        start = time.perf_counter()
        shard = loaded(given)
        ready = time.perf_counter()
        answer = self.task(vector, shard, number)
        over = time.perf_counter()
        return _Done(answer, fetched - between + ready - start, between - began, over - ready, time.time())


class Learning:
    """The rounds of one fit.

    Parameters
    ----------
    plan : Plan
        Where they run.
    shards : sequence
        What stands for each shard in a call's arguments.
    task : Task
        What a worker does with one; the same in all rounds, so that it is loaded once.
    combine : callable
        Makes one answer of the shards' answers, in their order.
    problems : int
        Rows of the coefficients.
    checkpoint : Checkpoint, optional
        Where answers are kept. Default: nowhere.
    callback : callable, optional
        Called with a `LearningState` after each round; if it returns something true, learning is to stop.
    """

    def __init__(
        self,
        plan: Plan,
        shards: Sequence[Any],
        task: Task,
        *,
        combine: Callable[[list[Answer]], Answer],
        problems: int,
        checkpoint: Checkpoint | None = None,
        callback: Callable[[LearningState], object] | None = None,
    ) -> None:
        self.history: list[LearningRound] = []
        self.stopped = False
        self._plan = plan
        self._shards = shards
        self._task = _Timed(task)
        self._combine = combine
        self._problems = problems
        self._checkpoint = checkpoint
        self._callback = callback

    def round(self, vector: Any, loss: Callable[[Answer], float], number: int = 0) -> Answer:
        """Show each shard a model; return the joint answer.

        Parameters
        ----------
        vector : ndarray
            The model.
        loss : callable
            Of a joint answer, as it is to stand in the history.
        number : int, default 0
            Told the task with the shard's number, where answers depend on it.
        """
        kept = None if self._checkpoint is None else self._checkpoint.find(vector, number)
        if kept is None:
            answer, seconds, phases = self._run(vector, number)
            if self._checkpoint is not None:
                self._checkpoint.keep(vector, number, (answer, seconds, phases))
        else:
            answer, seconds, phases = kept
        made = LearningRound(len(self.history), loss(answer), seconds, *phases, kept is not None)
        self.history.append(made)
        if self._callback is not None:
            coef, intercept = parted(vector, self._problems)
            state = LearningState(made, list(self.history), coef.copy(), intercept.copy())
            self.stopped = bool(self._callback(state)) or self.stopped
        return answer

    def _run(self, vector: Any, number: int) -> tuple[Answer, float, tuple[float, float, float, float]]:
        start = time.perf_counter()
        arrivals = [0.0] * len(self._shards)

        def arrived(shard: int, _: _Done) -> None:
            arrivals[shard] = time.time()

        model = vector if vector.nbytes <= _INLINE_BYTES else self._plan.executor.put(vector.tobytes())
        items = [
            (_Now(), model, _Now(), shard, _Now(), number * len(self._shards) + place)
            for place, shard in enumerate(self._shards)
        ]
        # One call for each shard: its worker needs that shard only.
        alone = [[place] for place in range(len(items))]
        done: list[_Done] = run(self._plan, self._task, items, groups=alone, arrived=arrived)
        answer = self._combine([each.answer for each in done])
        send = sum(max(0.0, there - each.ended) for there, each in zip(arrivals, done, strict=True))
        phases = (
            sum(each.fetch for each in done),
            sum(each.load for each in done),
            sum(each.compute for each in done),
            send,
        )
        return answer, time.perf_counter() - start, phases


def known_model(estimator: Any, survey: Survey) -> Any:
    """Return the model, as a vector, with which an estimator's next fit is to begin; None if with zeros.

    It is that of the last fit, with `warm_start` and the same classes and features.
    """
    shape = (n_problems(survey.classes), survey.n_features)
    known = getattr(estimator, "classes_", ())
    if not estimator.warm_start or not np.array_equal(known, survey.classes) or estimator.coef_.shape != shape:
        return None
    return joined(estimator.coef_, estimator.intercept_ if estimator.fit_intercept else np.zeros(shape[0]))
