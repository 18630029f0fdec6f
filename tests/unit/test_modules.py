from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import wrenml
from wrenml.errors import AuthenticationError, ConfigError, WireError
from wrenml.modules import MAX_BYTES, Archive, activate, collect, install
from wrenml.pickling import Packer

ROOT = Path(__file__).parents[2]


class Project:
    """A folder of local code, first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str | bytes = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    yield Project(folder)
    sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
        del sys.modules[name]


def files(archive: Archive | None) -> list[str]:
    assert archive is not None
    with zipfile.ZipFile(io.BytesIO(archive.data)) as content:
        assert content.testzip() is None
        return content.namelist()


def in_worker(archive: Archive | None, into: Path, code: str) -> str:
    """Run code in a fresh, isolated interpreter that has the archive active; what it prints."""
    assert archive is not None
    source = into.with_suffix(".zip")
    source.write_bytes(archive.data)
    start = (
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "from wrenml.modules import activate, install\n"
        f"data = open({str(source)!r}, 'rb').read()\n"
        f"activate(install(data, {archive.digest!r}, {str(into)!r}), None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_local_is_no_archive(project: Project) -> None:  # noqa: ARG001
    names = [
        "json.decoder",
        "builtins",
        "__main__",
        "numpy.linalg",
        "pytest",
        "wrenml.errors",
        "no_such_module",
    ]
    assert collect(names) is None
    assert collect([]) is None


def test_a_package_travels_whole_and_works(project: Project, tmp_path: Path) -> None:
    project.write("shop/__init__.py", "from .errors import Sold\n")
    project.write("shop/errors.py", "class Sold(Exception): ...\n")
    project.write("shop/deep/work.py", "from ..errors import Sold\nfrom . import other\ndef f(): raise Sold('x')\n")
    project.write("shop/deep/__init__.py")
    project.write("shop/deep/other.py")
    project.write("shop/data/prices.json", json.dumps({"tea": 3}))
    project.write("shop/__pycache__/errors.cpython-311.pyc", b"x")
    project.write("shop/.git/config", b"x")
    project.write("shop/env/pyvenv.cfg", b"x")
    project.write("shop/env/lib/thing.py", b"x")
    archive = collect(["shop.deep.work"])
    assert archive is not None
    assert archive.names == ("shop",)
    assert files(archive) == sorted(
        f"shop/{name}"
        for name in (
            "__init__.py",
            "errors.py",
            "deep/work.py",
            "deep/__init__.py",
            "deep/other.py",
            "data/prices.json",
        )
    )
    code = """
import importlib.resources, json, shop.deep.work
try:
    shop.deep.work.f()
except shop.Sold as error:
    print(type(error).__module__, type(error).__qualname__)
print(json.loads(importlib.resources.files("shop").joinpath("data/prices.json").read_text())["tea"])
"""
    assert in_worker(archive, tmp_path / "w", code) == "shop.errors Sold\n3"


def test_what_local_code_imports_comes_too(project: Project, tmp_path: Path) -> None:
    project.write("first.py", "import json, numpy\ndef f():\n    from second import value\n    return value\n")
    project.write("second.py", "if True:\n    import third.part as t\nvalue = t.value\n")
    project.write("third/__init__.py")
    project.write("third/part.py", "try:\n    import missing\nexcept ImportError:\n    value = 42\n")
    project.write("unrelated.py")
    archive = collect(["first"])
    assert files(archive) == ["first.py", "second.py", "third/__init__.py", "third/part.py"]
    assert archive is not None
    assert archive.names == ("first", "second", "third")
    assert in_worker(archive, tmp_path / "w", "import first; print(first.f())") == "42"


def test_a_pickled_function_finds_its_module_in_the_worker(project: Project, tmp_path: Path) -> None:
    project.write("lib_a/__init__.py", "from lib_b import Failed\ndef f(x):\n    raise Failed(x)\n")
    project.write("lib_b.py", "class Failed(Exception): ...\n")
    packer = Packer(lambda *_: None)
    data = packer.dumps(import_module("lib_a").f)
    code = f"""
from wrenml.pickling import Unpacker
try:
    Unpacker(None).loads({data!r})(5)
except Exception as error:
    print(type(error).__module__, type(error).__qualname__, error)
