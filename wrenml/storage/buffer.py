"""What holds bytes."""

from __future__ import annotations

import mmap

__all__ = ["Buffer"]

Buffer = bytes | bytearray | memoryview | mmap.mmap
"""Anything C-contiguous that holds bytes."""
