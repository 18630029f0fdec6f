from __future__ import annotations

import pytest

from wrenml.invoke.base import Invoker
from wrenml.invoke.inline import InlineInvoker
from wrenml.storage import MemoryStorage, Storage
from wrenml.testing.faults import DroppingInvoker, ReorderingInvoker
from wrenml.testing.invoker_contract import InvokerContract


class TestInlineInvoker(InvokerContract):
    isolated = False

    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    @pytest.fixture
    def invoker(self, storage: Storage) -> Invoker:
        return InlineInvoker(storage)


class TestReorderingInvoker(TestInlineInvoker):
    @pytest.fixture
    def invoker(self, storage: Storage) -> Invoker:
        return ReorderingInvoker(InlineInvoker(storage), seed=1)


class TestDroppingInvokerThatDropsNothing(TestInlineInvoker):
    @pytest.fixture
    def invoker(self, storage: Storage) -> Invoker:
        return DroppingInvoker(InlineInvoker(storage), lambda _: False)
