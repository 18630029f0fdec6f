"""The harness: contestants run in turn, medians compared, targets judged, the figures kept.

::

    row ──contestants──▶ race: A B C A B C … ──Samples──▶ Bench.compare ──▶ a printed line, and --json FILE
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["WORKERS", "Bench", "Samples", "main", "race", "seconds"]

WORKERS = 2

_PACKAGES = ("wrenml", "boto3", "cloudpickle", "joblib", "loky", "numpy")
_ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Samples:
    """What one contestant needed in each round; of noise, the median sees little and the minimum least."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        """The smallest value."""
        return min(self.values)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure beside its target; `theirs` and `against` are None where the figure stands alone."""

    what: str
    unit: str
    ours: float
    theirs: float | None
    against: str | None
    figure: float
    target: float

    @property
    def met(self) -> bool:
        """Whether the figure is at most the target."""
        return self.figure <= self.target

    @property
    def figures(self) -> str:
        """What was measured, without a judgement."""
        ours = f"{self.what}: wrenml {shown(self.ours, self.unit)}"
        if self.theirs is None:
            return ours
        return f"{ours}, {self.against} {shown(self.theirs, self.unit)}, ratio {self.figure:.3g}"

    @property
    def limit(self) -> str:
        """The target: a figure of its own, or a ratio."""
        return f"≤ {shown(self.target, self.unit if self.theirs is None else '')}"

    @property
    def judgement(self) -> str:
        """Met, or by how much it was missed."""
        if self.met:
            return "met"
        return f"MISSED, {self.figure / self.target:.2g} × the target" if self.target else "MISSED"

    @property
    def cells(self) -> list[str]:
        """Ours, theirs, ratio, target and judgement, for a table."""
        theirs, ratio = "", ""
        if self.theirs is not None:
            theirs, ratio = f"{self.against} {shown(self.theirs, self.unit)}", f"{self.figure:.3g}"
        return [shown(self.ours, self.unit), theirs, ratio, self.limit, self.judgement]

    def __str__(self) -> str:
        return f"{self.figures}, target {self.limit}: {self.judgement}"


def shown(value: float, unit: str) -> str:
    """Write a figure with its unit, seconds in the unit that suits them."""
    if unit != "s":
        return f"{value:,.4g} {unit}".rstrip()
    for size, name in ((1.0, "s"), (1e-3, "ms")):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return f"{value / 1e-6:.3g} µs"


def seconds(work: Callable[[], object]) -> float:
    """Time one run of `work`."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(contestants: Mapping[str, Callable[[], float]], rounds: int, *, warm: bool = True) -> dict[str, Samples]:
    """Run the contestants in turn, round after round, so that a slow minute hits all of them.

    Parameters
    ----------
    contestants : mapping of str to callable
        Each runs once and returns what it measured.
    rounds : int
        How often.
    warm : bool, default True
        Begin with a round that does not count.
    """
    values: dict[str, list[float]] = {name: [] for name in contestants}
    if warm:
        for run in contestants.values():
            run()
    for _ in range(rounds):
        for name, run in contestants.items():
            values[name].append(run())
    return {name: Samples(tuple(found)) for name, found in values.items()}


@dataclass(slots=True)
class Bench:
    """One row: how thoroughly it is to be measured, and what was found.

    Parameters
    ----------
    name : str
        The row's name: that of its file.
    quick : bool
        Sizes that only show that it works; its ratios mean nothing.
    given_rounds : int, optional
        Rounds the user asked for.
    """

    name: str
    quick: bool
    given_rounds: int | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    contestants: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def size(self, full: int, quick: int) -> int:
        """Choose the size that is wanted."""
        return quick if self.quick else full

    def rounds(self, full: int = _ROUNDS) -> int:
        """How many rounds to race; `full` if nothing else was asked for."""
        return self.given_rounds or (1 if self.quick else full)

    def show(self, title: str, results: Mapping[str, Samples], *, baseline: str, unit: str = "s") -> None:
        """Print what every contestant needed, and how that relates to the baseline."""
        print(f"  {title}")
        base = results[baseline].median
        for name, samples in results.items():
            ratio = f"{samples.median / base:8.3f} × {baseline}" if base else ""
            median, best = shown(samples.median, unit), shown(samples.best, unit)
            print(f"    {name:<18} median {median:>10}   min {best:>10}   {ratio}")
        found = {name: {"median": one.median, "min": one.best} for name, one in results.items()}
        self.contestants[title] = found

    def compare(self, what: str, ours: float, theirs: float, against: str, target: float, unit: str = "s") -> None:
        """Judge the ratio of ours to theirs."""
        self._judge(Verdict(what, unit, ours, theirs, against, ours / theirs, target))

    def limit(self, what: str, ours: float, target: float, unit: str) -> None:
        """Judge a figure that stands alone."""
        self._judge(Verdict(what, unit, ours, None, None, ours, target))

    def note(self, text: str) -> None:
        """Print something that is no figure."""
        print(f"    {text}")

    def _judge(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        print(f"  → {verdict}" if not self.quick else f"  → {verdict.figures}")

    def save(self, file: Path) -> None:
        """Put this row into a file of rows, in place of what the file says about it."""
        content = json.loads(file.read_text()) if file.exists() else {"rows": {}}
        content["versions"] = versions()
        content["rows"][self.name] = {
            "quick": self.quick,
            "verdicts": [{**asdict(one), "met": one.met} for one in self.verdicts],
            "contestants": self.contestants,
        }
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """Versions of all that takes part, None of them guessed: a peer that is not installed is not named."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


@contextlib.contextmanager
def _own_folders() -> Iterator[None]:
    """Keep jobs and keys out of the user's folders, yet on their disk: one in memory would flatter."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="wrenml-bench-", dir=home)
    changed = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("WRENML_", "XDG_C"))}
    os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
    try:
        yield
    finally:
        del os.environ["XDG_CACHE_HOME"], os.environ["XDG_CONFIG_HOME"]
        os.environ.update(changed)
        shutil.rmtree(folder, ignore_errors=True)


def main(file: str, title: str, measure: Callable[[Bench], None]) -> None:
    """Run one row from the command line.

    Parameters
    ----------
    file : str
        ``__file__`` of the row; its name is the row's.
    title : str
        What is measured.
    measure : callable
        Measures it, with the `Bench` to report to.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the row works, nothing else")
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="put the figures into FILE, beside other rows'")
    given = parser.parse_args()
    bench = Bench(Path(file).stem, given.quick, given.rounds)
    print(f"{bench.name}: {title}{' [quick: no figures to trust]' if bench.quick else ''}")
    print("  " + ", ".join(f"{name} {version}" for name, version in versions().items()))
    with _own_folders():
        measure(bench)
    if given.json:
        bench.save(given.json)
