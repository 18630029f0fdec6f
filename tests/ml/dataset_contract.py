"""What a data set does wherever it lies."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import wrenml
from wrenml.errors import ConfigError, DataError, KeyNotFoundError, VersionMismatchError
from wrenml.ml.datasets import ShardedDataset
from wrenml.storage import Objects

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
Y = np.repeat([0, 1], 25)
S = sparse.random(50, 20, 0.2, format="csr", random_state=0)
WORDS = np.array(["ham", "spam"])[Y]


def same(found: tuple[Any, Any], X: Any, y: Any) -> None:
    assert type(found[0]) is type(X)
    if sparse.issparse(X):
        assert (found[0].shape, found[0].dtype) == (X.shape, X.dtype)
        assert (found[0] != X).nnz == 0
    elif isinstance(X, list):
        assert found[0] == X
    else:
        np.testing.assert_array_equal(found[0], X, strict=True)
    if y is None:
        assert found[1] is None
    else:
        np.testing.assert_array_equal(found[1], y, strict=True)


def lost() -> Iterator[Any]:
    yield X, Y
    raise EOFError("the source is gone")


class DatasetContract:
    """Inherit from it, and give fixtures `url`, where nothing is yet, and `objects`, what lies there."""

    @pytest.fixture
    def data(self, url: str) -> ShardedDataset:
        return ShardedDataset.from_arrays(X, Y, url=url, rows_per_shard=20)

    @pytest.fixture
    def inline(self) -> Iterator[wrenml.Executor]:
        with wrenml.inline_executor() as executor:
            yield executor

    @pytest.mark.parametrize(
        ("rows", "labels"),
        [
            (X, Y),
            (X, None),
            (X.astype(np.float32), WORDS),
            (np.arange(150, dtype=np.uint8).reshape(50, 3), Y.astype(bool)),
            (np.asfortranarray(X), np.stack([Y, Y * 2], axis=1)),
            (np.where(X > 1, np.nan, X), X[:, 0]),
            (S, Y),
            (sparse.csr_array(S.astype(np.float32)), WORDS),
            (sparse.csr_matrix((50, 4)), None),
        ],
        ids=["dense", "unlabelled", "float32", "uint8", "outputs", "nan", "sparse", "csr array", "no values"],
    )
    def test_arrays_come_back(self, url: str, rows: Any, labels: Any) -> None:
        made = ShardedDataset.from_arrays(rows, labels, url=url, rows_per_shard=20)
        for data in (made, ShardedDataset.open(url), pickle.loads(pickle.dumps(made))):
            same(data.to_arrays(), rows, labels)
            assert (len(data), data.n_samples, data.n_features, data.dtype) == (3, *rows.shape, rows.dtype)
        for (part, some), start in zip(made, range(0, 50, 20), strict=True):
            same((part, some), rows[start : start + 20], None if labels is None else labels[start : start + 20])

    @pytest.mark.parametrize("labels", [None, ["a", "b", "a", "longer"]])
    def test_lines_come_back(self, url: str, labels: list[str] | None) -> None:
        lines = ["one two", "", "größe\r\x85", "four"]
        data = ShardedDataset.from_lines(lines, url, labels=labels, lines_per_shard=3)
        same(data.to_arrays(), lines, None if labels is None else np.array(labels))
        assert (data.kind, len(data), data.n_features, data.dtype) == ("lines", 2, None, None)

    def test_what_is_known_without_reading(self, data: ShardedDataset, objects: Objects) -> None:
        objects.delete([name for name in objects.list("") if name != "manifest.json"])
        assert (data.kind, data.n_samples, data.has_labels) == ("dense", 50, True)
        np.testing.assert_array_equal(data.classes, [0, 1])
        assert X.nbytes + Y.nbytes < data.nbytes < X.nbytes + Y.nbytes + 3 * 1500

    def test_arrays_may_be_written_to(self, data: ShardedDataset) -> None:
        for rows, labels in data:
            np.negative(rows, out=rows)
            np.negative(labels, out=labels)
        same(data.to_arrays(), X, Y)

    def test_the_digest_is_of_what_it_holds(self, data: ShardedDataset, url: str) -> None:
        again = ShardedDataset.from_arrays(X, Y, url=f"{url}/again", rows_per_shard=20)
        other = ShardedDataset.from_arrays(X, 1 - Y, url=f"{url}/other", rows_per_shard=20)
        part = data.split(0.5, random_state=0)[0]
        assert again.digest == data.digest
        assert len({data.digest, other.digest, part.digest}) == 3

    # Writing

    def test_nothing_is_overwritten_unless_asked(self, data: ShardedDataset, url: str, objects: Objects) -> None:
        before = list(objects.list(""))
        with pytest.raises(ConfigError, match="overwrite=True"):
            ShardedDataset.from_arrays(X, url=url)
        with pytest.raises(ConfigError, match="overwrite=True"):
            ShardedDataset.from_lines(["a"], url)
        with pytest.raises(ConfigError, match="overwrite=True"):
            ShardedDataset.from_libsvm("there is no such file", url)
        assert list(objects.list("")) == before
        same(data.to_arrays(), X, Y)

    def test_what_is_replaced_is_gone(self, data: ShardedDataset, url: str, objects: Objects) -> None:
        objects.put("notes.txt", b"mine")
        new = ShardedDataset.from_arrays(S, url=url, rows_per_shard=30, overwrite=True)
        same(ShardedDataset.open(url).to_arrays(), S, None)
        names = {file.name for shard in new.shards for file in shard.record.files}
        assert set(objects.list("")) == {"manifest.json", "notes.txt", *names}
        with pytest.raises(KeyNotFoundError, match="shard 0 is missing"):
            data.to_arrays()

    def test_a_writer_that_fails_leaves_nothing(self, url: str, objects: Objects) -> None:
        with pytest.raises(EOFError):
            ShardedDataset.from_shards(lost(), url=url)
        assert list(objects.list("")) == []
        with pytest.raises(KeyNotFoundError, match="there is no data set"):
            ShardedDataset.open(url)

    def test_a_writer_that_fails_to_replace_leaves_what_was(self, data: ShardedDataset, url: str) -> None:
        with pytest.raises(EOFError):
            ShardedDataset.from_shards(lost(), url=url, overwrite=True)
        same(ShardedDataset.open(url).to_arrays(), X, Y)
        same(data.to_arrays(), X, Y)

    def test_of_two_writers_the_first_counts(self, url: str, objects: Objects) -> None:
        def shards() -> Iterator[Any]:
            yield X[:20], Y[:20]
            yield X[20:], 1 - Y[20:]
            ShardedDataset.from_arrays(X, Y, url=url, rows_per_shard=20)

        with pytest.raises(ConfigError, match=r"was written to .* meanwhile"):
            ShardedDataset.from_shards(shards(), url=url)
        first = ShardedDataset.open(url)
        same(first.to_arrays(), X, Y)
        assert len(list(objects.list(""))) == 4

    # Damage

    def test_a_missing_shard_is_named(self, data: ShardedDataset, objects: Objects, inline: wrenml.Executor) -> None:
        objects.delete([data.shards[1].record.files[0].name])
        with pytest.raises(KeyNotFoundError, match="shard 1 is missing"):
            list(data)
        with pytest.raises(DataError, match="1 of 3 shards are damaged:\nshard 1 is missing"):
            data.verify(executor=inline)

    def test_a_truncated_shard_is_named(self, data: ShardedDataset, objects: Objects) -> None:
        name = data.shards[1].record.files[0].name
        list(data)
        objects.put(name, bytes(objects.get(name))[:-1])
        with pytest.raises(DataError, match=r"shard 1, .*truncated"):
            list(data)

    def test_a_changed_shard_is_named(self, data: ShardedDataset, objects: Objects, inline: wrenml.Executor) -> None:
        name = data.shards[2].record.files[0].name
        list(data)
        whole = bytearray(objects.get(name))
        whole[-200] ^= 1
        objects.put(name, bytes(whole))
        with pytest.raises(DataError, match=r"shard 2, .*changed"):
            list(data)
        with pytest.raises(DataError, match=r"1 of 3 shards are damaged:\nshard 2, .*changed"):
            data.verify(executor=inline)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"version": 2}, VersionMismatchError),
            ({"format": "another"}, DataError),
            ({"kind": "images"}, DataError),
            ({"shards": []}, DataError),
            ({"shards": [{"rows": 1}]}, DataError),
        ],
    )
    def test_another_manifest_is_refused(
        self, data: ShardedDataset, url: str, objects: Objects, changes: dict[str, Any], error: type[Exception]
    ) -> None:
        manifest = json.loads(bytes(objects.get("manifest.json"))) | changes
        objects.put("manifest.json", json.dumps(manifest).encode())
        with pytest.raises(error, match=r"data set at .* has format 2|no manifest of a data set"):
            ShardedDataset.open(url)
        assert data.n_samples == 50

    def test_rows_that_the_manifest_does_not_say(self, url: str, objects: Objects, inline: wrenml.Executor) -> None:
        ShardedDataset.from_arrays(X, Y, url=url, rows_per_shard=20)
        manifest = json.loads(bytes(objects.get("manifest.json")))
        manifest["shards"][0]["rows"] = 19
        objects.put("manifest.json", json.dumps(manifest).encode())
        with pytest.raises(DataError, match=r"shard 0, .* has 20 rows, and the manifest says 19"):
            ShardedDataset.open(url).verify(executor=inline)

    # On workers

    def test_map(self, data: ShardedDataset, inline: wrenml.Executor) -> None:
        sums = data.map(lambda X, y, more: float(X[y == 0].sum()) + more, 1, executor=inline).results()
        assert sums == [float(X[start : start + 20][Y[start : start + 20] == 0].sum()) + 1 for start in (0, 20, 40)]
        np.testing.assert_array_equal(data.labels(executor=inline), Y)
        data.verify(executor=inline)

    def test_transform(self, data: ShardedDataset, url: str, inline: wrenml.Executor) -> None:
        doubled = data.transform(lambda X, _: X * 2, f"{url}/doubled", executor=inline)
        same(doubled.to_arrays(), X * 2, Y)
        kept = data.transform(lambda X, y: (sparse.csr_matrix(X[y == 0]), y[y == 0]), f"{url}/kept", executor=inline)
        same(kept.to_arrays(), sparse.csr_matrix(X[Y == 0]), Y[Y == 0])
        assert (len(kept), kept.classes.tolist()) == (2, [0])
        same(ShardedDataset.open(f"{url}/kept").to_arrays(), sparse.csr_matrix(X[Y == 0]), Y[Y == 0])

    def test_parts(self, data: ShardedDataset) -> None:
        train, test = data.split(0.3, random_state=0)
        assert (train.n_samples, test.n_samples) == (35, 15)
        rows = np.vstack([train.to_arrays()[0], test.to_arrays()[0]])
        np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(X[:, 0]))
        drawn, labels = pickle.loads(pickle.dumps(data.sample(7, random_state=1))).to_arrays()
        places = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in drawn]
        assert len(set(places)) == 7
        np.testing.assert_array_equal(labels, Y[places])
