"""What `wrenml verify` runs: calls whose outcomes are known, failures among them.

The functions are made inside another one, so that they are pickled whole: the package on Lambda need not hold this
module.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wrenml.errors import CallExited, CallTimeout, ResultNotSerializable, WorkerCrashed, WorkerOutOfMemory
from wrenml.futurelist import FutureList
from wrenml.options import MapOptions

__all__ = ["Probe", "probes"]

_LARGE = 2 << 20  # bytes; more than a request may carry, and than a client reads at once


@dataclass(frozen=True, slots=True)
class Probe:
    """A map, and how to tell whether it came out right.

    Parameters
    ----------
    name : str
        What is tried.
    fn : callable
        The function.
    items : sequence
        Its arguments.
    check : callable
        Says what is wrong with the futures, all of them done; empty if nothing is.
    options : MapOptions
        Of the map. Default: none.
    """

    name: str
    fn: Callable[[Any], object]
    items: Sequence[object]
    check: Callable[[FutureList[Any]], str]
    options: MapOptions = field(default_factory=MapOptions)


def probes(sizes: Sequence[int]) -> list[Probe]:
    """Make the probes, 20 calls together.

    Parameters
    ----------
    sizes : sequence of int
        The deployed memory sizes, MB; memory runs out in the smallest.
    """
    return [*_successes(), *_failures(min(sizes))]


def _successes() -> list[Probe]:
    def square(x: int) -> int:
        return x * x

    def measure(data: bytes) -> int:
        return len(data)

    def make(size: int) -> bytes:
        return bytes(range(256)) * (size // 256)

    def speak(word: str) -> None:
        print(word)  # noqa: T201  # that is what it is for
        print(word, file=sys.stderr)  # noqa: T201  # the same

    def look_up(name: str) -> str | None:
        return os.environ.get(name)

    def write(text: str) -> str:
        with tempfile.TemporaryFile("w+") as file:
            file.write(text)
            file.seek(0)
            return file.read()

    def fail_once(name: str) -> str:
        # The call is run again where it was run before.
        path = f"{tempfile.gettempdir()}/{name}"
        if not os.path.exists(path):
            with open(path, "w"):
                raise LookupError(name)
        os.remove(path)
        return "again"

    word = os.urandom(4).hex()
    return [
        Probe("results, in their order", square, range(8), _gives([x * x for x in range(8)])),
        Probe("a large argument", measure, [bytes(_LARGE)], _gives([_LARGE])),
        Probe("a large result", make, [_LARGE], _gives([bytes(range(256)) * (_LARGE // 256)])),
        Probe("what a call prints", speak, [word], _prints(word)),
        Probe("environment variables", look_up, ["VERIFIED"], _gives([word]), {"env": {"VERIFIED": word}}),
        Probe("temporary files", write, [word], _gives([word])),
        Probe("a second try", fail_once, [f"wrenml-verify-{word}"], _gives(["again"]), {"retries": 1}),
    ]


def _failures(memory_mb: int) -> list[Probe]:
    def refuse(word: str) -> None:
        raise LookupError(word)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    def fill(mb: int) -> str:
        held = [b"x" * (1 << 20) for _ in range(mb)]
        time.sleep(10)  # who watches may take a moment
        return f"{len(held)} MB, and alive"

    def crash(number: int) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    def leave(code: int) -> None:
        os._exit(code)

    def keep(_: object) -> object:
        return open(os.devnull)  # cannot be pickled

    once: MapOptions = {"infra_retries": 0}
    small: MapOptions = {"infra_retries": 0, "memory_mb": memory_mb}
    return [
        Probe("an exception of its own type", refuse, ["asked for"], _raises(LookupError, "asked for")),
        Probe("a call over its time", sleep, [60.0], _raises(CallTimeout), {"timeout": 3.0, "infra_retries": 0}),
        Probe("a call over its memory", fill, [2 * memory_mb], _raises(WorkerOutOfMemory), small),
        Probe("a crash", crash, [int(signal.SIGSEGV)], _raises(WorkerCrashed), once),
        Probe("an exit", leave, [3], _raises(CallExited, "code 3"), once),
        Probe("a result that cannot be pickled", keep, [None], _raises(ResultNotSerializable)),
    ]


def _gives(expected: list[object]) -> Callable[[FutureList[Any]], str]:
    def check(futures: FutureList[Any]) -> str:
        got = futures.results(errors="return")
        return "" if got == expected else f"got {_short(got)}"

    return check


def _prints(word: str) -> Callable[[FutureList[Any]], str]:
    def check(futures: FutureList[Any]) -> str:
        futures.results()
        said = futures.logs(0)
        return "" if said.count(word) == 2 else f"its output is {_short(said)}"  # noqa: PLR2004  # out and error

    return check


def _raises(kind: type[BaseException], text: str = "") -> Callable[[FutureList[Any]], str]:
    def check(futures: FutureList[Any]) -> str:
        error = futures[0].exception()
        if type(error) is kind and text in str(error):
            return ""
        return f"{_short(futures[0].result())} was returned" if error is None else f"{type(error).__name__}: {error}"

    return check


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004  # characters of a line