"""
    assert in_worker(collect(packer.modules), tmp_path / "w", code) == "lib_b Failed 5"


def test_of_a_namespace_package_only_the_portion_travels(project: Project, tmp_path: Path) -> None:
    project.write("space/one/__init__.py", "from ..two import value\n")
    project.write("space/two.py", "value = 2\nfrom space import three\n")
    project.write("space/three/__init__.py")
    project.write("space/four/__init__.py")
    archive = collect(["space.one"])
    assert files(archive) == ["space/one/__init__.py", "space/three/__init__.py", "space/two.py"]
    assert in_worker(archive, tmp_path / "w", "import space.one; print(space.one.value)") == "2"


def test_sources_in_other_encodings_travel_as_they_are(project: Project, tmp_path: Path) -> None:
    source = "# -*- coding: latin-1 -*-\nimport helper_l1\nword = 'caf\xe9'\n".encode("latin-1")
    project.write("coded.py", source)
    project.write("helper_l1.py")
    archive = collect(["coded"])
    assert files(archive) == ["coded.py", "helper_l1.py"]
    assert in_worker(archive, tmp_path / "w", "import coded; print(ascii(coded.word))") == ascii("café")


def test_extension_modules_travel_under_their_full_name(project: Project) -> None:
    project.write("fast.cpython-311-x86_64-linux-gnu.so", b"\x7fELF")
    project.write("pack/__init__.py")
    project.write("pack/_inner.abi3.so", b"\x7fELF")
    project.write("uses.py", "import pack._inner\n")
    assert files(collect(["uses"])) == ["pack/__init__.py", "pack/_inner.abi3.so", "uses.py"]


def test_an_unreadable_source_still_travels(project: Project) -> None:
    project.write("odd/__init__.py")
    project.write("odd/template.py", "def {{ name }}():\n")
    project.write("odd/nul.py", b"\0")
    (project.folder / "odd" / "gone").symlink_to("nowhere")
    assert files(collect(["odd"])) == ["odd/__init__.py", "odd/nul.py", "odd/template.py"]


def test_a_link_in_a_circle_ends(project: Project) -> None:
    project.write("loop/__init__.py")
    (project.folder / "loop" / "again").symlink_to(project.folder / "loop")
    assert files(collect(["loop"])) == ["loop/__init__.py"]


def test_an_editable_install_is_local(project: Project, tmp_path: Path) -> None:
    project.write("site-packages/plain_installed.py")
    elsewhere = Project(tmp_path / "src")
    elsewhere.write("editable_one/__init__.py")
    sys.path[1:1] = [str(elsewhere.folder), str(project.folder / "site-packages")]
    try:
        assert files(collect(["editable_one", "plain_installed"])) == ["editable_one/__init__.py"]
    finally:
        del sys.path[1:3]


def test_a_module_loaded_under_another_name_travels_under_that(project: Project, tmp_path: Path) -> None:
    path = project.write("scripts/job-7.py", "value = 7\n")
    spec = spec_from_file_location("loaded.job", path)
    assert spec is not None
    sys.modules["loaded.job"] = module_from_spec(spec)
    archive = collect(["loaded.job"])
    assert files(archive) == ["loaded/job.py"]
    assert in_worker(archive, tmp_path / "w", "import loaded.job; print(loaded.job.value)") == "7"


def test_excluded_modules_are_import_errors(project: Project, tmp_path: Path) -> None:
    project.write("big/__init__.py")
    project.write("big/heavy/__init__.py", "import also_local\n")
    project.write("big/heavy/data.bin", b"x")
    project.write("big/light.py", "import secret_one\n")
    project.write("big/heavyweight.py")
    project.write("secret_one.py")
    project.write("also_local.py")
    archive = collect(["big"], exclude=["big.heavy", "secret_one"])
    assert files(archive) == ["big/__init__.py", "big/heavyweight.py", "big/light.py"]
    code = """
for name in ("secret_one", "big.heavy"):
    try:
        __import__(name)
    except ImportError as error:
        print(type(error).__name__)
