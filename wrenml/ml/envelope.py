"""Tasks run in a worker as if they ran in the caller: settings go there; warnings, output and failures come back.

::

    caller                                      worker
    here = caller() ────────────────────────▶   with Enclosure(here) as enclosure:
                                                    made = enclosure.run(fn, *args)      one Envelope a task
    value = made.open() ◀────────────────────   return [made, …]

`Envelope.open` warns, prints and raises what the task warned of, printed and raised. Several tasks of one call each
have an envelope, so that what one raises takes nothing from the others.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from wrenml.errors import CallExited, CallTimeout, WorkerLost
from wrenml.failures import describe, rebuild

__all__ = ["LOST", "Caller", "Enclosure", "Envelope", "Warned", "caller"]

P = ParamSpec("P")
R = TypeVar("R")

LOST: Final = (WorkerLost, CallTimeout, CallExited)
"""How a call ends that has no envelopes: its worker died, it ran out of memory or time, or one of its tasks raised
`SystemExit` or, where nobody can press Ctrl-C, `KeyboardInterrupt`. Which task it was is found by running each in a
call of its own; that one has failed as if it had raised, and nothing is taken from the others."""

_LARGEST_OUTPUT: Final = 1 << 20  # characters of a task's output that travel
_SKLEARN: Final = "sklearn"

Filter = tuple[str, Any, type[Warning] | tuple[type[Warning], ...], Any, int]


@dataclass(frozen=True, slots=True)
class Caller:
    """What of the caller's settings holds where its tasks run.

    Parameters
    ----------
    filters : tuple
        The warning filters, the first that matches first.
    config : mapping of str to object, optional
        scikit-learn's configuration (`sklearn.get_config`) of the calling thread; None where it is not loaded.
    """

    filters: tuple[Filter, ...] = ()
    config: Mapping[str, object] | None = None


def caller() -> Caller:
    """Take the settings of the calling thread.

    Returns
    -------
    Caller
        To be sent along with the tasks.
    """
    config = None
    if _SKLEARN in sys.modules:
        from sklearn import get_config  # noqa: PLC0415  # slow to load, and here it is loaded already

        config = get_config()
    # From Python 3.14 on they may belong to a context, and `warnings.filters` does not show them.
    current = getattr(warnings, "_get_filters", None)
    return Caller(tuple(warnings.filters if current is None else current()), config)


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning that a task gave.

    Parameters
    ----------
    message : Warning
        The warning.
    filename : str
        File of the line that gave it, in the worker.
    lineno : int
        Number of that line.
    module : str, optional
        Name of the module with that line. Default: it is none that was imported.
    """

    message: Warning
    filename: str
    lineno: int
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What became of one task.

    Parameters
    ----------
    value : object
        Its result; None if it failed.
    failure : tuple of mapping and bytes, optional
        The exception it ended with, as text and pickled; see `error`. Default: it returned.
    warned : tuple of Warned
        The warnings it gave and the caller's filters do not ignore, in order.
    output : tuple of (str, str)
        What it wrote: ``"stdout"`` or ``"stderr"``, and a piece of text. In order.
    seconds : float
        How long it took.
    cpu_seconds : float
        Processor time of all threads in that time, seconds.
    """

    value: Any = None
    failure: tuple[dict[str, object], bytes] | None = None
    warned: tuple[Warned, ...] = ()
    output: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def open(self) -> Any:
        """Give the warnings, write the output, and return the result.

        Raises
        ------
        BaseException
            What the task raised, of its own type and with its attributes, whatever its `__init__` looks like;
            `wrenml.errors.RemoteError` with the text where it cannot be rebuilt here.
        Warning
            A warning that the caller's filters turn into an error.
        """
        self.replay()
        error = self.error()
        if error is not None:
            raise error
        return self.value

    def replay(self) -> None:
        """Write the output and give the warnings in this process, where its filters decide about them."""
        for stream, text in self.output:
            (sys.stdout if stream == "stdout" else sys.stderr).write(text)
        for each in self.warned:
            name = each.module or ("__main__" if _file_of("__main__") == each.filename else None)
            # Files lie elsewhere in a worker; and the module here notes which warnings it has shown, so that one is
            # shown as often as without workers.
            here = _file_of(name)
            registry = vars(sys.modules[name]).setdefault("__warningregistry__", {}) if name in sys.modules else {}
            filename = here if isinstance(here, str) else each.filename
            warnings.warn_explicit(each.message, type(each.message), filename, each.lineno, name, registry)

    def error(self) -> BaseException | None:
        """The exception, with the worker's frames as its traceback; None if there is none. A new one each time."""
        return None if self.failure is None else rebuild(*self.failure)

    @property
    def traceback(self) -> str:
        """The exception as the worker's interpreter prints it; empty if there is none."""
        return "" if self.failure is None else str(self.failure[0].get("traceback", ""))


