"""joblib's side: the backend that `parallel_config("wrenml")` names. All that is joblib's is imported here."""

from __future__ import annotations

import math
import weakref
from typing import Any

from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend, register_parallel_backend

from wrenml.executor import Executor
from wrenml.ml.choosing import checked, chosen
from wrenml.ml.parallel.dispatcher import Batch, Cost, Dispatcher, Outcome
from wrenml.ml.parallel.packing import LOCAL, REMOTE, Pace, longest

__all__ = ["NAME", "WrenmlBackend", "register"]

NAME = "wrenml"


def register() -> None:
    """Make the backend known to joblib under its name."""
    register_parallel_backend(NAME, WrenmlBackend)


class WrenmlBackend(ParallelBackendBase):  # type: ignore[misc]  # joblib ships no types
    """Runs what `joblib.Parallel` runs on an executor's workers.

    Named in ``joblib.parallel_config("wrenml")`` or ``joblib.Parallel(backend="wrenml")`` once `wrenml.ml` is imported.
    With one worker, or inline, joblib's plain loop runs instead.

    Parameters
    ----------
    nesting_level : int, optional
        joblib's: how deep in `Parallel` calls this is. Default: that of the backend around it.
    inner_max_num_threads : int, optional
        How many threads numerical libraries may use in a worker. Default: what the worker was started with: its share
        of the cores.
    executor : Executor, optional
        Runs the tasks. Default: `wrenml.default_executor`.

    Raises
    ------
    ConfigError
        If `executor` is none.
    """

    default_n_jobs = -1
    supports_retrieve_callback = True
    supports_inner_max_num_threads = True

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        *,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._executor = checked(executor)
        self._cost = Cost()
        self._dispatchers: weakref.WeakKeyDictionary[Any, Dispatcher] = weakref.WeakKeyDictionary()

    @property
    def executor(self) -> Executor:
        """Runs the tasks."""
        return chosen(self._executor)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many packs of tasks run at a time.

        Parameters
        ----------
        n_jobs : int or None
            None and -1 mean all of the executor's workers, -2 all but one; more than there are cannot run.

        Raises
        ------
        ValueError
            If `n_jobs` is 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        workers = self.executor.session.workers
        if n_jobs is None:
            return workers
        return min(n_jobs, workers) if n_jobs > 0 else max(workers + 1 + n_jobs, 1)

    def lanes(self, n_jobs: int | None) -> int:
        """How many packs of tasks run at a time, for a `Parallel` of so many jobs."""
        return self.effective_n_jobs(n_jobs)

    def configure(
        self,
        n_jobs: int | None = 1,
        parallel: object = None,
        *,
        executor: Executor | None = None,
        **_backend_kwargs: object,
    ) -> int:
        """Prepare for a `Parallel`; return how many packs of tasks run at a time.

        Parameters
        ----------
        n_jobs : int or None
            As for `effective_n_jobs`.
        parallel : joblib.Parallel
            What is prepared for.
        executor : Executor, optional
            From ``Parallel(backend="wrenml", executor=…)``: instead of the backend's own.
        **_backend_kwargs
            What joblib tells its own backends: nothing of it matters here.

        Raises
        ------
        joblib.parallel.FallbackToBackend
            If there is one worker, or this is a call: joblib's loop then runs the tasks.
        """
        if executor is not None:
            self._executor = checked(executor)
        count = self.effective_n_jobs(n_jobs)
        if count == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        return count

    def start_call(self) -> None:
        """Take note that other tasks begin, of another cost."""
        self._cost = Cost()

    def compute_batch_size(self) -> int:
        """How many tasks joblib is to hand over together."""
        if self._cost.seconds is None:
            return 1
        seconds = longest(self._pace, packing=self._cost.packing)
        return min(math.ceil(seconds / max(self._cost.seconds, 1e-6)), 4 * self._cost.largest)

    @property
    def _pace(self) -> Pace:
        return LOCAL if self.executor.session.backend == "local" else REMOTE

    def submit(self, func: Batch, callback: Any = None) -> None:
        """Queue a batch of tasks; `callback` is called once there is an outcome, whatever it is.

        Parameters
        ----------
        func : joblib.parallel.BatchedCalls
            The tasks.
        callback : joblib.parallel.BatchCompletionCallBack
            Belongs to one call of `Parallel`.
        """
        dispatcher = self._dispatchers.get(callback.parallel)
        if dispatcher is None or dispatcher.ended:
            lanes = self.lanes(callback.parallel.n_jobs)
            dispatcher = Dispatcher(self.executor, lanes, self.inner_max_num_threads, self._pace, self._cost)
            self._dispatchers[callback.parallel] = dispatcher
        dispatcher.submit(func, callback)

    def apply_async(self, func: Batch, callback: Any = None) -> None:
        """What joblib called `submit` before 1.5."""
        self.submit(func, callback)

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """The results of a batch; warns, prints and raises what it warned of, printed and raised."""
        return out.open()

    def stop_call(self) -> None:
        """Let go of what has nothing left to do."""
        for parallel, dispatcher in list(self._dispatchers.items()):
            if dispatcher.idle:
                dispatcher.end()
            if dispatcher.ended:
                self._dispatchers.pop(parallel, None)

    def terminate(self) -> None:
        """Let go of what has nothing left to do; the executor's workers stay."""
        self.stop_call()

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # joblib's signature
        """Cancel the tasks of the `Parallel` that gives up; workers that are at one of them are ended."""
        for parallel, dispatcher in list(self._dispatchers.items()):
            # A backend may serve several; if joblib no longer says which gives up, all do.
            if getattr(parallel, "_aborting", True):
                dispatcher.end()
        self.stop_call()
