"""The calls of a backtest, and the records as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from wrenml import Future, FutureList, as_completed
from wrenml.errors import CallCancelled, CostLimitReached
from wrenml.executor import Executor
from wrenml.ml.backtest.cells import Cell, Cells, flat
from wrenml.ml.backtest.kept import Kept
from wrenml.ml.backtest.origins import Origin
from wrenml.ml.backtest.packing import pack_size, packed, probes
from wrenml.ml.backtest.records import Record
from wrenml.ml.backtest.working import Work
from wrenml.ml.envelope import LOST, Envelope, caller
from wrenml.ml.interrupting import interruptible, kept_or_not

__all__ = ["Calls"]


class Calls:
    """Calls that are under way, and what came of those that are over.

    Parameters
    ----------
    cells : Cells
        What is forecast.
    executor : Executor
        Where.
    options : dict
        Of the map.
    raises : bool
        Whether what a model raises is raised when it is read.
    kept : Kept, optional
        Forecasts that were made before. Default: all are made, and none is kept.
    """

    def __init__(
        self, cells: Cells, executor: Executor, options: dict[str, Any], *, raises: bool, kept: Kept | None = None
    ) -> None:
        self._cells = cells
        self._executor = executor
        self._options = options
        self._raises = raises
        self._kept = kept
        self._work = Work(cells.models, cells.plan.horizon, caller(), options.get("seed"))
        self._made: list[FutureList[Any]] = []
        self._pending: dict[Future[list[Envelope]], Sequence[Cell]] = {}
        self._waiting: Iterator[Future[list[Envelope]]] | None = None
        self._lost: list[Cell] = []
        self._arrived: list[tuple[Cell, Record]] = []
        self._failed: dict[int, BaseException] = {}
        self._lock = threading.RLock()
        self._cancelled = False
        self.total = 0

    def start(self, origins: Sequence[Sequence[Origin]], size: int | None) -> None:
        """Start all calls.

        Parameters
        ----------
        origins : sequence of sequence of Origin
            Of each group.
        size : int, optional
            How many of them a call takes, 0 for all of a group. Default: by the time that the first ones take.
        """
        groups = self._cells.of(origins)
        self.total = sum(len(cells) for group in groups for cells in group)
        possible = [[cells for each in group if (cells := self._wanted(each))] for group in groups]
        everything = [cells for group in possible for cells in group]
        if size is None:
            first = probes(everything, self._executor)
            seconds = self._measured(first)
            done = {cells[0].number for cells in first}
            possible = [[cells for cells in group if cells[0].number not in done] for group in possible]
            size = pack_size(seconds, len(everything) - len(first), self._executor)
        if size:
            self._map([list(flat(pack)) for pack in packed(possible, size)])
        else:
            self._map([list(flat(group)) for group in possible if group])

    def records(self) -> Iterator[Record]:
        """Stream all records: those that are there, then the others as they come.

        Raises
        ------
        BaseException
            What a model raised, where that was asked for. The calls that are not over are cancelled then, as they are
            by Ctrl-C.
        """
        place = 0
        while True:
            while place < len(self._arrived):
                cell, record = self._arrived[place]
                place += 1
                if self._raises and cell.number in self._failed:
                    self.cancel()
                    raise self._failed[cell.number]
                yield record
            with self._lock:
                if place == len(self._arrived) and not self._pull():
                    return

    def ordered(self) -> list[Record]:
        """Wait for all records; return them in the order of groups, cutoffs and models."""
        if self._raises:
            with self._lock:
                while not self._failed and self._pull():
                    pass
            if self._failed:
                self.cancel()
                raise self._failed[min(self._failed)]
        for _ in self.records():
            pass
        return [record for _, record in sorted(self._arrived, key=lambda each: each[0].number)]

    def cancel(self) -> None:
        """Cancel the calls that are not over."""
        self._cancelled = True
        FutureList(list(self._pending)).cancel()
        self._write()

    def _so_far(self) -> str:
        return (
            f"the backtest is cancelled after {self.done} of {self.total} forecasts. They are in .records; "
            f"{kept_or_not(self._kept.name if self._kept else None)}"
        )

    def _write(self) -> None:
        if self._kept is not None:
            self._kept.write()

    @property
    def done(self) -> int:
        """How many records are there."""
        return len(self._arrived)

    @property
    def dollars(self) -> float:
        """What the calls have cost so far."""
        return sum(made.cost.dollars for made in self._made)

    def _wanted(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return the cells of an origin that can be forecast, and were not before."""
        why = self._cells.refused(cells[0].origin)
        if why is not None:
            self._fail(cells, ValueError(why))
            return ()
        if self._kept is None:
            return cells
        wanted = []
        for cell in cells:
            envelope = self._kept.find(cell)
            if envelope is None:
                wanted.append(cell)
            else:
                self._arrived.append((cell, replace(self._cells.record(cell, envelope), reused=True)))
        return wanted

    def _measured(self, first: Sequence[Sequence[Cell]]) -> float | None:
        """Run some origins on their own; return how long the fastest took, seconds."""
        if not first:
            return None
        self._map(first)
        waiting = list(self._pending)
        try:
            # Where none comes back well, how long they take is not known.
            took = [
                sum(each.seconds for each in future.result())
                for future in as_completed(waiting)
                if future.exception() is None
            ]
        except BaseException:  # as above
            self.cancel()
            raise
        return min(took, default=None)

    def _map(self, packs: Sequence[Sequence[Cell]]) -> None:
        if packs:
            made = self._executor.map(self._work, [self._cells.parcel(pack) for pack in packs], **self._options)
            self._made.append(made)
            self._pending.update(zip(made, packs, strict=True))

    def _pull(self) -> bool:
        """Wait for the next call, and take its records; return whether there was one."""
        try:
            if self._waiting is None:
                self._waiting = as_completed(list(self._pending))
            with interruptible(self._so_far, self.cancel):
                future = next(self._waiting, None)
            if future is not None:
                self._take(future)
                return True
        except BaseException:  # the one who reads gives up, by Ctrl-C or otherwise: nobody wants the rest
            self._waiting = None
            self.cancel()
            raise
        self._waiting = None
        self._write()
        # Which forecast of a call lost it is not known: each gets a call of its own.
        lost, self._lost = self._lost, []
        if self._cancelled:
            self._fail(lost, CallCancelled("the call was lost, and not made again: the backtest is cancelled"))
        else:
            self._map([[cell] for cell in lost])
        return bool(lost)

    def _take(self, future: Future[list[Envelope]]) -> None:
        cells = self._pending[future]
        envelopes: Sequence[Envelope] = ()
        try:
            envelopes = future.result()
        except LOST as error:
            if len(cells) > 1 and not self._cancelled:
                self._lost += cells
            else:
                self._fail(cells, error)
        except (CallCancelled, CostLimitReached) as error:
            self._fail(cells, error)
        else:
            self._keep(cells, envelopes)
        del self._pending[future]
        for envelope in envelopes:
            envelope.replay()

    def _keep(self, cells: Sequence[Cell], envelopes: Sequence[Envelope]) -> None:
        for cell, envelope in zip(cells, envelopes, strict=True):
            if self._raises and envelope.failure is not None:
                self._failed[cell.number] = envelope.error() or ValueError(envelope.traceback)
            self._arrived.append((cell, self._cells.record(cell, envelope)))
            if self._kept is not None:
                self._kept.keep(cell, envelope)

    def _fail(self, cells: Sequence[Cell], error: BaseException) -> None:
        for cell in cells:
            self._failed[cell.number] = error
            self._arrived.append((cell, self._cells.failed(cell, error)))