class Enclosure:
    """Runs tasks under the caller's settings: a context manager around all tasks of a call.

    Warning filters, scikit-learn's configuration, standard output and standard error are those of this process
    again at its end. Only what is written through `sys.stdout` and `sys.stderr` travels in envelopes; what native
    code or another process writes is kept with the call.

    Parameters
    ----------
    caller : Caller
        The settings.
    catch : tuple of exception types, default (Exception,)
        What goes into the envelope. Anything else ends the call.
    """

    def __init__(self, caller: Caller, *, catch: tuple[type[BaseException], ...] = (Exception,)) -> None:
        self._caller = caller
        self._catch = catch
        self._stack = contextlib.ExitStack()
        self._log: list[warnings.WarningMessage] = []
        self._output = _Output()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._log = stack.enter_context(warnings.catch_warnings(record=True))
            _set_filters(self._caller.filters)
            if self._caller.config is not None and _SKLEARN in sys.modules:
                from sklearn import config_context  # noqa: PLC0415  # as above

                stack.enter_context(config_context(**self._caller.config))
            stack.enter_context(contextlib.redirect_stdout(self._output.stream("stdout")))
            stack.enter_context(contextlib.redirect_stderr(self._output.stream("stderr")))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Envelope:
        """Call ``fn(*args, **kwargs)`` and put what comes of it into an envelope."""
        value: object = None
        failure = None
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            value = fn(*args, **kwargs)
        except self._catch as error:
            failure = describe(error, skip=1)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        warned = tuple(
            Warned(cast("Warning", each.message), each.filename, each.lineno, _module_of(each.filename))
            for each in self._log
        )
        self._log.clear()
        return Envelope(value, failure, warned, self._output.take(), wall, cpu)


def _set_filters(filters: tuple[Filter, ...]) -> None:
    warnings.resetwarnings()
    for action, message, category, module, lineno in filters:
        message, module = getattr(message, "pattern", message), getattr(module, "pattern", module)  # noqa: PLW2901
        if message is None and module is None:
            # The laxer of the two: `category` may be a tuple.
            warnings.simplefilter(action, category, lineno, append=True)  # type: ignore[arg-type]
        else:
            warnings.filterwarnings(action, message or "", category, module or "", lineno, append=True)  # type: ignore[arg-type]


@cache
def _module_of(filename: str) -> str | None:
    """Name of the module that was imported from that file."""
    return next((name for name in list(sys.modules) if name != "__main__" and _file_of(name) == filename), None)


def _file_of(name: str | None) -> object:
    # Some modules import others when they are asked for an attribute that they lack.
    return getattr(sys.modules.get(name or ""), "__dict__", {}).get("__file__")


class _Output:
    """What a task writes to standard output and standard error, in order."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, list[str]]] = []
        self._room = _LARGEST_OUTPUT
        self._left_out = 0
        self._lock = threading.Lock()  # a task may have threads

    def stream(self, name: str) -> io.TextIOBase:
        return _Stream(lambda text: self._write(name, text))

    def _write(self, name: str, text: str) -> None:
        with self._lock:
            kept = text[: self._room]
            self._room -= len(kept)
            self._left_out += len(text) - len(kept)
            if not self._pieces or self._pieces[-1][0] != name:
                self._pieces.append((name, []))
            self._pieces[-1][1].append(kept)

    def take(self) -> tuple[tuple[str, str], ...]:
        with self._lock:
            if self._left_out:
                self._pieces.append(
                    ("stderr", [f"\n[… {self._left_out:,} characters of a task's output left out …]\n"])
                )
            taken = tuple((name, "".join(texts)) for name, texts in self._pieces)
            self._pieces.clear()
            self._room, self._left_out = _LARGEST_OUTPUT, 0
        return taken


class _Stream(io.TextIOBase):
    encoding = "utf-8"

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, text: str, /) -> int:
        self._write(text)
        return len(text)

    def writable(self) -> bool:
        return True
