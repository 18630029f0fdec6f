"""What faulty calls do. Importable without pytest, since workers import it."""

# Faulty calls do what the rules are against.
# ruff: noqa: ANN401, S607, T201, TRY301

from __future__ import annotations

import ctypes
import logging
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20


def same(x: Any) -> Any:
    return x


def process(_x: object = None) -> int:
    return os.getpid()


class Only:
    """Does something for one argument and returns the others."""

    def __init__(self, culprit: object, deed: Callable[[Any], Any]) -> None:
        self.culprit = culprit
        self.deed = deed

    def __call__(self, x: object) -> object:
        return self.deed(x) if x == self.culprit else x


class Noted:
    """Notes each time that it is called, before the deed."""

    def __init__(self, path: Path, deed: Callable[[Any], Any]) -> None:
        self.path = path
        self.deed = deed

    def __call__(self, x: object) -> object:
        with self.path.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return self.deed(x)

    def times(self) -> int:
        return len(self.path.read_text().splitlines()) if self.path.exists() else 0


# Deaths


def use_memory(megabytes: int) -> int:
    held = bytearray(os.urandom(MEGABYTE) * megabytes)
    time.sleep(60)
    return len(held)


def stack_overflow(_x: object) -> None:
    """Overflow the stack in native code, where no recursion limit helps."""
    import pickle  # noqa: PLC0415

    deep: Any = None
    for _ in range(1_000_000):
        deep = (deep,)
    sys.setrecursionlimit(2**31 - 1)
    pickle.dumps(deep)


def segfault_in_here(_x: object) -> None:
    ctypes.string_at(0)


def abort_in_here(_x: object) -> None:
    os.abort()


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_reporting(_x: object) -> str:
    """Let the outcome be stored, and the worker die before it can say so."""
    socket.socket.sendall = killed  # type: ignore[method-assign]
    return "stored"


def exits(how: Any) -> None:
    sys.exit(how)


def exits_at_once(code: int) -> None:
    os._exit(code)


def interrupted(_x: object) -> None:
    raise KeyboardInterrupt


def deadlock_in_here(_x: object) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def busy_in_native_code(_x: object) -> None:
    """Hold the interpreter's lock for ever."""
    re.match(r"(a+)+b", "a" * 64)


def wait(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.002)
    return path


def say_and_wait(paths: tuple[str, str]) -> int:
    Path(paths[0]).write_text(str(os.getpid()))
    wait(paths[1])
    return os.getpid()


def say_and_stay(path: str) -> None:
    Path(path + ".new").write_text(str(os.getpid()))
    Path(path + ".new").rename(path)
    while True:
        time.sleep(60)


def stopped(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)


def chance(task: tuple[int, int]) -> int:
    """Die in one of 300 cases, but not in every attempt: fresh entropy each time."""
    if random.random() < 1 / 300:
        killed()
    return task[0] * task[1]


# What is left behind


def leave_thread(daemon: bool) -> int:  # noqa: FBT001
    threading.Thread(target=time.sleep, args=(60,), daemon=daemon).start()
    return os.getpid()


def leave_process(_x: object) -> tuple[int, int]:
    return os.getpid(), subprocess.Popen(["sleep", "60"]).pid


def leave_grandchild(path: str) -> int:
    """Leave a process whose parent is gone, as daemons do."""
    script = "import os, sys, time\nif os.fork() == 0:\n open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    subprocess.run([sys.executable, "-c", script, path + ".new"], check=True)
    while not Path(path + ".new").exists() or not Path(path + ".new").read_text():
        time.sleep(0.002)
    Path(path + ".new").rename(path)
    return os.getpid()


def leave_fork(path: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        Path(path + ".new").write_text(str(os.getpid()))
        Path(path + ".new").rename(path)
        time.sleep(60)
        os._exit(0)
    wait(path)
    return os.getpid()


def change_folder(path: str) -> None:
    os.chdir(path)


def remove_folder(_x: object) -> None:
    os.rmdir(os.getcwd())


def change_variables(_x: object) -> None:
    os.environ["LEFT_BEHIND"] = "yes"
    os.environ.pop("PATH", None)
    os.putenv("LEFT_BEHIND_IN_C", "yes")


def change_signals(_x: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, lambda *_: None)


def set_alarm(_x: object) -> None:
    signal.alarm(1)


def set_timer(_x: object) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.2)


