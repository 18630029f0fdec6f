"""AWS on loopback: enough of it, and exact enough, to run and test wrenml without an account."""

from __future__ import annotations
