from __future__ import annotations

from array import array

import pytest

from wrenml import auth
from wrenml.errors import StorageUnavailableError
from wrenml.monitor.arguments import Arguments, Chunk
from wrenml.monitor.records import read_arguments
from wrenml.storage import MemoryStorage
from wrenml.testing.storage_faults import FlakyStorage, StorageFault, Strike

JOB, KEY = "0" * 16, bytes(32)


def chunk(first: int, *items: bytes) -> Chunk:
    offsets = array("Q", [0])
    for item in items:
        offsets.append(offsets[-1] + len(item))
    return Chunk(first, b"".join(items), offsets)


@pytest.mark.parametrize("strike", [Strike.REFUSE, Strike.LOSE_ANSWER])
def test_arguments_that_could_not_be_stored_are_stored_by_the_next_write(strike: Strike) -> None:
    storage = FlakyStorage(MemoryStorage(), [StorageFault("put", strike, "/args/", skip=1)])
    arguments = Arguments(JOB, auth.label_key(KEY, "args"), storage.put)
    arguments.add(chunk(0, b"a", b"bc"))
    arguments.write()
    arguments.add(chunk(2, b"d"))
    arguments.add(chunk(3, b"efg"))
    with pytest.raises(StorageUnavailableError):
        arguments.write()
    arguments.add(chunk(4, b"h"))

    arguments.write()

    found = read_arguments(storage, KEY, JOB)
    assert [(one.first, one.stop) for one in found] == [(0, 2), (2, 5)]
    assert b"".join(one.data for one in found) == b"abcdefgh"
    _, where = arguments.locate(3, 1) or ((), None)
    assert where is not None
    assert storage.get(where.key, start=where.start, stop=where.stop) == b"efg"
