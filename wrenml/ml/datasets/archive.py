"""`.npz` files whose arrays lie in them as they are.

::

    header X.npy │ pad │ npy header │ X …… │ header y.npy │ pad │ npy header │ y …… │ directory
                       └ at a multiple of 64 bytes

`numpy.load` and, where the arrays are those of a sparse matrix, `scipy.sparse.load_npz` read them. A file is one
request of a storage, and since nothing is compressed, arrays are used where they were mapped or received, without a
copy.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import IO, Any, Final, cast

import numpy as np

__all__ = ["array_in", "arrays_in", "packed_array", "packed_arrays"]

Bytes = bytes | bytearray | memoryview

_ALIGNED: Final = 64
_LOCAL_HEADER: Final = 30  # bytes; the name and extra fields follow
_ZIP64_FIELD: Final = 20
_FIELD_HEADER: Final = 4
_PADDING: Final = 0xD935  # the extra field that Android's zipalign pads with


def packed_arrays(arrays: Mapping[str, Any]) -> list[Bytes]:
    """Return a `.npz` file, in parts: the arrays are not copied.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        C-contiguous, of numbers or strings of fixed length. Equal ones make equal files.
    """
    parts = _Parts()
    with zipfile.ZipFile(cast("IO[bytes]", parts), "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            begins = parts.tell() + _LOCAL_HEADER + len(member.filename) + _ZIP64_FIELD + _FIELD_HEADER
            padding = bytes(-begins % _ALIGNED)
            member.extra = struct.pack("<HH", _PADDING, len(padding)) + padding
            with archive.open(member, "w", force_zip64=True) as file:
                for part in packed_array(array):
                    file.write(part)
    return parts.parts


def packed_array(array: Any) -> list[Bytes]:
    """Return an `.npy` file, in parts: the array, C-contiguous, is not copied."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    # A view as bytes, since strings have no buffers of their own.
    return [header.getvalue(), memoryview(array.reshape(-1).view(np.uint8))] if array.size else [header.getvalue()]


def arrays_in(data: memoryview) -> dict[str, Any]:
    """Return the arrays of a `.npz` file that `packed_arrays` made: views of its bytes."""
    arrays = {}
    with zipfile.ZipFile(cast("IO[bytes]", _Window(data))) as archive:
        for member in archive.infolist():
            lengths = struct.unpack_from("<HH", data, member.header_offset + 26)
            start = member.header_offset + _LOCAL_HEADER + sum(lengths)
            arrays[member.filename.removesuffix(".npy")] = array_in(data[start : start + member.file_size])
    return arrays


def array_in(data: memoryview) -> Any:
    """Return the array of an `.npy` file that `packed_array` made: a view of its bytes."""
    header = io.BytesIO(data[: 10 + int.from_bytes(data[8:10], "little")])
    np.lib.format.read_magic(header)
    shape, _, dtype = np.lib.format.read_array_header_1_0(header)
    body = data[header.tell() :]
    return np.frombuffer(body, dtype).reshape(shape) if body else np.empty(shape, dtype)


class _Parts(io.RawIOBase):
    """A file that keeps what is written to it as it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size


class _Window(io.RawIOBase):
    """A file over bytes that are not copied."""

    def __init__(self, data: memoryview) -> None:
        super().__init__()
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, len(self._data))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, into: Any) -> int:
        part = self._data[self._at : self._at + len(into)]
        into[: len(part)] = part
        self._at += len(part)
        return len(part)
