"""What was used, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from wrenml.costs.prices import prices_of

__all__ = ["FREE", "LOG_BYTES", "Cost", "Place", "Usage", "cost_of", "in_dollars"]

LOG_BYTES = 1200
"""Bytes that Lambda itself logs of an invocation: its start, end and report as JSON."""

_GB = 1e9
_KEPT_MONTHS = 14 / 30  # the bucket's expiry
_CENT = 0.01
_LEAST = 0.0001


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls run.

    Parameters
    ----------
    region : str
        Such as ``eu-west-1``.
    arch : str
        ``x86_64`` or ``arm64``.
    memory_mb : int
        Of a function, MB.
    timeout : float
        The longest that an invocation may last, seconds. Default: 900.
    sizes : tuple of int
        The memory of all functions there are, MB, rising. Default: that one.
    """

    region: str
    arch: str
    memory_mb: int
    timeout: float = 900.0
    sizes: tuple[int, ...] = ()

    def function_mb(self, wanted: int | None) -> int:
        """Memory of the function that runs a call which wants so much, MB."""
        if wanted is None:
            return self.memory_mb
        return next((size for size in self.sizes if size >= wanted), wanted)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used, countable; two of them add up.

    Parameters
    ----------
    gb_seconds : float
        Of Lambda, environments' starts included. Default: 0.
    invocations, puts, lists, gets : int
        Requests by kind: puts are PUT, POST and COPY, gets GET and HEAD; deletions are free. Default: 0.
    stored_bytes : int
        What stays in the bucket until it expires. Default: 0.
    """

    gb_seconds: float = 0.0
    invocations: int = 0
    puts: int = 0
    lists: int = 0
    gets: int = 0
    stored_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Usage)))


@dataclass(frozen=True, slots=True)
class Cost:
    """What usage comes to.

    Parameters
    ----------
    dollars : float
        In all, US dollars: no free tier, no savings plan, no taxes, and no data that leaves AWS.
    gb_seconds : float
        Of Lambda.
    requests : mapping of str to int
        How many, by kind: ``invoke``, ``put``, ``list``, ``get``.
    items : mapping of str to float
        The dollars, by what they are for: ``compute``, ``invocations``, ``requests`` (of S3), ``storage``
        (until it expires), ``logs``.
    region, arch : str
        Where; empty for what cost nothing, ``several`` for what was added up.
    priced_on : str
        Date of the price table.
    assumed : tuple of str
        Prices that are not known for the region, and are us-east-1's.
    """

    dollars: float = 0.0
    gb_seconds: float = 0.0
    requests: Mapping[str, int] = field(default_factory=dict)
    items: Mapping[str, float] = field(default_factory=dict)
    region: str = ""
    arch: str = ""
    priced_on: str = ""
    assumed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return in_dollars(self.dollars)

    def __add__(self, other: Cost) -> Cost:
        if not other.priced_on:
            return self
        if not self.priced_on:
            return other
        return Cost(
            dollars=self.dollars + other.dollars,
            gb_seconds=self.gb_seconds + other.gb_seconds,
            requests={name: self.requests[name] + other.requests[name] for name in self.requests},
            items={name: self.items[name] + other.items[name] for name in self.items},
            region=self.region if self.region == other.region else "several",
            arch=self.arch if self.arch == other.arch else "several",
            priced_on=self.priced_on,
            assumed=tuple(dict.fromkeys((*self.assumed, *other.assumed))),
        )


FREE: Final = Cost()
"""What local calls cost."""


def cost_of(usage: Usage, place: Place) -> Cost:
    """What usage in a place comes to."""
    prices = prices_of(place.region, place.arch)
    items = {
        "compute": usage.gb_seconds * prices.gb_second,
        "invocations": usage.invocations * prices.invocation,
        "requests": (usage.puts + usage.lists) * prices.write + usage.gets * prices.read,
        "storage": usage.stored_bytes / _GB * _KEPT_MONTHS * prices.gb_month,
        "logs": usage.invocations * LOG_BYTES / _GB * prices.log_gb,
    }
    requests = {"invoke": usage.invocations, "put": usage.puts, "list": usage.lists, "get": usage.gets}
    return Cost(
        dollars=sum(items.values()),
        gb_seconds=usage.gb_seconds,
        requests=requests,
        items=items,
        region=place.region,
        arch=place.arch,
        priced_on=prices.priced_on,
        assumed=prices.assumed,
    )


def in_dollars(amount: float) -> str:
    """Write an amount: ``$12.30``, ``$0.374``, ``$0.0021``, ``under $0.0001``.

    Below a dollar three digits are shown, four places at most: one map often costs less than a cent.
    """
    if amount <= 0:
        return "$0"
    if amount < _LEAST:
        return "under $0.0001"
    if amount < _CENT:
        return f"${amount:.4f}"
    return f"${amount:.3f}" if amount < 1 else f"${amount:,.2f}"
