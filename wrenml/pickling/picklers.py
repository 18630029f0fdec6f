"""cloudpickle's pickler, told what to keep out of the stream. Loaded on first need: cloudpickle is slow."""

from __future__ import annotations

import dis
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import resolve_name
from pickle import PickleBuffer
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

from wrenml.pickling.format import keep_out
from wrenml.pickling.unpacker import INPUT

__all__ = ["InputMet", "ReferencePickler", "ValuePickler", "imported_names", "pickle_result"]

AsInput = Callable[[object], tuple[str, int] | None]

_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_NO_CODE = frozenset({"CACHE", "EXTENDED_ARG"})
# What persistent_id need not look at: these are never inputs.
_ATOMS = frozenset({int, float, str, bytes, bool, type(None), tuple, list, dict})

# cloudpickle's registry of modules to pickle by value is global: it is changed for one decision at a time.
_registry_lock = threading.Lock()


# A BaseException, since no `except Exception` on its way may take it.
class InputMet(BaseException):
    """The object refers to another call's result, so it needs a `ReferencePickler`."""


class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    """Pickles one object at a time, each on its own.

    Parameters
    ----------
    modules : set of str
        Gets the names of the modules that the stream refers to.
    threshold : int
        Contiguous buffers from this size on stay out of the stream, bytes.
    as_input : callable, optional
        Job and index of an object that stands for another call's result, else None.

    Notes
    -----
    A module that has no file and was not installed (made in memory) is pickled by value: no worker could
    import it.
    """

    def __init__(self, modules: set[str], threshold: int, as_input: AsInput | None = None) -> None:
        self._file = io.BytesIO()
        self._buffers: list[PickleBuffer] = []
        super().__init__(self._file, protocol=5, buffer_callback=keep_out(self._buffers, threshold))
        self._modules = modules
        self._as_input = as_input

    def pickle(self, obj: object) -> tuple[bytes, list[PickleBuffer]]:
        """Return the stream of `obj` and the buffers that stayed out of it.

        Raises
        ------
        InputMet
            `obj` has another call's result inside.
        """
        self._file.seek(0)
        self._file.truncate()
        self.clear_memo()
        self.globals_ref.clear()
        self._buffers.clear()
        self.dump(obj)
        return self._file.getvalue(), self._buffers.copy()

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own signature
        """Choose between reference and value, and note which modules are referred to."""
        if self._as_input is not None and self._as_input(obj) is not None:
            raise InputMet
        kind = type(obj)
        if kind is ModuleType:
            return self._reduce_module(obj)
        if kind is not FunctionType and not issubclass(kind, type):
            # Such an object (a Cython function, a ufunc) may reduce to a name, looked for in this module.
            self._note(getattr(obj, "__module__", None))
            return NotImplemented
        reduced = super().reducer_override(obj)
        if reduced is NotImplemented and _in_memory(obj.__module__):
            with _by_value(sys.modules[obj.__module__]):
                reduced = super().reducer_override(obj)
        if reduced is NotImplemented:
            self._note(obj.__module__)
        elif kind is FunctionType:
            package = obj.__globals__.get("__package__") or ""
            self._modules.update(imported_names(obj.__code__, package))
        return reduced

    def _reduce_module(self, module: ModuleType) -> Any:  # noqa: ANN401
        if not _in_memory(module.__name__):
            if module.__name__ in sys.modules:
                self._note(module.__name__)
            return NotImplemented
        with _by_value(module):
            return self.dispatch_table[ModuleType](module)

    def _note(self, module: object) -> None:
        if isinstance(module, str) and module != "__main__":
            self._modules.add(module)


class ReferencePickler(ValuePickler):
    """A `ValuePickler` that puts references in place of inputs and of shared objects.

    Parameters
    ----------
    modules, threshold, as_input
        As for `ValuePickler`.
    shared : callable
        The reference to write in place of an object, or None.
    """

    def __init__(
        self,
        modules: set[str],
        threshold: int,
        as_input: AsInput | None,
        shared: Callable[[object], tuple[str, int, bytes] | None],
    ) -> None:
        super().__init__(modules, threshold)
        self._find_input = as_input
        self._shared = shared
        self.inputs: dict[tuple[str, int], None] = {}

    def pickle(self, obj: object) -> tuple[bytes, list[PickleBuffer]]:
        """Return the stream of `obj` and the buffers out of it; `inputs` are those of this object."""
        self.inputs = {}
        return super().pickle(obj)

    def persistent_id(self, obj: object) -> tuple[Any, ...] | None:
        """Return what stands for `obj` in the stream, or None for the object itself."""
        found = self._shared(obj)
        if found is not None or self._find_input is None or type(obj) in _ATOMS:
            return found
        referred = self._find_input(obj)
        if referred is None:
            return None
        self.inputs[referred] = None
        return (INPUT, *referred)


class _ResultPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    def __init__(self, file: io.BytesIO, threshold: int, refuse: Callable[[object], None]) -> None:
        self.buffers: list[PickleBuffer] = []
        super().__init__(file, protocol=5, buffer_callback=keep_out(self.buffers, threshold))
        self._refuse = refuse

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own signature
        self._refuse(obj)
        return super().reducer_override(obj)


def pickle_result(obj: object, threshold: int, refuse: Callable[[object], None]) -> tuple[bytes, list[PickleBuffer]]:
    """Return a result's stream and its buffers from `threshold` bytes on; `refuse` raises for some parts."""
    file = io.BytesIO()
    pickler = _ResultPickler(file, threshold, refuse)
    pickler.dump(obj)
    return file.getvalue(), pickler.buffers


def imported_names(code: CodeType, package: str) -> Iterator[str]:
    """Yield the modules that import statements in a function's body may load, nested functions included.

    Parameters
    ----------
    code : CodeType
        The function's code.
    package : str
        What relative imports are relative to.

    Notes
    -----
    ``from a import b`` yields ``a`` and ``a.b``, since b may be a module.
    """
    if _IMPORT_NAME in code.co_code[::2]:
        steps = [step for step in dis.get_instructions(code) if step.opname not in _NO_CODE]
        for i, step in enumerate(steps):
            if step.opcode == _IMPORT_NAME:
                yield from _imported(step.argval, steps[i - 2].argval, steps[i - 1].argval, package)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imported_names(constant, package)


def _imported(name: str, level: object, names: object, package: str) -> Iterator[str]:
    if isinstance(level, int) and level > 0:
        if not package or level > package.count(".") + 1:
            return
        name = resolve_name("." * level + name, package)
    yield name
    if isinstance(names, tuple):
        yield from (f"{name}.{part}" for part in names if part != "*")


def _in_memory(name: object) -> bool:
    # Judged by the top-level package: submodules without a file are made by importing their package.
    if not isinstance(name, str) or name == "__main__":
        return False
    top = name.partition(".")[0]
    module = sys.modules.get(top)
    if module is None or top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return False
    spec = getattr(module, "__spec__", None)
    has_origin = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    return not has_origin and not hasattr(module, "__path__") and name in sys.modules


@contextmanager
def _by_value(module: ModuleType) -> Iterator[None]:
    with _registry_lock:
        ours = module.__name__ not in cloudpickle.list_registry_pickle_by_value()
        cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            if ours:
                cloudpickle.unregister_pickle_by_value(module)
