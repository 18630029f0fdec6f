"""Functions and classes that contract suites call on workers: importable there, and without pytest."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

__all__: list[str] = []


class CustomError(Exception):
    """An exception with arguments, an attribute and a constructor that pickle's default way cannot call."""

    def __init__(self, first: int, second: str, *, kept: object = None) -> None:
        super().__init__(first, second)
        self.kept = kept


class Multiplier:
    """A callable object with a method, a class method and a static method."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, x: int) -> int:
        return self.factor * x

    def method(self, x: int) -> int:
        return self.factor * x

    @classmethod
    def made(cls, x: int) -> int:
        return cls(7)(x)

    @staticmethod
    def static(x: int) -> int:
        return x * 5


def identity(x: object) -> object:
    return x


def describe(x: object) -> tuple[str, str]:
    return type(x).__name__, repr(x)


def square(x: int) -> int:
    return x * x


def cube_of(x: int) -> int:
    return x**3


def gather(*args: object, **kwargs: object) -> tuple[tuple[object, ...], dict[str, object]]:
    return args, kwargs


def add(x: int, y: int) -> int:
    return x + y


def total(values: list[int]) -> int:
    return sum(values)


def first_of(data: dict[str, list[tuple[int, object]]]) -> int:
    return data["deep"][0][0]


def change(values: list[int]) -> list[int]:
    values.append(0)
    return values


def size_of(data: object) -> int:
    return len(data)  # type: ignore[arg-type]


def shared_size(pair: tuple[int, bytes]) -> tuple[int, int]:
    return pair[0], len(pair[1])


async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def generator(x: int) -> Iterator[int]:
    yield x


def reject_odd(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def deep_failure(x: int) -> None:
    try:
        try:
            raise KeyError("inner")  # noqa: TRY301  # the chain is what is tested
        except KeyError as inner:
            raise CustomError(x, "middle", kept=[x]) from inner
    except CustomError as middle:
        middle.add_note("a note from far away")
        raise


def group_failure(x: int) -> None:
    raise ExceptionGroup("several", [ValueError(x), CustomError(x, "in a group")])


class Unreadable(Exception):
    """An exception that cannot be pickled."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


def unreadable(message: str) -> None:
    raise Unreadable(message)


class Wordless(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no words")


def wordless(_x: object) -> int:
    raise Wordless


def returns_lock(_x: object) -> object:
    return threading.Lock()


def random_numbers(_x: object) -> tuple[float, float]:
    return random.random(), random.random()


def numpy_numbers(_x: object) -> list[float]:
    import numpy as np  # noqa: PLC0415  # the call itself imports it, as users' calls do

    return [float(x) for x in np.random.random(3)]  # noqa: NPY002  # the global generator is what is seeded


def fail_first(task: tuple[str, int]) -> int:
    """Fail as many times as the task says, counted in a file; return how often it was called."""
    path, times = task
    with open(path, "ab") as file:
        file.write(b"x")
    calls = os.path.getsize(path)
    if calls <= times:
        raise ConnectionError(f"attempt {calls}")
    return calls


def variable(name: str) -> str | None:
    return os.environ.get(name)


def read_file(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


initialized: list[int] = []


def initialize() -> None:
    initialized.append(os.getpid())


def broken_initializer() -> None:
    raise OSError("no licence server")


def times_initialized(_x: object) -> tuple[int, int]:
    return os.getpid(), initialized.count(os.getpid())


def speak(x: int) -> int:
    print(f"out {x}")  # noqa: T201  # what is printed is what is tested
    sys.stderr.write(f"err {x}\n")
    return x


def speak_and_fail(x: int) -> None:
    print(f"last words {x}")  # noqa: T201  # what is printed is what is tested
    raise ValueError(x)


def process(_x: object = None) -> int:
    return os.getpid()


def wait_for_file(path: str) -> str:
    """Return when the file exists."""
    while not Path(path).exists():
        time.sleep(0.002)
    return path


def announce_and_wait(paths: tuple[str, str]) -> int:
    """Make the first file, then return when the second exists."""
    Path(paths[0]).touch()
    wait_for_file(paths[1])
    return os.getpid()


def stuck_in_this_function(started: str) -> None:
    """Make a file, then never return."""
    Path(started).touch()
    while True:
        time.sleep(60)


def nested(x: int) -> list[int]:
    import wrenml  # noqa: PLC0415  # the call itself imports it, as users' calls do

    with contextlib.redirect_stderr(io.StringIO()):
        executor = wrenml.local_executor(workers=4)
        return [*executor.map(add, [x, x], [1, 2]).results(), int(executor.session.backend == "inline")]


def big(size: int) -> bytes:
    return bytes(range(251)) * (size // 251 + 1)


def grid(n: int) -> list[list[int]]:
    return [[i * j for j in range(n)] for i in range(n)]
