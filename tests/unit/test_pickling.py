from __future__ import annotations

import functools
import hashlib
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from wrenml.errors import (
    ArgumentNotSerializable,
    FunctionNotSerializable,
    ResultNotSerializable,
    WireError,
)
from wrenml.pickling import Buffer, PackedItems, Packer, Unpacker, dumps_result

MB = 1024 * 1024


class Blobs:
    """Blobs in memory; each read is a fresh, writable copy."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.puts: list[int] = []
        self.gets = 0

    def put(self, digest: bytes, buffers: Sequence[Buffer]) -> None:
        whole = b"".join(buffers)
        assert hashlib.sha256(whole).digest() == digest
        self.puts.append(len(whole))
        self.data[digest] = whole

    def get(self, digest: bytes) -> bytearray:
        self.gets += 1
        return bytearray(self.data[digest])


class Holder:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


class Ticket:
    """Stands for another call's result."""

    def __init__(self, index: int) -> None:
        self.index = index


def as_input(obj: object) -> tuple[str, int] | None:
    return ("job", obj.index) if isinstance(obj, Ticket) else None


def by_value(source: str, name: str) -> Any:  # noqa: ANN401 - whatever the source makes
    """Something that a script made: its module is ``__main__``."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)  # noqa: S102 - the source is the test's own
    return scope[name]


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture
def packer(blobs: Blobs) -> Packer:
    return Packer(blobs.put)


@pytest.fixture
def unpacker(blobs: Blobs) -> Unpacker:
    return Unpacker(blobs.get, lambda job, index: [job, index])


def item(packed: PackedItems, i: int) -> bytes:
    return packed.data[packed.offsets[i] : packed.offsets[i + 1]]


def every(packed: PackedItems, unpacker: Unpacker) -> list[Any]:
    return [unpacker.loads(item(packed, i)) for i in range(len(packed.offsets) - 1)]


def test_small_values_are_plain_pickles(packer: Packer, unpacker: Unpacker) -> None:
    data = packer.dumps({"a": (1, None, "x")})
    assert data[0] == 0x80
    assert unpacker.loads(data) == {"a": (1, None, "x")}


def test_a_large_buffer_is_one_blob_in_a_writable_array(blobs: Blobs, packer: Packer) -> None:
    array = np.arange(MB, dtype="u1")
    data = packer.dumps([array])
    assert blobs.puts == [MB]
    assert len(data) < 1000
    loaded = Unpacker(blobs.get).loads(data)[0]
    assert (loaded == array).all()
    loaded[0] = 7
    assert Unpacker(blobs.get).loads(data)[0][0] == array[0]


@pytest.mark.parametrize(
    "value",
    [
        np.arange(200_000).reshape(400, 500).T,
        np.arange(400_000)[::2],
        np.array([{"a": 1}, None, "x"] * 1000, dtype=object),
        np.zeros(50_000, dtype=[("a", "i4"), ("b", "f8")]),
        np.array(3.5),
        np.zeros((0, 3)),
        np.float32(2.5),
        np.ma.masked_less(np.arange(100_000), 5),
    ],
    ids=["transposed", "strided", "object", "structured", "0-d", "empty", "scalar", "masked"],
)
def test_numpy_values(value: Any, packer: Packer, unpacker: Unpacker) -> None:  # noqa: ANN401 - any value
    for loaded in (
        unpacker.loads(packer.dumps(value)),
        unpacker.loads(bytearray(b"".join(dumps_result(value)))),
        *every(packer.dumps_many([value, (value,), 1]), unpacker)[:1],
    ):
        np.testing.assert_array_equal(loaded, value)
        assert loaded.dtype == value.dtype


def test_a_read_only_array_stays_read_only(packer: Packer, unpacker: Unpacker) -> None:
    array = np.ones(100_000)
    array.flags.writeable = False
    assert not unpacker.loads(packer.dumps(array)).flags.writeable


def test_pandas_and_sparse_values(packer: Packer, unpacker: Unpacker) -> None:
    frame = pd.DataFrame({"a": np.arange(100_000), "b": ["x"] * 100_000})
    sparse = scipy.sparse.random(1000, 1000, 0.1, format="csr", random_state=0)
    (first, loaded), (second, _) = every(packer.dumps_many([(frame, sparse)] * 2), unpacker)
    pd.testing.assert_frame_equal(first, frame)
    assert (loaded != sparse).nnz == 0
    first.loc[0, "a"] = -1
    assert second.loc[0, "a"] == 0


def test_texts_and_bytearrays(packer: Packer, unpacker: Unpacker) -> None:
    values = [b"x" * MB, "é" * MB, bytearray(b"y" * MB), "\ud800"]
    assert every(packer.dumps_many(values), unpacker) == values
    assert unpacker.loads(packer.dumps(values)) == values


def test_a_shared_array_is_hashed_and_stored_once(blobs: Blobs, packer: Packer, unpacker: Unpacker) -> None:
    array = np.arange(MB // 8)
    packed = packer.dumps_many([(i, array) for i in range(50)])
    assert blobs.puts == [MB]
    assert len(packed.data) < 50 * 500
    for i, (index, loaded) in enumerate(every(packed, unpacker)):
        assert index == i
        assert (loaded == array).all()
        loaded[:] = -1


@pytest.mark.parametrize("wrap", [list, dict, functools.partial, Holder])
def test_what_recurs_as_a_direct_part_is_stored_once(
    wrap: type, blobs: Blobs, packer: Packer, unpacker: Unpacker
) -> None:
    shared = {f"key {i}": [i] for i in range(2000)}
    make: dict[type, Callable[[int], object]] = {
        list: lambda i: [i, shared],
        dict: lambda i: {"i": i, "shared": shared},
        functools.partial: lambda i: functools.partial(sorted, shared, key=i),
        Holder: lambda i: Holder(i=i, shared=shared),
    }
    packed = packer.dumps_many([make[wrap](i) for i in range(20)])
    assert len(blobs.puts) == 1
    assert len(packed.data) < 20 * 500
    take: dict[type, Callable[[Any], object]] = {
        list: lambda x: x[1],
        dict: lambda x: x["shared"],
        functools.partial: lambda x: x.args[0],
        Holder: lambda x: x.shared,
    }
    first, second, *_ = (take[wrap](x) for x in every(packed, unpacker))
    assert first == second == shared
    assert first is not second


def test_items_and_large_texts_that_recur_are_stored_once(blobs: Blobs, packer: Packer, unpacker: Unpacker) -> None:
    text, numbers = b"t" * 100_000, list(range(10_000))
    packed = packer.dumps_many([text, numbers, text, numbers, (1, text)])
    assert len(blobs.puts) == 2
    assert len(packed.data) < 2000
    assert every(packed, unpacker) == [text, numbers, text, numbers, (1, text)]


def test_identity_within_an_item_is_kept(packer: Packer, unpacker: Unpacker) -> None:
    model = list(range(5000))
    config = {"model": model, "name": "x" * 5000}
    other = list(model)
    for loaded in every(packer.dumps_many([(config, model, model, other) for _ in range(3)]), unpacker):
        config_, first, second, third = loaded
        assert first is second
        assert config_["model"] is first
        assert third == first
        assert third is not first


def test_objects_that_recur_and_hold_each_other(packer: Packer, unpacker: Unpacker) -> None:
    left, right = Holder(data="l" * 10_000), Holder(data="r" * 10_000)
    left.other, right.other = right, left  # type: ignore[attr-defined]
    for a, b in every(packer.dumps_many([(left, right)] * 2 + [(left, right)]), unpacker):
        assert a.other is b
        assert b.other is a
    itself: list[object] = ["x" * 10_000]
    itself.append(itself)
    loaded, _ = every(packer.dumps_many([(1, itself), (2, itself)]), unpacker)
    assert loaded[1][1] is loaded[1]


def test_two_items_never_share_an_object(packer: Packer, unpacker: Unpacker) -> None:
    small: list[int] = [1]
    first, second = every(packer.dumps_many([{"a": small}, {"a": small}]), unpacker)
    first["a"].append(2)
    assert second == {"a": [1]}


def test_a_buffer_changed_between_two_packings_is_hashed_again(packer: Packer, unpacker: Unpacker) -> None:
    array = np.zeros(MB, dtype="u1")
    before = packer.dumps_many([(0, array)])
    array[:] = 1
    after = packer.dumps_many([(0, array)])
    assert every(before, unpacker)[0][1].sum() == 0
    assert every(after, unpacker)[0][1].sum() == MB


def test_within_a_snapshot_a_buffer_is_hashed_once(packer: Packer, unpacker: Unpacker) -> None:
    # A change that is not to happen is the only sign that the second hash was spared.
    array = np.zeros(MB, dtype="u1")
    with packer.snapshot():
        packer.dumps(array)
        array[:] = 1
        data = packer.dumps(array)
    assert unpacker.loads(data).sum() == 0
    assert unpacker.loads(packer.dumps(array)).sum() == MB


class Sliced:
    """Pickles as parts of one buffer, all of one length."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[object, ...]:
        return Sliced, ([pickle.PickleBuffer(part) for part in self.parts],)


