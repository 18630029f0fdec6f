"""AWS mocked inside one process, for tests of programs that run calls on Lambda; needs ``wrenml[testing]``.

`wrenml.testing.plugin` has fixtures of it.
"""

from __future__ import annotations

from wrenml.testing.mocked.aws import MockedAWS

__all__ = ["MockedAWS"]
