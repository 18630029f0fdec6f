from __future__ import annotations

from pathlib import Path

import pytest

from wrenml.invoke.local import LocalInvoker
from wrenml.storage import LocalStorage, Storage
from wrenml.testing.invoker_contract import InvokerContract


class TestLocalInvoker(InvokerContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> LocalStorage:
        return LocalStorage(tmp_path / "storage")

    @pytest.fixture
    def invoker(self, storage: Storage, tmp_path: Path) -> LocalInvoker:
        return LocalInvoker(storage, 2, str(tmp_path / "storage"))
