"""Sweeps of any function: each candidate is a call, and the outcomes are a table.

::

    grid, distributions or dicts ─▶ candidates ─▶ executor.map(timed(fn)) ─▶ futures ─▶ SweepResult
                                                                                 trials, records, frame, plot

Workers load nothing of this package: what times a call travels with the function.
"""

from __future__ import annotations

from wrenml.ml.sweep.result import SweepResult
from wrenml.ml.sweep.sweeping import sweep
from wrenml.ml.sweep.trial import Failure, Trial

__all__ = ["Failure", "SweepResult", "Trial", "sweep"]
