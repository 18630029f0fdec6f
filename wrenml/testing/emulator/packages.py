"""Packages of the emulated Lambda: zip files, unpacked once for each digest."""

from __future__ import annotations

import base64
import io
import os
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from wrenml.testing.emulator.refusing import RefusedError

__all__ = ["MOST_UNZIPPED", "MOST_ZIPPED", "Package", "Packages"]

MOST_ZIPPED = 50 << 20
"""Bytes that a zip file sent by itself may have; from S3 it may have more."""
MOST_UNZIPPED = 262_144_000
"""Bytes of a package, with its layers."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package.

    Parameters
    ----------
    folder : Path
        Where it is unpacked.
    sha256 : str
        Of the zip file, base64, as Lambda says it.
    zipped, unzipped : int
        Bytes.
    """

    folder: Path
    sha256: str
    zipped: int
    unzipped: int


class Packages:
    """Keeps packages below a folder.

    Parameters
    ----------
    folder : Path
        Where they are unpacked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._known: dict[str, Package] = {}

    def unpack(self, data: bytes) -> Package:
        """Unpack a zip file; one seen before is not unpacked again.

        Raises
        ------
        RefusedError
            400 if it is no zip file, or too large.
        """
        digest = base64.b64encode(sha256(data).digest()).decode()
        with self._lock:
            if digest not in self._known:
                self._known[digest] = self._unpack(data, digest)
            return self._known[digest]

    def _unpack(self, data: bytes, digest: str) -> Package:
        folder = self._folder / sha256(digest.encode()).hexdigest()[:16]
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if size > MOST_UNZIPPED:
                    raise RefusedError(
                        400,
                        "InvalidParameterValueException",
                        f"Unzipped size must be smaller than {MOST_UNZIPPED} bytes",
                    )
                for entry in archive.infolist():
                    path = archive.extract(entry, folder)
                    mode = entry.external_attr >> 16 & 0o777
                    if mode and not entry.is_dir():
                        os.chmod(path, mode)
        except zipfile.BadZipFile as error:
            raise RefusedError(
                400, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file."
            ) from error
        return Package(folder, digest, len(data), size)

    def adopt(self, folder: Path) -> Package:
        """Take a folder that is unpacked already; its digest is one of its path."""
        digest = base64.b64encode(sha256(str(folder).encode()).digest()).decode()
        return Package(folder, digest, 0, 0)
