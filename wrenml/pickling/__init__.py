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

from wrenml.pickling.batch import PackedItems
from wrenml.pickling.format import Buffer
from wrenml.pickling.packer import Packer
from wrenml.pickling.results import dumps_result
from wrenml.pickling.unpacker import Unpacker

__all__ = ["Buffer", "PackedItems", "Packer", "Unpacker", "dumps_result"]
