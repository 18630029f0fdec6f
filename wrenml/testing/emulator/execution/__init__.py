"""How the emulated Lambda runs what it is given: processes, their environments, and the queue of events."""

from __future__ import annotations
