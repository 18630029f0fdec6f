"""The wheels that a package is made of: the local environment's versions, built for Lambda's machines."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from typing import Final, NamedTuple

from wrenml.deploy.runtimes import RUNTIMES, abi_tag, is_importable, platform_tags
from wrenml.errors import ConfigError

__all__ = ["Wheel", "file_sha256", "normalised", "resolve"]

_ALWAYS: Final = ("cloudpickle",)
_IF_INSTALLED: Final = ("numpy", "scipy", "scikit-learn")
_SHOWN_LINES: Final = 12
_NAME: Final = re.compile(r"(?m)^\s*([A-Za-z0-9][\w.-]*)")


class Wheel(NamedTuple):
    """One wheel.

    Parameters
    ----------
    path : str
        Its file, named as wheels are.
    sha256 : str
        Of the file, hexadecimal.
    """

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """The distribution's normalised name."""
        return normalised(os.path.basename(self.path).split("-")[0])

    @property
    def version(self) -> str:
        """The distribution's version."""
        return os.path.basename(self.path).split("-")[1]


def normalised(name: str) -> str:
    """Write a distribution's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def file_sha256(path: str) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve(python: str, arch: str, requirements: str | None, cache: str) -> list[Wheel]:
    """Find the wheels of what calls need on Lambda: cloudpickle, numpy, scipy and scikit-learn, and more on request.

    Versions are those installed here, dependencies' too, save where the requirements name another.

    Parameters
    ----------
    python, arch : str
        The runtime.
    requirements : str or None
        A requirements file of what else is needed.
    cache : str
        A folder where wheels are kept.

    Returns
    -------
    list of Wheel
        Sorted by name.

    Raises
    ------
    ConfigError
        pip is not there, or has no wheel of something that the runtime can import.
    """
    installed = _installed()
    named = _names(requirements)
    roots = [*_ALWAYS, *(name for name in _IF_INSTALLED if name in installed and name not in named)]
    pins = [f"{name}=={version}" for name, version in sorted(installed.items()) if name not in named]
    # An unpinned requirement may come out otherwise tomorrow; without any, the same question has the same answer.
    question = None if requirements else hashlib.sha256(json.dumps([python, arch, roots, pins]).encode()).hexdigest()
    folder = os.path.join(cache, "wheels")
    os.makedirs(folder, exist_ok=True)
    known = _recall(folder, question)
    if known:
        return known
    wheels = sorted(_fetched(python, arch, roots, pins, requirements, folder))
    unfit = [
        os.path.basename(one.path) for one in wheels if not is_importable(os.path.basename(one.path), python, arch)
    ]
    if unfit:
        raise ConfigError(f"pip brought {', '.join(unfit)}, which python{python} on {arch} cannot import: upgrade pip.")
    if question:
        with open(os.path.join(folder, f"{question}.json"), "w", encoding="utf-8") as file:
            json.dump([[os.path.basename(one.path), one.sha256] for one in wheels], file)
    return wheels


def _fetched(
    python: str, arch: str, roots: Sequence[str], pins: Sequence[str], requirements: str | None, folder: str
) -> list[Wheel]:
    target = python, arch
    if requirements is None or "--hash" not in _read(requirements):
        return _brought(target, roots, pins, requirements, folder)
    # Once one requirement has a hash, pip wants one of all: such a file is fetched by itself, and has precedence.
    theirs = _brought(target, [], [], requirements, folder)
    names = {one.name for one in theirs}
    return [*theirs, *(one for one in _brought(target, roots, pins, None, folder) if one.name not in names)]


def _brought(
    target: tuple[str, str], roots: Sequence[str], pins: Sequence[str], requirements: str | None, folder: str
) -> list[Wheel]:
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        _download(*target, roots, pins, requirements, fresh)
        return list(_kept(fresh, folder))


def _installed() -> dict[str, str]:
    """What is installed here from an index; a version with a ``+`` is of somebody's own build."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name and "+" not in one.version and one.read_text("direct_url.json") is None:
            found.setdefault(normalised(name), one.version)
    found.pop("wrenml", None)
    return found


def _names(requirements: str | None) -> set[str]:
    """Distributions that a requirements file names itself, so that its versions count."""
    if requirements is None:
        return set()
    return {normalised(name) for name in _NAME.findall(_read(requirements))}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def _recall(folder: str, question: str | None) -> list[Wheel]:
    path = os.path.join(folder, f"{question}.json")
    if question is None or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        wheels = [Wheel(os.path.join(folder, name), digest) for name, digest in json.load(file)]
    for one in wheels:
        if not os.path.exists(one.path) or file_sha256(one.path) != one.sha256:
            return []
        os.utime(one.path)
    return wheels


def _kept(fresh: str, folder: str) -> Iterator[Wheel]:
    for name in os.listdir(fresh):
        path = os.path.join(folder, name)
        os.replace(os.path.join(fresh, name), path)
        yield Wheel(path, file_sha256(path))


def _download(
    python: str, arch: str, roots: Sequence[str], pins: Iterable[str], requirements: str | None, into: str
) -> None:
    if importlib.util.find_spec("pip") is None:
        raise ConfigError(f"pip is needed to fetch wheels, and {sys.executable} has none: {_how_to_get_pip()}")
    constraints = os.path.join(into, "constraints.txt")
    with open(constraints, "w", encoding="utf-8") as file:
        file.writelines(f"{pin}\n" for pin in pins)
    target = ["--implementation", "cp", "--python-version", python, "--abi", abi_tag(python)]
    platforms = [part for tag in platform_tags(python, arch) for part in ("--platform", tag)]
    wanted = [*roots, *(["-r", requirements] if requirements else [])]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--only-binary", ":all:", "--dest", into, "--constraint", constraints, *target, *platforms, *wanted),
    ]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    os.unlink(constraints)
    if done.returncode:
        raise ConfigError(_why(done.stderr, python, arch))


def _how_to_get_pip() -> str:
    if shutil.which("uv"):
        return "uv pip install pip"
    return f"{sys.executable} -m ensurepip"


def _why(text: str, python: str, arch: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.startswith("ERROR")][-_SHOWN_LINES:]
    said = " ".join(lines) or text.strip() or "pip said nothing"
    glibc = ".".join(map(str, RUNTIMES[python]))
    hint = (
        f"wheels must be for python{python} on {arch} and glibc {glibc}. What is published as source only, or for a "
        "newer glibc, cannot go into the package: name another version in --requirements"
    )
    if RUNTIMES[python] < (2, 34):
        hint += ", or use Python 3.12 or later, whose runtime has glibc 2.34"
    return f"pip could not bring all wheels: {said} - {hint}."
