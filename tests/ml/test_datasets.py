"""Data sets in shards: what is not the same wherever they lie, and files that they are made from."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.feature_extraction.text import HashingVectorizer

import wrenml
from tests.ml.dataset_contract import S, X, Y, same
from wrenml.errors import ConfigError, DataError, KeyNotFoundError, NotSupportedError
from wrenml.ml.datasets import DatasetShard, ShardedDataset
from wrenml.ml.datasets.streaming import streamed
from wrenml.storage import MemoryStorage


@pytest.fixture
def data(tmp_path: Path) -> ShardedDataset:
    return ShardedDataset.from_arrays(X, Y, url=tmp_path / "data", rows_per_shard=20)


def path_of(shard: DatasetShard) -> Path:
    return Path(shard.url.removeprefix("file://")) / shard.record.files[0].name


class TestFiles:
    """Shards are read without wrenml."""

    def test_dense(self, data: ShardedDataset) -> None:
        with np.load(path_of(data.shards[1])) as file:
            np.testing.assert_array_equal(file["X"], X[20:40], strict=True)
            np.testing.assert_array_equal(file["y"], Y[20:40], strict=True)

    def test_sparse(self, tmp_path: Path) -> None:
        for matrix in (S, sparse.csr_array(S)):
            data = ShardedDataset.from_arrays(matrix, Y, url=tmp_path, rows_per_shard=20, overwrite=True)
            found = sparse.load_npz(path_of(data.shards[1]))
            same((found, None), matrix[20:40], None)
            with np.load(path_of(data.shards[1])) as file:
                np.testing.assert_array_equal(file["y"], Y[20:40], strict=True)

    def test_lines(self, tmp_path: Path) -> None:
        data = ShardedDataset.from_lines(["größe", "b"], tmp_path, labels=["x", "y"])
        assert path_of(data.shards[0]).read_text(encoding="utf-8") == "größe\nb\n"
        assert np.load(tmp_path / data.shards[0].record.files[1].name).tolist() == ["x", "y"]

    def test_equal_rows_make_equal_files(self, data: ShardedDataset, tmp_path: Path) -> None:
        again = ShardedDataset.from_arrays(X.copy(order="F"), Y.copy(), url=tmp_path / "again", rows_per_shard=20)
        assert [path_of(shard).read_bytes() for shard in again.shards] == [
            path_of(shard).read_bytes() for shard in data.shards
        ]

    def test_large_ones_are_mapped_and_aligned(self, tmp_path: Path) -> None:
        rows = np.arange(200_000.0).reshape(-1, 10)
        data = ShardedDataset.from_arrays(rows, np.arange(len(rows)), url=tmp_path, rows_per_shard=len(rows))
        found, labels = data.shards[0].load()
        assert found.ctypes.data % 64 == labels.ctypes.data % 64 == 0
        assert any(str(path_of(data.shards[0])) in line for line in Path("/proc/self/maps").read_text().splitlines())
        found[:] = 0
        same(data.to_arrays(), rows, np.arange(len(rows)))


class TestReading:
    def test_a_file_changed_in_place_is_noticed(self, data: ShardedDataset) -> None:
        path = path_of(data.shards[0])
        old = path.stat().st_mtime_ns - 10**10
        os.utime(path, ns=(old, old))
        list(data)
        with path.open("r+b") as file:
            file.seek(-300, os.SEEK_END)
            file.write(b"changed")
        os.utime(path, ns=(old, old))
        with pytest.raises(DataError, match=r"shard 0, .*changed after it was written"):
            list(data)

    def test_only_so_many_shards_are_read_ahead(self, eventually: Callable[..., None]) -> None:
        begun: list[int] = []

        def load(number: int) -> tuple[int, None]:
            begun.append(number)
            return number, None

        shards: list[Any] = [SimpleNamespace(load=partial(load, number)) for number in range(10)]
        for ahead in (1, 3):
            begun.clear()
            stream = streamed(shards, ahead)
            assert next(stream)[0] == 0
            eventually(lambda ahead=ahead: begun == list(range(ahead + 1)))
            assert next(stream)[0] == 1
            eventually(lambda ahead=ahead: begun == list(range(ahead + 2)))
            del stream
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("wrenml-prefetch")]
        begun.clear()
        assert next(streamed(shards, 0))[0] == 0
        assert begun == [0]

    def test_a_wrong_prefetch(self, data: ShardedDataset) -> None:
        with pytest.raises(ConfigError, match="prefetch=-1"):
            data.stream(prefetch=-1)

    def test_what_reading_raises_comes_when_it_is_the_shards_turn(self, data: ShardedDataset) -> None:
        path_of(data.shards[2]).unlink()
        stream = data.stream(prefetch=5)
        same(next(stream), X[:20], Y[:20])
        same(next(stream), X[20:40], Y[20:40])
        with pytest.raises(KeyNotFoundError, match="shard 2"):
            next(stream)

    def test_handles_are_small(self, data: ShardedDataset) -> None:
        part = data.split(0.5, random_state=0)[0].sample(10, random_state=0)
        assert len(pickle.dumps(part.shards[0])) < 500


class TestWorkers:
    def test_workers_read_and_write(
        self, data: ShardedDataset, tmp_path: Path, two_workers: wrenml.Executor, inline: wrenml.Executor
    ) -> None:
        there = data.transform(lambda X, _, factor: X * factor, tmp_path / "there", 2.0, executor=two_workers)
        here = data.transform(lambda X, _, factor: X * factor, tmp_path / "here", 2.0, executor=inline)
        assert there.digest == here.digest
        same(there.to_arrays(), X * 2, Y)
        there.verify(executor=two_workers)
        futures = there.map(lambda X, _: (os.getpid(), float(X[0, 0])), executor=two_workers)
        assert [each[1] for each in futures.results()] == [float(X[start, 0] * 2) for start in (0, 20, 40)]
        assert os.getpid() not in {each[0] for each in futures.results()}

    def test_lines_become_features(self, tmp_path: Path, two_workers: wrenml.Executor) -> None:
        lines = [f"line {number} of some text" for number in range(30)]
        text = ShardedDataset.from_lines(lines, tmp_path / "text", labels=range(30), lines_per_shard=7)
        features = text.transform(
            lambda lines, _: HashingVectorizer(n_features=64).transform(lines),
            tmp_path / "features",
            executor=two_workers,
        )
        same(features.to_arrays(), HashingVectorizer(n_features=64).transform(lines), np.arange(30))

    def test_shards_that_are_not_alike(self, data: ShardedDataset, tmp_path: Path, inline: wrenml.Executor) -> None:
        def narrower(X: Any, _: Any) -> Any:
            return X[:, : len(X) // 5]

        with pytest.raises(DataError, match="shard 2: 2 dense features of <f8 with labels that are numbers, but the"):
            data.transform(narrower, tmp_path / "new", executor=inline)
        with pytest.raises(KeyNotFoundError):
            ShardedDataset.open(tmp_path / "new")

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            (lambda X, _: X[:, 0], "features have 1 dimensions"),
            (lambda X, _: X.astype(str), "features are of type <U"),
            (lambda X, _: sparse.csr_array(X[:, 0]), "features have 1 dimensions: give rows"),
            (lambda X, y: (X, y, y), r"a tuple of 3: give \(X, y\), or X alone; weights are not kept"),
            (lambda X, y: (X, y[:-1]), "20 rows and 19 labels"),
            (lambda X, _: (X, np.array([{}] * len(X))), "labels are of type object"),
            (lambda X, _: ["a\nb"] * len(X), "line 0 is 'a\\\\nb': give a str without a line break"),
            (lambda X, _: ["\ud800"] * len(X), "cannot be written in UTF-8"),
        ],
    )
    def test_what_cannot_be_a_shard(
        self, data: ShardedDataset, tmp_path: Path, inline: wrenml.Executor, made: Callable[..., Any], said: str
    ) -> None:
        with pytest.raises(DataError, match=rf"shard 0: .*{said}"):
            data.transform(made, tmp_path / "new", executor=inline)

    def test_nothing_is_left(self, data: ShardedDataset, tmp_path: Path, inline: wrenml.Executor) -> None:
        with pytest.raises(DataError, match="at least one row"):
            data.transform(lambda X, y: (X[:0], y[:0]), tmp_path / "new", executor=inline)

    def test_not_onto_itself(self, data: ShardedDataset, inline: wrenml.Executor) -> None:
        with pytest.raises(ConfigError, match="is read: name another place"):
            data.transform(lambda X, _: X, data.url, executor=inline, overwrite=True)

    def test_a_worker_that_dies_writes_once_more(
        self, data: ShardedDataset, tmp_path: Path, two_workers: wrenml.Executor
    ) -> None:
        once = str(tmp_path / "died")

        def die_once(X: Any, _: Any) -> Any:
            if len(X) == 10 and not os.path.exists(once):
                os.mkdir(once)
                os.kill(os.getpid(), signal.SIGKILL)
            return X + 1

        same(data.transform(die_once, tmp_path / "new", executor=two_workers).to_arrays(), X + 1, Y)
        assert os.path.exists(once)

    def test_memory_is_of_one_process(self, two_workers: wrenml.Executor) -> None:
        storage = MemoryStorage("of this process")
        data = ShardedDataset.from_arrays(X, url=storage.url)
        with pytest.raises(NotSupportedError):
            data.map(lambda X, _: len(X), executor=two_workers).results()

    def test_in_the_executors_own_storage(self, two_workers: wrenml.Executor) -> None:
        data = ShardedDataset.from_arrays(X, Y, url=f"{two_workers.storage.url}/mine", rows_per_shard=20)
        assert data.map(lambda X, _: len(X), executor=two_workers).results() == [20, 20, 10]
        assert "mine/manifest.json" in list(two_workers.storage.list("mine/"))


class TestParts:
    def test_shares(self, data: ShardedDataset) -> None:
        parts = data.split([0.5, 0.2, 0.3], random_state=0)
        assert [part.n_samples for part in parts] == [25, 10, 15]
        assert [part.digest for part in data.split(np.array([0.5, 0.2, 0.3]), random_state=0)] == [
            part.digest for part in parts
        ]
        rows = np.concatenate([part.to_arrays()[0] for part in parts])
        np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(X[:, 0]))

    @pytest.mark.parametrize(("size", "rows"), [(7, 7), (0.25, 13), (0.001, 1)])
    def test_sizes_are_scikit_learns(self, data: ShardedDataset, size: float, rows: int) -> None:
        assert [part.n_samples for part in data.split(size, random_state=0)] == [50 - rows, rows]

    @pytest.mark.parametrize("size", [0, 1.0, 50, -0.1, [0.5, 0.6], [1.0, 0.0], []])
    def test_wrong_sizes(self, data: ShardedDataset, size: Any) -> None:
        if size == 1.0:
            assert data.split(size, random_state=0)[1].n_samples == 1  # a number of rows, as 1 is
        else:
            with pytest.raises(ConfigError, match="each part needs at least one"):
                data.split(size)

    def test_wrong_samples(self, data: ShardedDataset) -> None:
        for count in (0, 51):
            with pytest.raises(ConfigError, match=f"n={count}: give 1 to 50"):
                data.sample(count)

    def test_the_seed_decides(self, data: ShardedDataset) -> None:
        first, again, other = (data.sample(20, random_state=seed).to_arrays()[0] for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_parts_of_parts(self, data: ShardedDataset) -> None:
        train, test = data.split(0.4, random_state=0)
        low, high = train.split(0.5, random_state=1)
        rows = np.concatenate([each.to_arrays()[0] for each in (low, high, test)])
        np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(X[:, 0]))
        assert test.shards[0].rows == len(test.shards[0].load()[0])

    def test_a_part_may_lack_shards(self, data: ShardedDataset) -> None:
        one = data.sample(1, random_state=0)
        assert (len(one), one.n_samples, one.to_arrays()[0].shape) == (1, 1, (1, 3))

    def test_every_row_is_as_likely(self, tmp_path: Path) -> None:
        rows = np.arange(30.0).reshape(-1, 1)
        data = ShardedDataset.from_shards([rows[:3], rows[3:20], rows[20:]], url=tmp_path)
        counts = np.zeros(30)
        for seed in range(300):
            counts[data.sample(6, random_state=seed).to_arrays()[0].astype(int)] += 1
        # 300 draws of a fifth: 60 ± 6.9
        assert np.max(np.abs(counts - 60)) < 5 * 6.9
        assert counts.std() < 2 * 6.9

    def test_the_same_seed_draws_anew_from_a_part(self, tmp_path: Path) -> None:
        rows = np.arange(12.0).reshape(-1, 1)
        data = ShardedDataset.from_shards([rows[:4], rows[4:]], url=tmp_path)
        counts = np.zeros(12)
        for seed in range(600):
            train, _ = data.split(0.5, random_state=seed)
            counts[train.split(2, random_state=seed)[1].to_arrays()[0].astype(int)] += 1
        # 600 draws of a sixth: 100 ± 9.1
        assert np.max(np.abs(counts - 100)) < 4 * 9.1
        assert counts.std() < 2 * 9.1


WRITER = """
import os, signal, sys
import numpy as np
from wrenml.ml.datasets import ShardedDataset

