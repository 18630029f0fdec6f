"""Calls whose arguments are other calls' results: held until these are there, then told where they lie."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from wrenml.errors import CallCancelled, InputFailed
from wrenml.failures import message_of
from wrenml.futures import Future
from wrenml.monitor.deliver import locate
from wrenml.monitor.job import Job
from wrenml.monitor.loop import Monitor
from wrenml.references import Ref
from wrenml.storage.base import Storage

__all__ = ["hold", "results_among"]


def results_among(inputs: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Those of an argument's inputs that are results of calls, and no references to stored objects."""
    return tuple(entry for entry in inputs if not Ref.is_reference(entry))


def hold(monitor: Monitor, storage: Storage, job: Job, call: int, inputs: Sequence[Future[object]]) -> None:
    """Have a held call released when its inputs are there, or failed if one of them has failed.

    Parameters
    ----------
    monitor : Monitor
        Runs the job.
    storage : Storage
        Where the inputs lie.
    job : Job
        The call's.
    call : int
        Its number.
    inputs : sequence of Future
        What it waits for.
    """
    waiting = {id(future): future for future in inputs}
    lock = threading.Lock()

    def arrived(future: Future[object]) -> None:
        with lock:
            waiting.pop(id(future), None)
            if waiting:
                return
        try:
            _locate(storage, job, call, inputs)
        except Exception as error:  # noqa: BLE001  # in a callback: nobody else would give the call an outcome
            monitor.fail(job, [call], error)
        else:
            monitor.release(job, call)

    for future in list(waiting.values()):
        future.add_done_callback(arrived)  # type: ignore[arg-type]


def _locate(storage: Storage, job: Job, call: int, inputs: Sequence[Future[object]]) -> None:
    """Note where the results are that a call waits for.

    Raises
    ------
    InputFailed
        If there is no result.
    StorageError
        If it cannot be read.
    """
    for future in inputs:
        error: BaseException | None = None
        if future.cancelled():
            error = CallCancelled(f"call {future.index} of job {future.job_id} was cancelled")
        elif future.errored():  # a result is the worker's to unpickle
            error = future.exception()
        if error is not None:
            failed = InputFailed(
                f"{future!r}, an argument of call {call}, has no result: {type(error).__name__}: {message_of(error)}"
            )
            raise failed from error
    for future in inputs:
        job.locations[future.job_id, future.index] = locate(storage, future.raw, future.job_id, future.index)
