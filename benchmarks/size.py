"""What installing the core puts on the disk."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from _bench import Bench, main
from _memory import MEGABYTE
from packaging.requirements import Requirement

import wrenml

_CORE = {"boto3", "cloudpickle", "tblib"}
_PEERS = ("joblib", "loky", "mpire", "distributed")


def needed(name: str) -> list[str]:
    """Names of the distributions that a distribution cannot do without."""
    requirements = map(Requirement, importlib.metadata.requires(name) or ())
    return [one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]


def closure(name: str) -> set[str]:
    """A distribution and all that it needs, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop().lower()
        if one not in found:
            found.add(one)
            waiting += needed(one)
    return found


def size(name: str) -> int:
    """Bytes of the files of a distribution as it is installed, without compiled modules."""
    if name == "wrenml":
        # Installed as a link to its sources, it does not list its files.
        files = list(Path(wrenml.__file__).parent.rglob("*"))
    else:
        files = [Path(str(file.locate())) for file in importlib.metadata.files(name) or ()]
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")


def installed(name: str) -> bool:
    """Whether a distribution is there to be weighed."""
    return next(iter(importlib.metadata.distributions(name=name)), None) is not None


def measure(bench: Bench) -> None:
    """Weigh the core and its peers, each with all that it needs."""
    for name in ("wrenml", *filter(installed, _PEERS)):
        parts = closure(name)
        total = sum(map(size, parts)) / MEGABYTE
        bench.contestants[name] = {"MB": {"median": total, "min": total}}
        bench.note(f"{name}: {total:.1f} MB in {len(parts)} distributions")
    for part in sorted(closure("wrenml"), key=size, reverse=True):
        bench.note(f"  {part} {size(part) / MEGABYTE:.2f} MB")
    other = set(needed("wrenml")) ^ _CORE
    bench.limit("core dependencies other than boto3, cloudpickle, tblib", len(other), 0, "distributions")


if __name__ == "__main__":
    main(__file__, "installed size of the core", measure)