def block_signals(_x: object) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])


def change_path(_x: object) -> None:
    sys.path[:] = ["/nowhere"]


def replace_path(_x: object) -> None:
    sys.path = ["/nowhere"]


def change_logging(_x: object) -> None:
    logging.basicConfig(level=logging.DEBUG)
    logging.disable(logging.CRITICAL)
    logging.captureWarnings(True)  # noqa: FBT003


def change_warnings(_x: object) -> None:
    warnings.simplefilter("error")


def change_mask(_x: object) -> None:
    os.umask(0)


def change_locale(_x: object) -> None:
    import locale  # noqa: PLC0415

    locale.setlocale(locale.LC_ALL, "C.UTF-8")


def change_random(_x: object) -> None:
    random.seed(0)
    with suppress(ImportError):
        import numpy as np  # noqa: PLC0415

        np.random.seed(0)  # noqa: NPY002


def change_streams(_x: object) -> None:
    sys.stdout = sys.stderr = None


def close_streams(_x: object) -> None:
    sys.stdout.close()


def close_descriptors(_x: object) -> None:
    os.close(1)


def change_limit(_x: object) -> None:
    sys.setrecursionlimit(sys.getrecursionlimit() + 77)


def change_hooks(_x: object) -> None:
    sys.settrace(lambda *_: None)
    sys.setprofile(lambda *_: None)


def change_priority(_x: object) -> None:
    os.nice(3)