def shards():
    for number in range(5):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield np.full((10, 2), float(number))

ShardedDataset.from_shards(shards(), url=sys.argv[1], overwrite=True)
"""


def test_a_killed_writer_leaves_nothing_that_opens(tmp_path: Path) -> None:
    for old in (False, True):
        if old:
            ShardedDataset.from_arrays(X, url=tmp_path)
        done = subprocess.run([sys.executable, "-c", WRITER, tmp_path], check=False)
        assert done.returncode == -signal.SIGKILL
        if old:
            same(ShardedDataset.open(tmp_path).to_arrays(), X, None)
        else:
            with pytest.raises(KeyNotFoundError, match=r"manifest\.json is missing"):
                ShardedDataset.open(tmp_path)
            assert len(list(tmp_path.glob("*.npz"))) == 3
    ShardedDataset.from_arrays(X, url=tmp_path, overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2


class TestLibsvm:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        dump_svmlight_file(S, Y * 2 - 1, str(tmp_path / "rows.svm"), zero_based=False, comment="rows\nand a comment")
        return tmp_path / "rows.svm"

    @pytest.mark.parametrize("known", [{}, {"n_features": 25, "zero_based": False}, {"n_features": 25}])
    def test_is_scikit_learns(self, file: Path, tmp_path: Path, known: dict[str, Any]) -> None:
        data = ShardedDataset.from_libsvm(file, tmp_path / "data", rows_per_shard=20, **known)
        expected, labels = load_svmlight_file(str(file), **known)
        same(data.to_arrays(), expected, labels)
        assert [shard.rows for shard in data.shards] == [20, 20, 10]
        assert data.classes.tolist() == [-1.0, 1.0]

    @pytest.mark.parametrize(("ending", "opened"), [("gz", gzip.open), ("bz2", bz2.open), ("xz", lzma.open)])
    def test_compressed(self, file: Path, tmp_path: Path, ending: str, opened: Callable[..., Any]) -> None:
        packed = tmp_path / f"rows.svm.{ending}"
        with opened(packed, "wb") as into:
            into.write(file.read_bytes())
        data = ShardedDataset.from_libsvm(packed, tmp_path / "data", dtype=np.float32)
        same(data.to_arrays(), *load_svmlight_file(str(file), dtype=np.float32))
        packed.write_bytes(packed.read_bytes()[:-20])
        with pytest.raises(DataError, match=rf"rows\.svm\.{ending} cannot be read to its end"):
            ShardedDataset.from_libsvm(packed, tmp_path / "data", overwrite=True)

    def test_several_files_and_lines_as_they_come(self, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        one.write_bytes(b"# begins\n\n1 qid:1 2:1.5 7:nan # a comment\r\n-1\n3e0 1:1")
        two.write_bytes(b"2 3:4\n   \n1.5 qid:2 9:-1\n")
        data = ShardedDataset.from_libsvm([one, two], tmp_path / "data", rows_per_shard=2)
        features, labels = data.to_arrays()
        expected = np.zeros((5, 9))
        expected[[0, 0, 2, 3, 4], [1, 6, 0, 2, 8]] = [1.5, np.nan, 1, 4, -1]
        np.testing.assert_array_equal(features.toarray(), expected)
        assert labels.tolist() == [1, -1, 3, 2, 1.5]
        assert [shard.rows for shard in data.shards] == [2, 2, 1]

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"spam 1:1", "'spam' is no label"),
            (b"1,2 1:1", "'1,2' is no label"),
            (b"1 1:1 2", "'2' is no <index>:<value>"),
            (b"1 qid 2:1", "'qid' is no <index>:<value>"),
            (b"1 a:1", "'a:1' is no <index>:<value>"),
            (b"1 2:\xff", r"'2:\\\\xff' is no <index>:<value>"),
            (b"1 3:1 2:1", "the index 2 comes after 3"),
            (b"1 3:1 3:1", "the index 3 comes after 3"),
            (b"1 -3:1", "the index -3 is too small: the first is [01]"),
            (b"1 99999999999:1", "the index 99999999999 is too large"),
        ],
    )
    @pytest.mark.parametrize("known", [{}, {"n_features": 20, "zero_based": False}])
    def test_malformed_lines_are_named(
        self, file: Path, tmp_path: Path, line: bytes, said: str, known: dict[str, Any]
    ) -> None:
        lines = file.read_bytes().splitlines()
        lines[33] = line
        file.write_bytes(b"\n".join(lines))
        with pytest.raises(DataError, match=rf"{file}, line 34: {said}.* Expected: <label> <index>:<value> …"):
            ShardedDataset.from_libsvm(file, tmp_path / "data", rows_per_shard=20, **known)
        assert not list(tmp_path.glob("data/*"))

    def test_columns_that_there_are_not(self, file: Path, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"line \d+: the index \d+ is too large: the last is 5"):
            ShardedDataset.from_libsvm(file, tmp_path / "data", n_features=5)
        file.write_bytes(b"1 0:1\n")
        with pytest.raises(DataError, match="line 1: the index 0 is too small: the first is 1"):
            ShardedDataset.from_libsvm(file, tmp_path / "data", zero_based=False)

    def test_what_cannot_be_meant(self, file: Path, tmp_path: Path) -> None:
        for wrong in ({"rows_per_shard": 0}, {"rows_per_shard": 1.5}, {"n_features": 0}, {"n_features": "7"}):
            with pytest.raises(ConfigError, match=f"{next(iter(wrong))}=.*: give a whole number, 1 or more"):
                ShardedDataset.from_libsvm(file, tmp_path / "data", **wrong)
        with pytest.raises(ConfigError, match="there are no files"):
            ShardedDataset.from_libsvm(tmp_path.glob("*.none"), tmp_path / "data")
        with pytest.raises(ConfigError, match="zero_based='no'"):
            ShardedDataset.from_libsvm(file, tmp_path / "data", zero_based="no")
        with pytest.raises(FileNotFoundError):
            ShardedDataset.from_libsvm(tmp_path / "nothing", tmp_path / "data")
        file.write_bytes(b"# nothing\n")
        with pytest.raises(DataError, match="at least one row"):
            ShardedDataset.from_libsvm(file, tmp_path / "data")


class TestLines:
    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "one.txt").write_bytes("größe\r\nb".encode())
        with gzip.open(tmp_path / "two.txt.gz", "wb") as file:
            file.write(b"c\n\n")
        data = ShardedDataset.from_lines([tmp_path / "one.txt", tmp_path / "two.txt.gz"], tmp_path / "data")
        assert data.to_arrays() == (["größe", "b", "c", ""], None)
        again = ShardedDataset.from_lines(str(tmp_path / "one.txt"), tmp_path / "again")
        assert again.to_arrays() == (["größe", "b"], None)

    def test_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / "one.txt").write_bytes(b"a\nb\xff\n")
        with pytest.raises(DataError, match=r"one\.txt, line 2: .* Expected: text in UTF-8"):
            ShardedDataset.from_lines(tmp_path / "one.txt", tmp_path / "data")

    @pytest.mark.parametrize(
        ("labels", "said"), [("abcd", "more labels than the 3 lines"), ("a", "1 labels, and more")]
    )
    def test_labels_must_be_as_many(self, tmp_path: Path, labels: str, said: str) -> None:
        with pytest.raises(DataError, match=said):
            ShardedDataset.from_lines(["a", "b", "c"], tmp_path, labels=labels, lines_per_shard=2)


class TestArrays:
    def test_shards_are_of_16_megabytes(self, tmp_path: Path) -> None:
        rows = np.zeros((50_000, 100))
        assert [shard.rows for shard in ShardedDataset.from_arrays(rows, url=tmp_path).shards] == [
            20_000,
            20_000,
            10_000,
        ]

    @pytest.mark.parametrize(
        ("rows", "labels", "said"),
        [
            (X[:, 0], None, "1 dimensions"),
            (X, Y[:-1], "50 rows and 49 labels"),
            (X[:0], None, "at least one row"),
            (X.astype(object), None, "features are of type object"),
            (X * 1j, None, "features are of type complex"),
        ],
    )
    def test_what_is_no_rows(self, tmp_path: Path, rows: Any, labels: Any, said: str) -> None:
        with pytest.raises(DataError, match=said):
            ShardedDataset.from_arrays(rows, labels, url=tmp_path)

    def test_many_labels_are_no_classes(self, tmp_path: Path) -> None:
        rows = np.zeros((1500, 1))
        assert ShardedDataset.from_arrays(rows, np.arange(1500), url=tmp_path / "a", rows_per_shard=500).classes is None
        data = ShardedDataset.from_arrays(rows, np.arange(1500) % 1000, url=tmp_path / "b", rows_per_shard=500)
        assert data.classes.tolist() == list(range(1000))
        assert ShardedDataset.from_arrays(rows, url=tmp_path / "c").classes is None
