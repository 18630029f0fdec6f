from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.wheels import CP, DEFAULTS, NATIVE, PYTHON, make_defaults, make_wheel, pip_variables
from wrenml.deploy.package import MAX_BYTES, Package, build
from wrenml.deploy.runtimes import is_importable, platform_tags
from wrenml.errors import ConfigError

ARCH = "x86_64"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in pip_variables(folder).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def built(cache: Path, requirements: Path | None = None, python: str = PYTHON) -> Package:
    return build(python, ARCH, str(cache), requirements=None if requirements is None else str(requirements))


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(package.path) as archive:
        return archive.namelist()


def read(package: Package, name: str) -> bytes:
    with zipfile.ZipFile(package.path) as archive:
        return archive.read(name)


class TestTags:
    @pytest.mark.parametrize(
        ("wheel", "python", "arch", "fits"),
        [
            ("a-1-py3-none-any.whl", "3.13", "arm64", True),
            ("a-1-py2.py3-none-any.whl", "3.11", "x86_64", True),
            ("a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "3.13", "x86_64", True),
            ("a-1-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "3.13", "x86_64", True),
            ("a-1-cp313-cp313-manylinux_2_28_aarch64.whl", "3.13", "x86_64", False),
            ("a-1-cp313-cp313-manylinux_2_28_aarch64.whl", "3.13", "arm64", True),
            ("a-1-cp313-cp313-manylinux_2_35_x86_64.whl", "3.13", "x86_64", False),
            ("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "3.13", "x86_64", False),
            ("a-1-cp313-cp313-macosx_11_0_arm64.whl", "3.13", "arm64", False),
            ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", "3.13", "x86_64", False),
            ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "3.13", "x86_64", False),
            ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", "3.13", "x86_64", True),
            ("a-1-cp314-abi3-manylinux_2_28_x86_64.whl", "3.13", "x86_64", False),
            # Amazon Linux 2 has glibc 2.26.
            ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", "3.11", "x86_64", False),
            ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "3.11", "x86_64", True),
            ("a-1-cp311-cp311-manylinux1_x86_64.whl", "3.11", "x86_64", True),
            ("a-1-1build-cp311-cp311-manylinux2014_x86_64.whl", "3.11", "x86_64", True),
        ],
    )
    def test_what_a_runtime_can_import(self, wheel: str, python: str, arch: str, *, fits: bool) -> None:
        assert is_importable(wheel, python, arch) is fits

    def test_every_platform_that_glibc_admits_and_none_beyond(self) -> None:
        assert {"manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"} <= set(
            platform_tags("3.13", "x86_64")
        )
        assert platform_tags("3.11", "arm64")[0] == "manylinux_2_26_aarch64"
        assert "manylinux1_aarch64" not in platform_tags("3.13", "arm64")


class Made(NamedTuple):
    wheels: Path
    cache: Path
    package: Package


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A package of stand-ins for the default distributions, one of them with all that wheels may hold."""
    index, cache = tmp_path_factory.mktemp("index"), tmp_path_factory.mktemp("cache")
    make_defaults(index)
    next(index.glob("numpy-*")).unlink()
    numpy = {
        "numpy/__init__.py": "",
        "numpy/core.so": "ELF",
        "numpy/tests/test_all.py": "",
        "numpy/include/numpy.h": "",
        "numpy/__pycache__/__init__.pyc": "",
        "numpy/array.pyi": "",
        "numpy-1.data/platlib/numpy/native.so": "ELF",
        "numpy-1.data/scripts/f2py": "#!python",
        "numpy-1.data/headers/array.h": "",
    }
    make_wheel(index, "numpy", tag=NATIVE, files=numpy)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pip_variables(index).items():
            patch.setenv(name, value)
        return Made(index, cache, built(cache))


class TestBuilding:
    def test_what_is_in_it(self, made: Made) -> None:
        found = names(made.package)
        assert found == sorted(found)
        assert {"handler.py", "wrenml/__init__.py", "cloudpickle.py", "wrenml-package.json"} <= {*found}
        assert not [name for name in found if name.startswith(("wrenml/cli", "wrenml/testing", "wrenml/_bundled"))]
        assert [name for name in found if "numpy" in name and "dist-info" not in name and name[-3:] != "pyc"] == [
            "numpy/__init__.py",
            "numpy/core.so",
            "numpy/native.so",
        ]
        assert not {"f2py", "array.h", "numpy-1.data"} & {part for name in found for part in name.split("/")}
        assert set(made.package.packages) == {*DEFAULTS, "wrenml"}

    def test_the_same_bytes_again(self, made: Made, index: Path, cache: Path) -> None:
        package = made.package
        assert package.sha256 == sha256(Path(package.path).read_bytes()).hexdigest()
        shutil.copytree(made.wheels, index, dirs_exist_ok=True)
        assert built(cache).sha256 == package.sha256
        with zipfile.ZipFile(package.path) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}

    def test_a_package_made_before_is_taken(self, made: Made, index: Path, cache: Path) -> None:
        shutil.copytree(made.cache, cache)
        said: list[str] = []
        again = build(PYTHON, ARCH, str(cache), say=said.append)
        assert again.sha256 == made.package.sha256
        assert len(said) == 1
        assert not list(index.iterdir())
        Path(again.path).write_bytes(b"damaged")
        assert build(PYTHON, ARCH, str(cache), say=said.append).sha256 == made.package.sha256

    def test_bytecode_is_used_without_a_look_at_the_source(self, made: Made) -> None:
        data = read(made.package, f"__pycache__/cloudpickle.cpython-3{sys.version_info.minor}.pyc")
        assert int.from_bytes(data[4:8], "little") == 0b01
        assert marshal.loads(data[16:]).co_filename == "/var/task/cloudpickle.py"  # noqa: S302 - our own

    def test_another_python_has_no_bytecode_of_this_one(self, index: Path, cache: Path) -> None:
        make_defaults(index)
        other = "3.12" if PYTHON != "3.12" else "3.13"
        assert not [name for name in names(built(cache, python=other)) if name.endswith(".pyc")]

    def test_the_list_of_wheels(self, made: Made) -> None:
        record = json.loads(read(made.package, "wrenml-package.json"))
        expected = {path.name: sha256(path.read_bytes()).hexdigest() for path in made.wheels.iterdir()}
        assert {one["file"]: one["sha256"] for one in record["wheels"]} == expected
        assert record["python"] == PYTHON


class TestRequirements:
    def test_versions_are_those_installed_here_unless_named(self, index: Path, cache: Path, tmp_path: Path) -> None:
        make_defaults(index)
        make_wheel(index, "cloudpickle", "99.0")
        make_wheel(index, "joblib")
        make_wheel(index, "joblib", "99.0")
        tests = {"extra/tests/data.txt": "kept: nobody knows what it is for"}
        make_wheel(index, "extra", "2.0", requires=("joblib",), files=tests)
        package = built(cache, _requirements(tmp_path, "# ours\nextra>=1  # comment\ncloudpickle==99.0\n"))
        assert package.packages["extra"] == "2.0"
        assert package.packages["cloudpickle"] == "99.0"
        assert package.packages["joblib"] != "99.0"
        assert "extra/tests/data.txt" in names(package)

    def test_what_is_pinned_by_hash(self, index: Path, cache: Path, tmp_path: Path) -> None:
        make_defaults(index)
        digest = sha256(make_wheel(index, "extra", "2.0").read_bytes()).hexdigest()
        package = built(cache, _requirements(tmp_path, f"extra==2.0 \\\n    --hash=sha256:{digest}\n"))
        assert (package.packages["extra"], "cloudpickle" in package.packages) == ("2.0", True)
        with pytest.raises(ConfigError, match=r"(?i)hash"):
            built(cache, _requirements(tmp_path, f"extra==2.0 --hash=sha256:{'0' * 64}\n"))

    def test_a_missing_file(self, cache: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read"):
            built(cache, tmp_path / "absent.txt")

    def test_what_pip_cannot_bring(self, index: Path, cache: Path, tmp_path: Path) -> None:
        make_defaults(index)
        make_wheel(index, "modern", "1.0", f"{CP}-{CP}-manylinux_2_39_x86_64")
        with pytest.raises(ConfigError, match=r"modern.*glibc 2\.\d\d.*--requirements"):
            built(cache, _requirements(tmp_path, "modern"))

    def test_too_large_says_what_is(self, index: Path, cache: Path, tmp_path: Path) -> None:
        make_defaults(index)
        make_wheel(index, "giant", "1.0", claimed=MAX_BYTES)
        with pytest.raises(ConfigError, match=r"26\d MB.*largest are giant 262 MB.*--requirements"):
            built(cache, _requirements(tmp_path, "giant"))
        assert not list(cache.glob("*.zip"))

    def test_a_wheel_that_writes_elsewhere(self, index: Path, cache: Path, tmp_path: Path) -> None:
        make_defaults(index)
        make_wheel(index, "evil", "1.0", files={"../../evil.py": ""})
        with pytest.raises(ConfigError, match="no proper wheel"):
            built(cache, _requirements(tmp_path, "evil"))
        assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.slow
@pytest.mark.thorough
def test_the_learning_layer_fits(tmp_path: Path) -> None:
    """The real wheels, from wherever pip finds them."""
    try:
        package = build(PYTHON, ARCH, str(tmp_path / "cache"))
    except ConfigError as error:
        pytest.skip(f"pip finds no wheels here: {error}")
    assert {"numpy", "scipy", "scikit-learn"} <= set(package.packages)
    assert package.unpacked < MAX_BYTES
    task = tmp_path / "task"
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(task)
    # Nothing but the package and the standard library.
    code = (
        f"import sys; sys.path.insert(0, {str(task)!r})\nimport sklearn.ensemble, sklearn.svm, scipy.stats, wrenml.ml"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"]}, timeout=60)


def _requirements(folder: Path, text: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text(text)
    return path
