"""What is written to shards comes back, and libsvm's files are read as scikit-learn reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from sklearn.datasets import load_svmlight_file

from wrenml.errors import DataError
from wrenml.ml.datasets import ShardedDataset
from wrenml.storage import MemoryStorage

dtypes = st.sampled_from(["?", "u1", "<i4", ">i4", "i8", "f2", "f4", "f8"])
shapes = st.tuples(st.integers(1, 12), st.integers(0, 5))
labels = st.sampled_from(["?", "u1", "<i8", "f4", "<U3", ">U2"])
tokens = st.sampled_from(["0", "1", "2", "7", "-1", "+3", "1e0", "nan", "0x1", " ", ":", "#", "qid", "x", "1_0", ""])
values = st.floats(width=32).map(str)


@contextmanager
def place() -> Iterator[str]:
    storage = MemoryStorage()
    yield storage.url


@given(data=st.data(), rows=st.integers(1, 13), dense=st.booleans())
@settings(max_examples=40)
def test_arrays_come_back(data: st.DataObject, rows: int, dense: bool) -> None:  # noqa: FBT001  # drawn
    shape = data.draw(shapes)
    kinds = dtypes if dense else st.sampled_from(["f4", "f8", "i8"])
    features: Any = data.draw(arrays.arrays(data.draw(kinds), shape))
    if not dense:
        features = sparse.csr_matrix(features)
    y = data.draw(arrays.arrays(data.draw(labels), shape[0]))
    with place() as url:
        dataset = ShardedDataset.from_arrays(features, y, url=url, rows_per_shard=rows)
        found, beside = dataset.to_arrays()
        starts = range(0, shape[0], rows)
        assert [shard.rows for shard in dataset.shards] == [min(rows, shape[0] - start) for start in starts]
    assert found.dtype == features.dtype
    np.testing.assert_array_equal(*(part if dense else part.toarray() for part in (found, features)))
    np.testing.assert_array_equal(beside, y)


@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1), st.integers(1, 9)
)
def test_lines_come_back(lines: list[str], size: int) -> None:
    with place() as url:
        assert ShardedDataset.from_lines(lines, url, lines_per_shard=size).to_arrays() == (lines, None)


@given(data=st.data())
@settings(max_examples=40)
def test_parts_are_all_rows_once(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    shares = data.draw(st.lists(st.sampled_from([1, 2, 3, 5]), min_size=1, max_size=4))
    seed = data.draw(st.integers(0, 1000))
    rows = np.split(np.arange(sum(sizes)).reshape(-1, 1), np.cumsum(sizes)[:-1])
    with place() as url:
        dataset = ShardedDataset.from_shards(rows, url=url)
        if sum(sizes) < 2 * sum(shares):
            return
        parts = dataset.split([share / sum(shares) for share in shares], random_state=seed)
        found = np.concatenate([part.to_arrays()[0] for part in parts])
    np.testing.assert_array_equal(np.sort(found, axis=0), np.concatenate(rows))
    for part, share in zip(parts, shares, strict=True):
        assert abs(part.n_samples - sum(sizes) * share / sum(shares)) <= 1


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line of a file, mostly as it should be."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([" ", ""])).join(draw(st.lists(tokens, max_size=5)))
    indices = sorted(draw(st.sets(st.integers(0, 9), max_size=4)))
    features = [f"{index}:{draw(values)}" for index in indices]
    return " ".join(
        [draw(st.sampled_from(["1", "-1", "2.5", "+1"])), *draw(st.sampled_from([[], ["qid:3"]])), *features]
    )


@given(
    text=st.lists(lines(), min_size=1, max_size=8).map("\n".join),
    ending=st.sampled_from(["", "\n", "\r\n"]),
    rows=st.integers(1, 4),
    known=st.fixed_dictionaries(
        {}, optional={"n_features": st.integers(8, 11), "zero_based": st.sampled_from([True, False, "auto"])}
    ),
)
@settings(max_examples=100)
def test_libsvm_is_read_as_by_scikit_learn(text: str, ending: str, rows: int, known: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, place() as url:
        path = Path(folder, "rows.svm")
        path.write_bytes((text + ending).encode())
        try:
            expected, y = load_svmlight_file(str(path), **known)
        except (ValueError, OverflowError):
            with pytest.raises(DataError, match=f"{path}, line |at least one row"):
                ShardedDataset.from_libsvm(path, url, rows_per_shard=rows, **known)
            return
        if not len(y):
            return
        found, beside = ShardedDataset.from_libsvm(path, url, rows_per_shard=rows, **known).to_arrays()
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    np.testing.assert_array_equal(beside, y)
