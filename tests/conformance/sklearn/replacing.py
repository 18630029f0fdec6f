"""scikit-learn's names replaced by wrenml's in a run of tests."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import ModuleType

import pytest

import wrenml


class Replaced:
    """A pytest plugin: wrenml's names stand in scikit-learn's modules, and work on two local workers.

    Parameters
    ----------
    ours : module
        Whose public names they are.
    modules : sequence of module
        Where the tests import them from.
    excluded : mapping of str to str
        Tests that must fail, and why.
    """

    def __init__(self, ours: ModuleType, modules: Sequence[ModuleType], excluded: Mapping[str, str]) -> None:
        self._ours = ours
        self._modules = modules
        self._excluded = excluded
        self._stack = contextlib.ExitStack()

    def pytest_configure(self) -> None:
        executor = self._stack.enter_context(wrenml.local_executor(workers=2))
        # What is not given an executor takes the default one: here the same for all tests.
        wrenml.default_executor = lambda: executor  # type: ignore[assignment,misc]
        for name in self._ours.__all__:
            for module in self._modules:
                if hasattr(module, name):
                    setattr(module, name, getattr(self._ours, name))

    def pytest_unconfigure(self) -> None:
        self._stack.close()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            reason = self._excluded.get(item.name.partition("[")[0])
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
