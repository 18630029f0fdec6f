"""The canonical digest of a function or an argument: equal in every process, whatever its hash seed.

::

    object ──▶ objects.expand ──▶ label + children ──▶ graph.digest ──▶ hex text
                  │  code.py       bytecode without file, line and docstring, and what it names
                  └─ origins.py    stdlib | installed, by version | local, by content

What counts: bytecode with its constants, defaults, closures, attributes and the values of the globals it
names; local functions, classes and modules reached from there, recursively; name and version of installed
distributions; the minor version of Python where bytecode or the standard library is involved. What does
not count: file, line, comments, docstrings, a function's own name and annotations, and the order of sets and
dicts.

Limits, each of which costs a wrong hit or a miss:

- Names made at run time (`getattr` with a computed name, `importlib.import_module`, `eval`) are not seen, nor
  are data files, environment variables and the clock.
- Whether two parts of an argument are one object or two equal ones is not seen.
- Weak references count as nothing, and a cached property or `functools.cache` counts without what it holds.
- What only cloudpickle can pickle counts as cloudpickle's bytes: these may differ between processes, which
  computes again what could have been reused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrenml.digest.graph import digest
from wrenml.digest.objects import OpaqueError, expand, key, scalar
from wrenml.errors import ArgumentNotSerializable, FunctionNotSerializable

__all__ = ["argument_digest", "function_digest"]


def function_digest(fn: Callable[..., Any]) -> str:
    """Digest what a function does: its code, and the code and values it names.

    Parameters
    ----------
    fn : callable
        A function, lambda, partial, method, class, builtin or callable object.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    FunctionNotSerializable
        It names something that cannot be pickled, such as a lock or an open file.
    """
    try:
        return digest(fn, key=key, scalar=scalar, expand=expand)
    except OpaqueError as error:
        raise FunctionNotSerializable(
            f"The function names {error}, which cannot be pickled, so `cache=` cannot tell whether it "
            "changed. Make it inside the function, or leave `cache=` out."
        ) from error


def argument_digest(obj: object) -> str:
    """Digest the value of an argument.

    Parameters
    ----------
    obj : object
        Any value that can be pickled; arrays count by bytes, dtype and shape.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ArgumentNotSerializable
        It holds something that cannot be pickled, such as a lock or an open file.
    """
    try:
        return digest(obj, key=key, scalar=scalar, expand=expand)
    except OpaqueError as error:
        raise ArgumentNotSerializable(
            f"The argument holds {error}, which cannot be pickled, so `cache=` cannot tell it from another. "
            "Pass what it is made from, or leave `cache=` out."
        ) from error