"""
    assert in_worker(archive, tmp_path / "w", code).split() == ["ModuleNotFoundError"] * 2
    assert collect(["big.light"], exclude=["big"]) is None


def test_the_same_files_give_the_same_archive_and_an_edit_another(project: Project) -> None:
    path = project.write("edited.py", "a = 1\n")
    first = collect(["edited"])
    assert collect(["edited"]) is first
    os.utime(path, ns=(1, 1))
    second = collect(["edited"])
    assert first is not None
    assert second is not None
    assert second.digest == first.digest
    project.write("edited.py", "import edited_too\n")
    project.write("edited_too.py")
    assert files(collect(["edited"])) == ["edited.py", "edited_too.py"]


def test_too_much_is_refused_with_the_largest_files(project: Project) -> None:
    project.write("fat/__init__.py")
    with project.write("fat/weights.bin").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError, match=r"(?s)100\.0 MB .*weights\.bin.*exclude_modules.*files="):
        collect(["fat"])


@pytest.fixture
def archive(project: Project) -> Archive:
    project.write("thing/__init__.py", "value = 1\n")
    project.write("thing/tool.sh", "#!/bin/sh\n").chmod(0o755)
    found = collect(["thing"])
    assert found is not None
    return found


def test_installing_twice_is_installing_once(archive: Archive, tmp_path: Path) -> None:
    into = str(tmp_path / "a" / "b")
    path = install(archive.data, archive.digest, into)
    assert path == os.path.join(into, archive.digest)
    assert install(b"", archive.digest, into) == path
    assert os.access(Path(path) / "thing" / "tool.sh", os.X_OK)
    assert os.listdir(into) == [archive.digest]


def test_many_may_install_at_once(archive: Archive, tmp_path: Path) -> None:
    barrier, paths = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        paths.append(install(memoryview(archive.data), archive.digest, str(tmp_path / "c")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 8
    assert [path.name for path in (tmp_path / "c").iterdir()] == [archive.digest]


def test_an_archive_of_another_digest_is_refused(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError):
        install(archive.data + b"x", archive.digest, str(tmp_path / "d"))
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["../out.py", "/etc/out", "a/../../b.py", "a\\..\\b", "./a"])
def test_entries_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as content:
        content.writestr("fine.py", "")
        content.writestr(name, "x")
    data = body.getvalue()
    with pytest.raises(WireError):
        install(data, sha256(data).hexdigest(), str(tmp_path / "e"))
    assert list((tmp_path / "e").iterdir()) == []


def test_links_are_refused(tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as content:
        entry = zipfile.ZipInfo("link.py")
        entry.external_attr = 0o120777 << 16
        content.writestr(entry, "/etc/passwd")
    data = body.getvalue()
    with pytest.raises(WireError):
        install(data, sha256(data).hexdigest(), str(tmp_path / "f"))


def test_one_archive_takes_anothers_place(project: Project, tmp_path: Path) -> None:
    sys.path.remove(str(project.folder))
    paths = []
    for value in (1, 2):
        folder = tmp_path / f"v{value}"
        Project(folder).write("swapped/__init__.py", f"value = {value}\n")
        Project(folder).write("swapped/sub.py", f"value = {value}\n")
        Project(folder).write("shared_space/part.py", f"value = {value}\n")
        paths.append(str(folder))
    Project(tmp_path / "installed").write("shared_space/stays.py", "value = 0\n")
    sys.path.insert(0, str(tmp_path / "installed"))
    try:
        seen: list[tuple[int, ...] | None] = []
        for path, previous in (
            (paths[0], None),
            (paths[0], paths[0]),
            (paths[1], paths[0]),
            (None, paths[1]),
        ):
            activate(path, previous)
            try:
                import shared_space.part  # type: ignore[import-not-found]  # noqa: PLC0415
                import shared_space.stays  # type: ignore[import-not-found]  # noqa: PLC0415
                import swapped.sub  # type: ignore[import-not-found]  # noqa: PLC0415
            except ImportError:
                seen.append(None)
            else:
                seen.append((swapped.value, swapped.sub.value, shared_space.part.value, shared_space.stays.value))
        assert seen == [(1, 1, 1, 0), (1, 1, 1, 0), (2, 2, 2, 0), None]
        assert not {"swapped", "swapped.sub", "shared_space.part"} & set(sys.modules)
        assert not set(paths) & set(sys.path)
    finally:
        sys.path.remove(str(tmp_path / "installed"))
        sys.path.insert(0, str(project.folder))


def test_the_package_is_light_for_workers() -> None:
    code = (
        "import sys; import wrenml.modules\n"
        "print([m for m in ('ast', 'zipfile', 'hashlib', 'pathlib', 'tempfile') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    loaded = set(json.loads(out.stdout.replace("'", '"')))
    # dataclasses brings ast along.
    assert loaded <= {"ast"}


def test_what_was_put_brings_the_modules_it_refers_to(project: Project) -> None:
    project.write("goods.py", "class Tea:\n    def __str__(self): return 'tea'\n")
    with wrenml.local_executor(workers=1) as executor:
        stored = executor.put(import_module("goods").Tea())
        assert executor.submit(str, stored).result() == "tea"
        assert executor.map(str, [stored, 1]).results() == ["tea", "1"]
