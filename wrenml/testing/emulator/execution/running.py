"""One run of an event: an environment, its report, the log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wrenml.testing.emulator.execution.environments import Environment, Event, Ran
from wrenml.testing.emulator.execution.fleet import Fleet
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.reports import Books, Report

__all__ = ["Order", "Runner"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and what its report says of it."""

    version: FunctionVersion
    qualifier: str
    event: Event
    kind: str
    attempt: int = 1


class Runner:
    """Runs events, each in an environment of its own for that time."""

    def __init__(self, fleet: Fleet, books: Books) -> None:
        self._fleet = fleet
        self._books = books

    async def run(self, order: Order, start_by: float | None = None) -> tuple[Ran, str]:
        """Run an event; return how it went, and the tail of its log.

        Parameters
        ----------
        order : Order
            What to run.
        start_by : float, optional
            When it must have an environment, by the event loop's clock. Default: at any time.

        Raises
        ------
        TimeoutError
            If it had none by then.
        OSError
            If its process cannot be started.
        ConfigError
            If environments of this version cannot be started here.
        """
        async with asyncio.timeout_at(start_by):
            environment = await self._fleet.acquire(order.version)
        self._books.started()
        init_ms, environment.init_ms = environment.init_ms, 0.0
        try:
            ran = await environment.run(order.event)
        except BaseException:
            self._books.abandoned()
            self._fleet.release(environment)
            raise
        report = _report(order, environment, ran, init_ms)
        self._books.ended(report)
        environment.log.ended(report, ran.status)
        tail = environment.log.tail()
        self._fleet.release(environment)
        return ran, tail


def _report(order: Order, environment: Environment, ran: Ran, init_ms: float) -> Report:
    return Report(
        request_id=order.event.request_id,
        function=order.version.name,
        version=order.version.version,
        qualifier=order.qualifier,
        kind=order.kind,
        attempt=order.attempt,
        environment=environment.log.stream,
        duration_ms=ran.seconds * 1000,
        init_ms=init_ms,
        memory_mb=order.version.memory_mb,
        peak_mb=environment.memory.peak_mb,
        fault=ran.fault.kind if ran.fault else None,
    )
