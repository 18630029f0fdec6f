"""A folder of its own in the file system that Linux keeps in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wrenml.storage.bulk import BULK, MEMORY
from wrenml.storage.room import has_room

__all__ = ["shm"]


@pytest.fixture
def shm() -> Iterator[Path]:
    if not os.path.ismount(MEMORY) or not has_room(MEMORY, 16 * BULK, 1 << 60):
        pytest.skip(f"{MEMORY} is no file system in memory, or has no room")
    folder = Path(tempfile.mkdtemp(prefix="wrenml-tests-", dir=MEMORY))
    yield folder
    shutil.rmtree(folder)
