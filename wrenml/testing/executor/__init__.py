"""The parts of `wrenml.testing.executor_contract.ExecutorContract`, by theme."""

from __future__ import annotations
