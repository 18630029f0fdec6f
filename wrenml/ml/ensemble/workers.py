"""What makes ensembles of scikit-learn ours: the parameter `executor`, and joblib's side of bagging."""

from __future__ import annotations

from functools import wraps
from inspect import Parameter, signature
from typing import Any, Final, TypeVar

from wrenml.executor import Executor
from wrenml.ml.parallel import WrenmlBackend

__all__ = ["DividedBackend", "with_executor"]

Kind = TypeVar("Kind", bound=type)

_PARTS: Final = 8  # of the work of each worker


def with_executor(kind: Kind) -> Kind:
    """Give a class that inherits from an estimator of scikit-learn one more parameter, `executor`.

    The others, their order and their defaults are those of the scikit-learn that is installed.

    Parameters
    ----------
    kind : type
        Inherits its `__init__`.
    """
    theirs: Any = kind.__init__  # type: ignore[misc]  # of a class whose parents are known
    own = signature(theirs)

    @wraps(theirs)
    def init(self: Any, *args: Any, executor: Executor | None = None, **params: Any) -> None:
        theirs(self, *args, **params)
        self.executor = executor

    ours = Parameter("executor", Parameter.KEYWORD_ONLY, default=None, annotation="Executor | None")
    # scikit-learn asks the signature which parameters there are.
    init.__signature__ = own.replace(parameters=[*own.parameters.values(), ours])  # type: ignore[attr-defined]
    kind.__init__ = init  # type: ignore[misc]
    return kind


class DividedBackend(WrenmlBackend):
    """For ensembles that cut their work into as many parts as there are jobs, whatever a part takes.

    They are told of more jobs: parts can be packed by how long they take, and a lost one costs little.

    Parameters
    ----------
    n_jobs : int, optional
        How many packs of parts may run at a time. Default: as many as there are workers.
    executor : Executor, optional
        Runs the parts. Default: `wrenml.default_executor`.
    """

    def __init__(self, n_jobs: int | None, *, executor: Executor | None) -> None:
        super().__init__(executor=executor)
        self._n_jobs = n_jobs

    def lanes(self, n_jobs: int | None) -> int:  # noqa: ARG002  # joblib's number is that of the parts
        """How many packs of parts run at a time."""
        return super().effective_n_jobs(self._n_jobs)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many parts to make: several for each worker, but one where there is one worker."""
        lanes = self.lanes(n_jobs)
        return lanes if lanes == 1 else _PARTS * lanes
