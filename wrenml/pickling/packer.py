"""Packing functions, arguments and values for workers."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import repeat

from wrenml.errors import ArgumentNotSerializable, FunctionNotSerializable
from wrenml.pickling.batch import BLOB_FROM, AsInput, Batch, PackedItems, packed_items, picklers, trial
from wrenml.pickling.blame import attempt, blame
from wrenml.pickling.blobs import Blobs, PutBlob
from wrenml.pickling.sharing import FIXED_SIZE, notable_parts

__all__ = ["Packer"]


class Packer:
    """Packs what a job sends to its workers.

    Parameters
    ----------
    put_blob : callable
        Called with a 32-byte SHA-256 and the buffers whose bytes it is of, once for each digest. The buffers
        are the caller's memory: write or copy them before returning.
    as_input : callable, optional
        From an object to the job and index of the call whose result it stands for, or None. Default: no
        object does.

    Attributes
    ----------
    modules : set of str
        Modules that what was packed so far refers to by name, and those its by-value functions import.

    Notes
    -----
    Not for use by several threads at once. Arguments are values: each is pickled on its own, so what two of
    them share is two objects in the worker. Large objects that recur among the arguments (the argument itself
    or a direct part of it) are stored once; a part of such an object that also stands elsewhere in the same
    argument, and is no direct part of it, arrives twice.
    """

    def __init__(self, put_blob: PutBlob, *, as_input: AsInput | None = None) -> None:
        self.modules: set[str] = set()
        self._blobs = Blobs(put_blob)
        self._as_input = as_input

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a context in which no buffer that is packed changes, so that each is hashed only once.

        Without it that holds for the length of one `dumps` or `dumps_many`. Do not run the user's code, such
        as a generator of arguments, inside.
        """
        return self._blobs.snapshot()

    def dumps(self, obj: object, *, name: str | None = None) -> bytes:
        """Pack one object; its buffers of 64 KB and more become blobs.

        Parameters
        ----------
        obj : object
            A function or any value.
        name : str, optional
            What errors call it. Default: a function's name, else "the object".

        Raises
        ------
        FunctionNotSerializable
            A function, class or other callable that cannot be pickled; names the variable.
        ArgumentNotSerializable
            Another object that cannot be pickled; names the path inside it.
        """
        pickler = picklers().ValuePickler(self.modules, BLOB_FROM)
        pickled, error = attempt(pickler.pickle, obj)
        if pickled is None or error is not None:
            raise self._refused(obj, name, error)
        with self._blobs.snapshot():
            packed = self._blobs.join(*pickled)
            self._blobs.flush()
        return packed

    def dumps_many(self, items: Sequence[object], *, start: int = 0) -> PackedItems:
        """Pack arguments, each on its own.

        Parameters
        ----------
        items : sequence
            The arguments.
        start : int
            Number of the first, for messages. Default: 0.

        Returns
        -------
        PackedItems
            What cannot be pickled is in its `errors`; the others are not affected.
        """
        if type(items) not in {list, tuple}:
            items = list(items)
        if FIXED_SIZE.issuperset(map(type, items)):
            return packed_items(list(map(pickle.dumps, items, repeat(5))))
        parts_of = list(map(notable_parts, items))
        if not any(parts_of):
            return packed_items(list(map(pickle.dumps, items, repeat(5))))
        with self._blobs.snapshot():
            return Batch(self.modules, self._blobs, self._as_input, items, parts_of).pack(start)

    def _refused(
        self, obj: object, name: str | None, error: Exception | None
    ) -> FunctionNotSerializable | ArgumentNotSerializable:
        kind: type[FunctionNotSerializable | ArgumentNotSerializable] = ArgumentNotSerializable
        called = "the object"
        if callable(obj):
            kind = FunctionNotSerializable
            called = getattr(obj, "__qualname__", type(obj).__qualname__)
        refused = kind(blame(obj, name or called, error or TypeError("cannot be pickled"), trial))
        refused.__cause__ = error
        return refused
