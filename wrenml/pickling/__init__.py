"""Pickling with what is large or shared kept out of the stream.

::

    client                                                        worker
    Packer.dumps(fn) ───────packed────────────────────────────▶  Unpacker.loads ─▶ fn
    Packer.dumps_many(items) ─packed, one by one──────────────▶  Unpacker.loads ─▶ argument
        │  large buffers, objects that recur                            ▲
        └──▶ put_blob(sha256, buffers) ──▶ blobs ──▶ get_blob(sha256) ──┘
    Unpacker.loads ◀──────packed, large buffers inline────────── dumps_result(result)

Functions and classes of importable modules are pickled by name, those of ``__main__``, and of modules made in
memory, by value. `wrenml.pickling.format` says how packed bytes are laid out.
"""

from __future__ import annotations

import importlib

__all__ = ["Buffer", "PackedItems", "Packer", "Unpacker", "dumps_result"]

# Workers unpickle arguments and pickle results; what packs functions and arguments is not for them to load.
_HOMES = {
    "Buffer": "format",
    "PackedItems": "batch",
    "Packer": "packer",
    "Unpacker": "unpacker",
    "dumps_result": "results",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
