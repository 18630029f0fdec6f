"""The root key of local storage: 32 random bytes in a file that only its owner can read."""

# pathlib takes longer to import than the rest of this module.

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final, NamedTuple

from wrenml.errors import ConfigError

__all__ = ["RootKey", "load_root_key"]

_LENGTH: Final = 32


class RootKey(NamedTuple):
    """A root key, and whether another process can have it too.

    Parameters
    ----------
    key : bytes
        32 random bytes, not shown by `repr`.
    persistent : bool
        False for a key that ends with this process: no other can read or attach to its jobs.
    why : str
        Why it is not persistent; else empty.
    """

    key: bytes
    persistent: bool
    why: str

    def __repr__(self) -> str:
        return f"RootKey(key=…, persistent={self.persistent}, why={self.why!r})"


def load_root_key(path: str) -> RootKey:
    """Read the key in a file, or make one; processes that race get the same.

    Parameters
    ----------
    path : str
        The file, 0600; its folder is made if needed, 0700.

    Returns
    -------
    RootKey
        A key of this process alone where the file cannot be read or written.

    Raises
    ------
    ConfigError
        The file could be read or written by others, belongs to another user, or is no key.
    """
    try:
        try:
            return RootKey(_read(path), persistent=True, why="")
        except FileNotFoundError:
            _create(path)
            return RootKey(_read(path), persistent=True, why="")
    except OSError as error:
        why = f"the key file {path} can be neither read nor made: {error.strerror or error}"
        return RootKey(os.urandom(_LENGTH), persistent=False, why=why)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        key = file.read(_LENGTH + 1)
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"The key file {path} belongs to another user (id {status.st_uid}), who knows what is in it: "
            "remove it, and a new one is made."
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(
            f"The key file {path} is open to other users of this machine, who could forge results: "
            f"remove it, and a new one is made; if nobody else can have read it, chmod 600 '{path}'."
        )
    if len(key) != _LENGTH:
        raise ConfigError(
            f"The key file {path} does not hold {_LENGTH} bytes, so it is no key: remove it, and a new one "
            "is made. Jobs under the old one can no longer be attached to."
        )
    return key


def _create(path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # A link appears whole or not at all, and never replaces the key of a process that was faster.
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_LENGTH))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
