"""Random state of a call: fresh entropy, or a function of the map's seed and the call's number."""

from __future__ import annotations

import contextlib
import os
import sys
from hashlib import sha256

__all__ = ["seed_call"]


def seed_call(seed: int | None, call: int) -> None:
    """Seed the random modules that are loaded.

    Without a seed each call starts from fresh entropy, whatever an earlier call of the same process did to the global
    generators. With one, modules are seeded from ``SHA-256(seed, call)``: the same numbers whoever runs the call.

    Parameters
    ----------
    seed : int, optional
        The map's seed.
    call : int
        The call's number.
    """
    loaded = sys.modules
    if seed is None:
        if "random" not in loaded:
            return
        value = os.urandom(12)
    else:
        value = sha256(f"{seed}:{call}".encode()).digest()
        if "numpy.random" not in loaded:
            # Imported by the call itself it would start unseeded, and later calls of this worker would not.
            with contextlib.suppress(ImportError):
                import numpy.random  # noqa: F401, PLC0415
    import random  # noqa: PLC0415  # loaded already, or wanted by a seed

    random.seed(int.from_bytes(value[:8], "big"))
    generators = loaded.get("numpy.random")
    if generators is not None:
        generators.seed(int.from_bytes(value[8:12], "big"))
