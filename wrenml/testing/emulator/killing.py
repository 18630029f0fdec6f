"""Workers that die amid a request: what no client can tell from a slow one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.web import Answer

__all__ = ["KillSender"]


@dataclass(frozen=True, slots=True)
class KillSender:
    """The environment that sends the request is killed, all its processes at once: a fault for `Faults.add`.

    Parameters
    ----------
    plane : DataPlane
        Where environments run.
    done : bool
        Whether the request is carried out before. Default: it is not.
    """

    plane: DataPlane
    done: bool = False

    def __call__(self, call: Call, proceed: Callable[[Call], Answer]) -> Answer:
        """Kill it, and answer nobody."""
        if self.done:
            proceed(call)
        self.plane.kill(call.caller.access_key)
        return Answer(cut=-1)
