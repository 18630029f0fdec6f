"""The Pythons that environments run under, and the folder of what Lambda brings beside them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from wrenml.errors import ConfigError

__all__ = ["Interpreter", "find_interpreter", "make_runtime"]

_BROUGHT = (
    "awslambdaric",
    "runtime_client",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)
_PROBE = """
import importlib.util, json, site, sys
found = {}
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    if spec is not None:
        found[name] = spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin
base = getattr(sys, "_base_executable", sys.executable)
print(json.dumps([sys.executable, base, sys.prefix, sys.base_prefix, site.getsitepackages([sys.base_prefix]), found]))
"""
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine.

    Parameters
    ----------
    executable, base : str
        It, and the one that it is a virtual environment of: the same where it is none.
    prefixes : tuple of str
        The folders that they live in, `base`'s first.
    site : tuple of str
        The folders of what is installed in `base`.
    modules : mapping of str to str
        Where the modules are that Lambda brings.
    """

    executable: str
    base: str
    prefixes: tuple[str, ...]
    site: tuple[str, ...]
    modules: dict[str, str]

    @property
    def hidden(self) -> tuple[str, ...]:
        """The site folders that an isolated environment can do without."""
        needed = set(self.modules.values())
        return tuple(one for one in self.site if not any(path.startswith(one + os.sep) for path in needed))


@functools.cache
def find_interpreter(python: str) -> Interpreter:
    """Look a Python up on this machine.

    Parameters
    ----------
    python : str
        Major and minor version, such as ``3.13``.

    Raises
    ------
    ConfigError
        If it is not there, or has not AWS's runtime client.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = sys.executable if python == own else shutil.which(f"python{python}")
    if program is None:
        raise ConfigError(
            f"the function runs under Python {python}, which is not here; install it, or deploy for {own}"
        )
    probed = subprocess.run([program, "-c", _PROBE, *_BROUGHT], capture_output=True, text=True, check=False)
    if probed.returncode:
        raise ConfigError(f"Python {python} of this machine does not start: {probed.stderr.strip()[-300:]}")
    executable, base, prefix, base_prefix, site, modules = json.loads(probed.stdout)
    if "awslambdaric" not in modules:
        raise ConfigError(
            f"{executable} lacks AWS's runtime client for Lambda; run: {executable} -m pip install awslambdaric"
        )
    folders = tuple(one for one in site if os.path.isdir(one))
    return Interpreter(executable, base, tuple(dict.fromkeys((base_prefix, prefix))), folders, modules)


def make_runtime(interpreter: Interpreter, folder: Path) -> Path:
    """Fill a folder as ``/var/runtime``: links to what Lambda brings, and its start."""
    folder.mkdir(parents=True)
    for path in interpreter.modules.values():
        (folder / os.path.basename(path)).symlink_to(path)
    shutil.copy(_BOOTSTRAP, folder)
    return folder
