"""AWS on loopback: enough of it, and exact enough, to run and test wrenml without an account."""

from __future__ import annotations

from wrenml.testing.emulator.server import Emulator
from wrenml.testing.emulator.stack import Stack

__all__ = ["Emulator", "Stack"]
