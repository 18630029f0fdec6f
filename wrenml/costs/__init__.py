"""What AWS charges for a job: prices, usage, what it comes to, and what it may come to.

::

    prices (region, architecture) ─┐
    usage (Lambda, S3, logs) ──────┴─▶ cost_of ──▶ Cost        after, and while a job runs: Meter
    calls and their likely length ──▶ estimate ──▶ Estimate    before
"""

from __future__ import annotations

from wrenml.costs.cost import FREE, Cost, Place, Usage, cost_of, in_dollars
from wrenml.costs.estimate import Estimate, estimate
from wrenml.costs.meter import Meter, Requests
from wrenml.costs.prices import Prices, prices_of

__all__ = [
    "FREE",
    "Cost",
    "Estimate",
    "Meter",
    "Place",
    "Prices",
    "Requests",
    "Usage",
    "cost_of",
    "estimate",
    "in_dollars",
    "prices_of",
]
