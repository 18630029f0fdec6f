from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import wrenml.storage
from wrenml.errors import ConfigError, KeyNotFoundError, NotSupportedError
from wrenml.storage import LocalStorage, MemoryStorage, PrefixedStorage, S3Storage, open_storage


def test_every_name_is_there() -> None:
    assert dir(wrenml.storage) == wrenml.storage.__all__
    for name in wrenml.storage.__all__:
        assert getattr(wrenml.storage, name) is not None
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(wrenml.storage, "Nothing")  # noqa: B009 - a type checker would refuse the name


def test_the_stub_declares_the_same_names() -> None:
    stub = Path(wrenml.storage.__file__).with_suffix(".pyi").read_text()
    scope: dict[str, object] = {}
    exec(stub, scope)  # noqa: S102 - our own file
    assert scope["__all__"] == wrenml.storage.__all__
    for name in wrenml.storage.__all__:
        assert scope[name] is getattr(wrenml.storage, name)


def test_local_storage_reopens(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "with space %20 é")
    storage.put("a", b"x")
    again = open_storage(storage.url)
    assert isinstance(again, LocalStorage)
    assert again.url == storage.url == f"file://{tmp_path}/with space %20 é"
    assert bytes(again.get("a")) == b"x"


def test_relative_folders_do_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage("here")
    assert storage.url == f"file://{tmp_path}/here"
    assert LocalStorage("/").url == "file:///"


def test_memory_storage_reopens_in_this_process() -> None:
    storage = MemoryStorage("shared")
    storage.put("a", b"x")
    assert bytes(open_storage("memory://shared").get("a")) == b"x"
    assert MemoryStorage().url != MemoryStorage().url


def test_memory_ends_with_its_last_storage() -> None:
    storage = MemoryStorage("short-lived")
    storage.put("a", b"x")
    pickled = pickle.dumps(storage)
    del storage
    with pytest.raises(NotSupportedError, match="process"):
        pickle.loads(pickled)
    with pytest.raises(KeyNotFoundError):
        MemoryStorage("short-lived").get("a")


def test_memory_of_another_process_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="file:///"):
        open_storage("memory://of-another-process")


def test_s3_storage_reopens_with_its_owner() -> None:
    storage = open_storage("s3://bucket/a/b/", bucket_owner="123456789012")
    assert isinstance(storage, S3Storage)
    assert storage.url == "s3://bucket/a/b"
    assert open_storage("s3://bucket").url == "s3://bucket"
    assert pickle.dumps(pickle.loads(pickle.dumps(storage))) == pickle.dumps(storage)
    assert b"123456789012" in pickle.dumps(storage)


@pytest.mark.parametrize(
    "url",
    ["", "x", "http://a", "file://relative", "file:/a", "memory:/a", "memory://", "memory://a/b", "s3://"],
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(ConfigError, match=r"Use|use"):
        open_storage(url)


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bucket owner"):
        open_storage(f"file://{tmp_path}", bucket_owner="123456789012")
    with pytest.raises(ConfigError, match="folder"):
        LocalStorage("")
    with pytest.raises(ConfigError):
        PrefixedStorage(MemoryStorage(), "../x")
    with pytest.raises(ConfigError):
        S3Storage("s3://bucket/../x")


def test_the_prefix_of_a_local_storage_is_a_storage(tmp_path: Path) -> None:
    scope = PrefixedStorage(LocalStorage(tmp_path), "data")
    scope.put("a/b", b"x")
    assert bytes(open_storage(scope.url).get("a/b")) == b"x"


def test_reprs_name_the_place(tmp_path: Path) -> None:
    assert repr(MemoryStorage("m")) == "MemoryStorage('m')"
    assert repr(LocalStorage(tmp_path)) == f"LocalStorage('{tmp_path}')"
    assert repr(S3Storage("s3://b/p")) == "S3Storage('s3://b/p')"
    assert repr(PrefixedStorage(MemoryStorage("m"), "data")) == "PrefixedStorage(MemoryStorage('m'), 'data')"


def test_local_storage_is_light_to_import() -> None:
    heavy = [
        "boto3",
        "botocore",
        "json",
        "pathlib",
        "random",
        "shutil",
        "tempfile",
        "wrenml.storage.s3",
    ]
    code = f"import sys; import wrenml.storage.local; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(wrenml.storage.__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_s3_storage_loads_boto3_when_used() -> None:
    code = "import sys, wrenml.storage as s; s.S3Storage('s3://b'); print('botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
