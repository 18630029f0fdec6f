"""Where a module comes from: the standard library, an installed distribution, or the user's own files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec

__all__ = ["PYTHON", "local_spec", "origin"]

PYTHON = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
"""Implementation and minor version: what bytecode and the standard library depend on."""

_INSTALLED = {"site-packages", "dist-packages"}


@cache
def origin(module: str) -> str | None:
    """Say what a module's code depends on.

    Parameters
    ----------
    module : str
        Its full name.

    Returns
    -------
    str or None
        Python's version for the standard library, names and versions for installed distributions, None for
        local code, which counts by its content.
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return PYTHON
    if top == "__main__" or not _is_installed(top):
        return None
    versions = [f"{name} {_version(name)}" for name in _distributions().get(top, ())]
    return ", ".join(sorted(set(versions))) or None


def local_spec(module: str) -> ModuleSpec | None:
    """Find a module without importing it or its parents.

    Parameters
    ----------
    module : str
        Its full name.

    Returns
    -------
    ModuleSpec or None
        None where there is no such module.
    """
    path: Sequence[str] | None = None
    spec = None
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:length]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _is_installed(top: str) -> bool:
    spec = getattr(sys.modules.get(top), "__spec__", None) or _find(top, None)
    if spec is None:
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    return any(_INSTALLED.intersection(place.replace("\\", "/").split("/")) for place in places)


def _find(module: str, path: Sequence[str] | None) -> ModuleSpec | None:
    # Editable installs may bring finders of their own; `importlib.util.find_spec` would import the parents.
    for finder in sys.meta_path:
        spec = finder.find_spec(module, path)
        if spec is not None:
            return spec
    return None


@cache
def _distributions() -> dict[str, list[str]]:
    from importlib.metadata import packages_distributions  # noqa: PLC0415 - slow to import

    return dict(packages_distributions())


@cache
def _version(distribution: str) -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import

    return version(distribution)
