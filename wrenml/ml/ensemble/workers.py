"""joblib's side of bagging."""

from __future__ import annotations

from typing import Final

from wrenml.executor import Executor
from wrenml.ml.parallel import WrenmlBackend

__all__ = ["DividedBackend"]

_PARTS: Final = 8  # of the work of each worker


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
