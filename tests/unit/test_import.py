from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wrenml

ROOT = Path(wrenml.__file__).parent

# Imports every module of the package in a folder, and fails when code of that package, while being imported,
# opens a file, uses the network, starts a process or thread, or looks at the environment. What other packages
# do while they are imported is told apart by the import machinery's frames, which lie between them and the
# importer.
PROBE = r"""
import importlib, os, pathlib, sys, threading

root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root.parent))
FORBIDDEN = (
    "open", "socket.", "subprocess.", "tempfile.", "shutil.", "sqlite3.", "ctypes.dlopen",
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.putenv", "os.unsetenv", "os.system", "os.exec",
    "os.fork", "os.posix_spawn", "os.chmod", "os.link", "os.symlink", "os.truncate", "os.utime", "os.listdir",
    "os.scandir",
)


def ours():
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if "importlib._bootstrap" in file:
            return False
        if file.startswith(f"{root}{os.sep}"):
            return True
        frame = frame.f_back
    return False


def refuse(what):
    print(what, file=sys.stderr)
    os._exit(1)


def hook(event, args):
    if event.startswith(FORBIDDEN) and ours():
        refuse(f"{event} {args}")


class WatchedThread(threading.Thread):
    def start(self):
        if ours():
            refuse("a thread")
        super().start()


class Watched(type(os.environ)):
    def __getitem__(self, key):
        if ours():
            refuse(f"environment {key}")
        return super().__getitem__(key)

    def __iter__(self):
        if ours():
            refuse("environment")
        return super().__iter__()


files = sorted(root.rglob("*.py"))
os.environ.__class__ = Watched
threading.Thread = WatchedThread  # thread starts are audited from Python 3.12 only
sys.addaudithook(hook)
for file in files:
    if "_bundled" not in file.parts:
        importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))
"""

HEAVY = [
    "asyncio",
    "boto3",
    "botocore",
    "cloudpickle",
    "concurrent.futures.process",
    "ctypes",
    "dataclasses",
    "email",
    "hashlib",
    "http.client",
    "inspect",
    "joblib",
    "json",
    "logging",
    "multiprocessing",
    "numpy",
    "pandas",
    "pickle",
    "scipy",
    "sklearn",
    "socket",
    "ssl",
    "subprocess",
    "tblib",
    "tempfile",
    "threading",
    "tomllib",
    "typing",
    "urllib.request",
]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_importing_does_nothing_but_define() -> None:
    done = run(PROBE, str(ROOT))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os; os.environ.get('HOME')", "environment HOME"),
        ("import os; os.getenv('HOME')", "environment HOME"),
        ("import os; 'HOME' in os.environ", "environment HOME"),
        ("import os; dict(os.environ)", "environment"),
        ("import tempfile; tempfile.gettempdir()", "environment TMPDIR"),
        ("open(__file__)", "open"),
        ("import os; os.mkdir('x')", "os.mkdir"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "socket."),
        ("import subprocess; subprocess.Popen(['true'])", "subprocess.Popen"),
        ("import threading; threading.Thread(target=print).start()", "a thread"),
    ],
)
def test_the_probe_notices(tmp_path: Path, source: str, said: str) -> None:
    package = tmp_path / "offender"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text(source)
    done = run(PROBE, str(package))
    assert done.returncode == 1
    assert done.stderr.startswith(said)


def test_the_probe_lets_others_do_as_they_like(tmp_path: Path) -> None:
    package = tmp_path / "innocent"
    package.mkdir()
    (package / "__init__.py").write_text("import neighbour")
    (tmp_path / "neighbour.py").write_text("import os; os.environ.get('HOME'); open(__file__).close()")
    done = run(PROBE, str(package))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_is_light() -> None:
    code = "import sys; before = set(sys.modules); import wrenml; print(*sorted(set(sys.modules) - before))"
    done = run(code)
    loaded = done.stdout.split()
    assert "wrenml" in loaded, done.stderr
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("wrenml.")] == []
