"""What PyWren has and wrenml has not, with the way on."""

from __future__ import annotations

__all__ = ["ABSENT"]

_MACHINES = "there are no standalone machines; use default_executor(), or run the script on such a machine"

ABSENT = {
    "remote_executor": _MACHINES,
    "standalone_executor": _MACHINES,
    "wrenconfig": (
        "no file of PyWren's is read: the limit of elements is max_calls=, and settings are WRENML_… variables or "
        "[tool.wrenml] in pyproject.toml"
    ),
}
"""Names of PyWren's top level, and what to do instead."""