@pytest.mark.parametrize("owner", [bytearray, np.array])
def test_parts_of_one_buffer_are_told_apart(owner: Callable[[Any], Any], packer: Packer, unpacker: Unpacker) -> None:
    whole = memoryview(owner(np.arange(2 * MB, dtype="u1") // 7))
    sliced = Sliced([whole[:MB], whole[MB:]])
    loaded = unpacker.loads(packer.dumps(sliced))
    assert [bytes(part) for part in loaded.parts] == [bytes(part) for part in sliced.parts]


def test_an_array_of_one_item_alone_is_a_blob_only_when_very_large(blobs: Blobs, packer: Packer) -> None:
    packer.dumps_many([[np.zeros(MB // 2, dtype="u1")], [np.zeros(MB, dtype="u1")]])
    assert blobs.puts == [MB]


def test_an_error_of_the_storage_is_no_pickling_error_and_can_be_tried_again(blobs: Blobs) -> None:
    full = [True]

    def put(digest: bytes, buffers: Sequence[Buffer]) -> None:
        if full[0]:
            raise OSError("disk full")
        blobs.put(digest, buffers)

    packer, array = Packer(put), np.zeros(MB)
    with pytest.raises(OSError, match="disk full"):
        packer.dumps(array)
    with pytest.raises(OSError, match="disk full"):
        packer.dumps_many([(array,), (array,), ("x" * 5000, [1] * 5000)])
    full[0] = False
    packed = packer.dumps_many([(array,), (array,)])
    assert not packed.errors
    assert every(packed, Unpacker(blobs.get))[1][0].shape == (MB,)


def test_inputs_are_found_at_any_depth(blobs: Blobs, unpacker: Unpacker) -> None:
    packer = Packer(blobs.put, as_input=as_input)
    ticket = Ticket(3)
    items = [1, ticket, {"a": [ticket, (Ticket(4), ticket)]}, Holder(x=Ticket(5)), [Holder(x=1)]]
    packed = packer.dumps_many(items)
    assert packed.inputs == {1: (("job", 3),), 2: (("job", 3), ("job", 4)), 3: (("job", 5),)}
    assert not packed.errors
    loaded = every(packed, unpacker)
    assert loaded[1] == ["job", 3]
    assert loaded[2] == {"a": [["job", 3], (["job", 4], ["job", 3])]}
    assert loaded[2]["a"][0] is loaded[2]["a"][1][1]
    assert loaded[3].x == ["job", 5]


def test_inputs_in_what_recurs_belong_to_each_item(blobs: Blobs, unpacker: Unpacker) -> None:
    shared = {"x" * 5000: Ticket(1)}
    packed = Packer(blobs.put, as_input=as_input).dumps_many([(0, shared), (1, shared)])
    assert packed.inputs == {0: (("job", 1),), 1: (("job", 1),)}
    assert every(packed, unpacker)[1] == (1, {"x" * 5000: ["job", 1]})


def test_an_input_is_refused_where_none_is_given(blobs: Blobs) -> None:
    data = Packer(blobs.put, as_input=as_input).dumps_many([Ticket(1)]).data
    with pytest.raises(WireError, match="another call's result"):
        Unpacker(blobs.get).loads(data)


def test_an_unpicklable_item_names_index_and_path_and_spares_the_others(packer: Packer, unpacker: Unpacker) -> None:
    bad = {"model": Holder(fine=1, lock=threading.Lock())}
    packed = packer.dumps_many([1, bad, (2, [3])], start=10)
    assert list(packed.errors) == [1]
    assert isinstance(packed.errors[1], ArgumentNotSerializable)
    assert str(packed.errors[1]).startswith("args[11]['model'].lock: cannot pickle '_thread.lock' object.")
    assert item(packed, 1) == b""
    assert unpacker.loads(item(packed, 0)) == 1
    assert unpacker.loads(item(packed, 2)) == (2, [3])


def test_a_shared_unpicklable_part_fails_each_item_that_has_it(packer: Packer) -> None:
    shared = Holder(lock=threading.Lock())
    packed = packer.dumps_many([(0, shared), (1, shared), [[2]]])
    assert list(packed.errors) == [0, 1]
    assert "args[1][1].lock" in str(packed.errors[1])


def test_the_path_follows_what_is_pickled_and_not_every_attribute(packer: Packer) -> None:
    class Careful:
        def __init__(self) -> None:
            self.left_out = threading.Lock()
            self.rest = [threading.Lock()]

        def __getstate__(self) -> dict[str, object]:
            return {"rest": self.rest}

    assert "args[0].rest[0]:" in str(packer.dumps_many([Careful()]).errors[0])


def test_an_exception_in_a_reduce_is_told(packer: Packer) -> None:
    class Broken:
        def __reduce__(self) -> str:
            raise ZeroDivisionError("no luck")

    packed = packer.dumps_many([[Broken()]])
    assert "args[0][0]: no luck" in str(packed.errors[0])
    assert isinstance(packed.errors[0].__cause__, ZeroDivisionError)


def test_deep_nesting_is_a_clear_error(packer: Packer) -> None:
    nested: list[Any] = []
    for _ in range(20_000):
        nested = [nested]
    assert "nested too deeply" in str(packer.dumps_many([nested]).errors[0])
    with pytest.raises(ArgumentNotSerializable, match="nested too deeply"):
        packer.dumps(nested)
    with pytest.raises(ResultNotSerializable, match="nested too deeply"):
        dumps_result(nested)


def test_functions_name_the_variable_that_cannot_be_pickled(packer: Packer) -> None:
    lock = threading.Lock()

    def f(_: object) -> object:
        return lock

    with pytest.raises(FunctionNotSerializable, match=r"<locals>\.f's closure variable 'lock': cannot pickle"):
        packer.dumps(f)
    g = by_value("import threading\ndb = [threading.Lock()]\ndef g(x):\n    return lambda: db", "g")
    with pytest.raises(FunctionNotSerializable, match=r"^g's global 'db'\[0\]: cannot pickle"):
        packer.dumps(g)
    with pytest.raises(FunctionNotSerializable, match=r"^partial\.args\[0\]: cannot pickle"):
        packer.dumps(functools.partial(print, lock))
    with pytest.raises(ArgumentNotSerializable, match=r"^the object\['a'\]: cannot pickle"):
        packer.dumps({"a": lock})
    with pytest.raises(ArgumentNotSerializable, match=r"^my data\['a'\]: cannot pickle"):
        packer.dumps({"a": lock}, name="my data")


def test_modules_of_what_is_named_and_imported(packer: Packer) -> None:
    source = """
import json.decoder
def f():
    import xml.dom.minidom
    from email import message as m
    def inner():
        from wave import open
    return json.decoder
"""
    packer.dumps(by_value(source, "f"))
    packer.dumps_many([[Fraction(1, 2)], [np.linalg.norm]])
    assert {
        "xml.dom.minidom",
        "email",
        "email.message",
        "wave",
        "json.decoder",
        "fractions",
    } <= packer.modules
    assert "numpy.linalg" in packer.modules
    assert "__main__" not in packer.modules


def test_relative_imports_in_a_body_are_resolved(packer: Packer) -> None:
    scope: dict[str, Any] = {"__name__": "__main__", "__package__": "top.inner"}
    exec("def f():\n    from . import a\n    from ..b import c\n    from ....d import e", scope)  # noqa: S102
    packer.dumps(scope["f"])
    assert {"top.inner.a", "top.b", "top.b.c"} <= packer.modules


def test_a_module_made_in_memory_goes_by_value(packer: Packer, unpacker: Unpacker) -> None:
    module = types.ModuleType("made_in_memory")
    exec("class C:\n    pass\ndef f():\n    return C().__class__.__name__", module.__dict__)  # noqa: S102
    sys.modules["made_in_memory"] = module
    try:
        data = packer.dumps((module.f, module.C, module))
    finally:
        del sys.modules["made_in_memory"]
    function, _, copy = unpacker.loads(data)
    assert function() == "C"
    assert copy.f() == "C"
    assert "made_in_memory" not in packer.modules
    assert not cloudpickle.list_registry_pickle_by_value()


@pytest.mark.parametrize("cut", [1, 10, 40, 150])
def test_truncated_bytes_are_refused(cut: int, unpacker: Unpacker) -> None:
    body = b"".join(dumps_result(np.zeros(100_000)))
    with pytest.raises(WireError):
        unpacker.loads(body[:cut])


@pytest.mark.parametrize("data", [b"", b"not a pickle at all", b"\xc7\xff" + bytes(30)])
def test_other_bytes_are_refused(data: bytes, unpacker: Unpacker) -> None:
    with pytest.raises(WireError):
        unpacker.loads(data)


def test_any_sequence_will_do(packer: Packer, unpacker: Unpacker) -> None:
    assert every(packer.dumps_many(range(3)), unpacker) == [0, 1, 2]
    empty = packer.dumps_many([])
    assert (empty.data, list(empty.offsets)) == (b"", [0])


def test_a_worker_needs_neither_cloudpickle_nor_numpy() -> None:
    code = (
        "import sys; from wrenml.pickling import Unpacker, dumps_result\n"
        "assert Unpacker(lambda d: b'').loads(dumps_result({'a': [1, (2,)]})[0]) == {'a': [1, (2,)]}\n"
        "print([m for m in ('cloudpickle', 'numpy', 'hashlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


ROOT = Path(__file__).parents[2]
