"""What a map may cost, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from wrenml.costs.cost import Cost, Place, Usage, cost_of, in_dollars

__all__ = ["Estimate", "estimate"]

_COLD_SECONDS = 1.0  # of an environment with scientific libraries; billed
_FIXED_PUTS = 3  # manifest, job spec, arguments
_FIXED_LISTS = 20
_CALLS_A_LIST = 100
_SHORTEST = 0.1  # seconds; below, the rest of an invocation counts for more


@dataclass(frozen=True, slots=True)
class Estimate:
    """Between what a map's cost is likely to lie.

    Parameters
    ----------
    low, high : Cost
        The same where it is known how long calls last.
    second : Cost
        For each second that a call lasts.
    seconds : float, optional
        How long calls last, as measured; None if that is not known: then `low` is of calls of 0.1 s, and
        `high` of calls that all reach their limit.
    limit : float
        That limit, seconds.
    """

    low: Cost
    high: Cost
    second: Cost
    seconds: float | None
    limit: float

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"about {self.high}, if calls last {self.seconds:.3g} s as before"
        second = in_dollars(self.second.dollars)
        return f"{second} for each second a call lasts, at most {self.high} (all reach the limit of {self.limit:g} s)"


def estimate(
    calls: int,
    place: Place,
    *,
    chunksize: int = 1,
    at_once: int = 1000,
    seconds: float | None = None,
    limit: float | None = None,
    stored_bytes: int = 0,
) -> Estimate:
    """Say what a map may cost.

    An invocation takes one request of Lambda, one PUT by the worker and one GET by the client; a new
    environment is billed for its start, taken for 1 s, and reads the function.

    Parameters
    ----------
    calls : int
        How many.
    place : Place
        Where they run.
    chunksize : int, default 1
        Calls an invocation carries.
    at_once : int, default 1000
        Invocations that run at a time, each in an environment taken to be new.
    seconds : float, optional
        How long a call lasts, if that is known.
    limit : float, optional
        The longest that it may last, seconds. Default: as long as the deployed function may.
    stored_bytes : int, default 0
        Of function and arguments.
    """
    invocations = -(-calls // chunksize)
    limit = place.timeout if limit is None else min(limit, place.timeout)
    # However long its calls may be: no invocation outlasts the function's own limit.
    most = min(calls * limit, invocations * place.timeout)

    def of(total: float) -> Cost:
        cold = min(invocations, at_once)
        gb = place.memory_mb / 1024
        return cost_of(
            Usage(
                gb_seconds=gb * (total + _COLD_SECONDS * cold),
                invocations=invocations,
                puts=invocations + _FIXED_PUTS if calls else 0,
                lists=_FIXED_LISTS + calls // _CALLS_A_LIST if calls else 0,
                gets=invocations + cold,
                stored_bytes=stored_bytes,
            ),
            place,
        )

    second = cost_of(Usage(gb_seconds=place.memory_mb / 1024 * calls), place)
    low, high = (_SHORTEST * calls, most) if seconds is None else (min(seconds * calls, most),) * 2
    return Estimate(of(min(low, most)), of(high), second, seconds, limit)