def state(_x: object) -> dict[str, object]:
    """All that the next call could notice."""
    import locale  # noqa: PLC0415

    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    mask = os.umask(0)
    os.umask(mask)
    root = logging.getLogger()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGPROF)
    return {
        "folder": [os.path.isdir("."), os.access(".", os.W_OK), os.path.basename(os.path.dirname(os.getcwd()))],
        "variables": {key: value for key, value in os.environ.items() if key in ("LEFT_BEHIND", "PATH")},
        "variables in C": [libc.getenv(b"LEFT_BEHIND"), libc.getenv(b"LEFT_BEHIND_IN_C"), bool(libc.getenv(b"PATH"))],
        "handlers": [str(signal.getsignal(number)) for number in numbers],
        "alarm": [signal.alarm(0), signal.getitimer(signal.ITIMER_REAL)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "path": list(sys.path),
        "logging": [len(root.handlers), root.level, root.manager.disable],
        "warnings": [entry[0] for entry in warnings.filters],
        "showwarning": getattr(warnings.showwarning, "__module__", None),
        "umask": mask,
        "locale": locale.setlocale(locale.LC_ALL, None),
        "streams": [getattr(sys.stdout, "closed", None), getattr(sys.stderr, "closed", None)],
        "limit": sys.getrecursionlimit(),
        "hooks": [sys.gettrace(), sys.getprofile()],
        "threads": threading.active_count(),
        "nice": os.nice(0),
    }


def numbers(_x: object) -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415

    return random.random(), float(np.random.random())  # noqa: NPY002


class InTurn:
    """Changes the state in every call but those of a step, which tell what they see."""

    def __init__(self, change: Callable[[Any], object]) -> None:
        self.change = change

    def __call__(self, x: int) -> object:
        if x % 2:
            return state(x)
        self.change(x)
        return None


def fork_and_stay(path: str) -> None:
    subprocess.Popen(["sleep", "60"])
    leave_fork(path)
    time.sleep(60)


def signal_group(number: int) -> None:
    os.killpg(os.getpgrp(), number)


# Output


def flood_from_python(megabytes: int) -> str:
    print("the first line")
    block = "x" * 1023 + "\n"
    for _ in range(megabytes * 1024):
        sys.stdout.write(block)
    sys.stderr.write("the last line\n")
    return "done"


def flood_from_native_code(megabytes: int) -> str:
    libc = ctypes.CDLL(None)
    os.write(1, b"the first line\n")
    block = b"x" * (MEGABYTE - 1) + b"\n"
    for _ in range(megabytes):
        libc.write(2, block, len(block))
    os.write(2, b"the last line\n")
    return "done"


def flood_from_a_process(megabytes: int) -> str:
    subprocess.run(
        ["sh", "-c", f"echo the first line; head -c {megabytes}M /dev/zero | tr '\\0' x; echo the last line"],
        check=True,
    )
    return "done"


def flood_for_ever(path: str) -> None:
    Path(path).touch()
    block = b"x" * MEGABYTE
    while True:
        os.write(1, block)


def speak_with_null(_x: object) -> str:
    os.write(1, b"\xff\xfe\0 not text\n")
    print("\udcff é")
    return "done"


def fill_disk(_x: object) -> None:
    with open("large", "wb") as file:
        file.writelines(bytes(MEGABYTE) for _ in range(1000))


# Maps inside calls, and what travels


def maps_inside(x: int) -> tuple[list[int], list[int], str, int]:
    import wrenml  # noqa: PLC0415

    one, two = wrenml.local_executor(workers=4), wrenml.default_executor()
    deeper = two.map(maps_deeper, [x]).results()[0]
    return one.map(same, [x, x + 1]).results(), two.map(same, [x]).results(), one.session.backend, deeper


def maps_deeper(x: int) -> int:
    import wrenml  # noqa: PLC0415

    return int(wrenml.local_executor().submit(same, x).result())


def length(x: Any) -> int:
    return len(x)


def large(size: int) -> bytes:
    return bytes(size)


async def coroutine(x: int) -> int:
    return x


def returns_coroutine(x: int) -> Any:
    return coroutine(x)


def returns_file(_x: object) -> Any:
    return open(os.devnull)


def returns_generator(x: int) -> Any:
    return (i for i in range(x))


def returns_future(_x: object) -> Any:
    import concurrent.futures  # noqa: PLC0415

    return concurrent.futures.Future()


def returns_thread(_x: object) -> Any:
    return threading.Thread()


class Awkward:
    """An object that pickles and whose every other method fails."""

    def __repr__(self) -> str:
        raise OSError("no repr")

    def __eq__(self, other: object) -> bool:
        raise OSError("no equality")

    __hash__ = None  # type: ignore[assignment]


def fails(x: object) -> None:
    raise ValueError(f"failed for {type(x).__name__}")


def fails_with_secret(_x: object) -> None:
    raise ValueError(f"variables: {len(os.environ['API_TOKEN'])}")


class DoesNotUnpickle(Exception):
    """Its constructor cannot be called as pickle calls it."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class UnpicklingFails(Exception):
    """Comes from a call that it survives, and fails to be rebuilt."""

    def __reduce__(self) -> Any:
        return _refuse, (str(self),)


def _refuse(text: str) -> None:
    raise RuntimeError(f"refused: {text}")


def raises_group(_x: object) -> None:
    group = ExceptionGroup(
        "outer", [ValueError("one"), ExceptionGroup("inner", [KeyError("two"), UnpicklingFails("three")])]
    )
    group.add_note("a note")
    try:
        raise OSError("the cause")
    except OSError as cause:
        raise group from cause


def raises_deep_chain(_x: object) -> None:
    error: Exception | None = None
    for i in range(3000):
        new = ValueError(str(i))
        new.__cause__ = error
        error = new
    assert error is not None
    raise error


def raises_large(_x: object) -> None:
    raise ValueError("x" * (20 * MEGABYTE))


def raises_unpickling_fails(_x: object) -> None:
    raise UnpicklingFails("original words")


def raises_does_not_unpickle(_x: object) -> None:
    raise DoesNotUnpickle(1, 2)


def raises_class(_x: object) -> None:
    raise ValueError


def raises_locally(_x: object) -> None:
    class Local(Exception):
        pass

    raise Local("made in the call")


def recurses(_x: object) -> None:
    recurses(_x)


def hold_memory(megabytes: int) -> int:
    """Use memory long enough to be seen, then return."""
    held = bytearray(os.urandom(MEGABYTE) * megabytes)
    time.sleep(0.5)
    return len(held) // MEGABYTE


def first_or_stay(task: tuple[int, str]) -> int:
    """Return at once for the first five; else note the process, and stay until somebody empties the note."""
    number, path = task
    note = Path(f"{path}.{number}")
    if number >= 5 and not note.exists():
        Path(f"{note}.new").write_text(str(os.getpid()))
        Path(f"{note}.new").rename(note)
        while True:
            time.sleep(60)
    return number


def babble(text: bytes) -> None:
    """Write to all sockets that are open in this process, and go on for ever."""
    for descriptor in range(3, 256):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, text)
    ours, _theirs = socket.socketpair()
    ours.recv(1)
