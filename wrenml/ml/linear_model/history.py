"""What is known of the rounds of a fit: loss and time, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

__all__ = ["LearningRound", "LearningState", "history_to_frame"]


@dataclass(frozen=True, slots=True)
class LearningRound:
    """A round: a model was shown to all shards.

    Parameters
    ----------
    round : int
        Its number, from 0.
    loss : float
        Of the model that the round was given.
    seconds : float
        From its start until all answers were joined here.
    fetch : float
        Seconds that workers took to get their shards, summed over the shards, as below.
    load : float
        To get and load the model.
    compute : float
        To compute.
    send : float
        From the end of that until the answer was here, by the clocks of both sides.
    kept : bool
        Whether it was not run but found in the checkpoint; its times are then those of when it ran.
    """

    round: int
    loss: float
    seconds: float
    fetch: float
    load: float
    compute: float
    send: float
    kept: bool = False


@dataclass(frozen=True, slots=True)
class LearningState:
    """What a callback is told after a round.

    Parameters
    ----------
    round : LearningRound
        The round.
    history : list of LearningRound
        All so far; it is the last.
    coef : ndarray of shape (n_problems, n_features)
        Of the model that the round was given, and that its loss is of.
    intercept : ndarray of shape (n_problems,)
        Likewise.
    """

    round: LearningRound
    history: list[LearningRound]
    coef: Any
    intercept: Any


def history_to_frame(history: Any) -> Any:
    """Return the history of a fit as a table.

    Parameters
    ----------
    history : estimator or list of LearningRound
        A fitted estimator with `history_`, or the list itself.

    Returns
    -------
    pandas.DataFrame
        A row for each round, with the fields of `LearningRound`, and ``total``, the seconds of all rounds up to it.

    Raises
    ------
    TypeError
        If there is no history: it is not fitted, or another estimator.
    """
    import pandas as pd  # noqa: PLC0415  # an extra of its own, and slow to load

    rounds: Sequence[LearningRound] = getattr(history, "history_", history)
    if not isinstance(rounds, Sequence):
        raise TypeError(
            f"{type(history).__name__} has no history_: give a fitted LogisticRegression, LinearSVC or "
            "ParallelSGDClassifier, or its history_"
        )
    totals = accumulate(each.seconds for each in rounds)
    return pd.DataFrame([asdict(each) | {"total": total} for each, total in zip(rounds, totals, strict=True)])
