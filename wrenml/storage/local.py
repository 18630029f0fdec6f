"""Objects as files below one folder; outcomes appended to one segment file for each writer."""

# Workers start cold, and pathlib is slow to import.
# ruff: noqa: PTH100, PTH104, PTH106, PTH108, PTH112, PTH113, PTH114
from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from wrenml.errors import AccessDeniedError, ConfigError, KeyNotFoundError, StorageError
from wrenml.storage.base import (
    TEMPORARY,
    Buffer,
    Commit,
    as_buffers,
    check_key,
    check_keys,
    check_name,
    check_range,
    get_or_none,
    outcomes,
)
from wrenml.storage.osfile import as_storage_error, open_new, read_range, write_all
from wrenml.storage.segments import Segment, walk

__all__ = ["LocalStorage"]

_OPEN_SEGMENTS = 16
_KNOWN_FOLDERS = 4096


class LocalStorage:
    """Files below a folder of this machine, or of a shared file system.

    A large object is mapped copy-on-write by `get`, so that workers share its pages. What was written is safe
    when a process dies, not when the machine loses power: nothing is flushed to the disk.

    Parameters
    ----------
    root : str or path
        The folder. It is made at the first write, for this user only. Keys are case-sensitive only if its
        file system is. Links below it are neither listed nor followed.

    Raises
    ------
    ConfigError
        The root is empty or holds a NUL.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        path = os.fspath(root)
        if not path or "\0" in path:
            raise ConfigError(f"{path!r} is not a folder. Name the folder in which objects shall be stored.")
        self._root = os.path.abspath(path).rstrip("/")
        self._names = itertools.count()
        self._token = os.urandom(6).hex()
        self._lock = Lock()
        self._segments: dict[tuple[str, str], Segment] = {}
        # Folders that were seen to be no links, so that one look is enough.
        self._real: set[str] = set()

    @property
    def url(self) -> str:
        """``file://`` and the absolute path, as it is: nothing in it is percent-encoded."""
        return f"file://{self._root}" if self._root else "file:///"

    def __repr__(self) -> str:
        return f"LocalStorage({self._root or '/'!r})"

    def __reduce__(self) -> tuple[type[LocalStorage], tuple[str]]:
        return LocalStorage, (self._root or "/",)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        path = self._path(key)
        # Spares writing what would not be kept.
        if if_absent and os.path.isfile(path) and _refresh(path):
            return False
        try:
            temporary = self._write_beside(path, as_buffers(data))
            try:
                if not if_absent:
                    os.rename(temporary, path)
                    return True
                os.link(temporary, path)
            except FileExistsError:
                os.unlink(temporary)
                if os.path.isdir(path):
                    raise
                return False
            except BaseException:
                os.unlink(temporary)
                raise
            os.unlink(temporary)
        except OSError as error:
            raise _write_error(error, key, path) from error
        return True

    def _write_beside(self, path: str, buffers: Sequence[Buffer]) -> str:
        # The process id keeps a forked process from taking its parent's next name.
        name = f"{TEMPORARY}{self._token}-{os.getpid()}-{next(self._names)}"
        temporary = path[: path.rindex("/") + 1] + name
        fd = open_new(temporary, os.O_WRONLY | os.O_EXCL)
        try:
            write_all(fd, buffers)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        return temporary

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        path = self._path(key)
        check_range(start, stop)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                return read_range(fd, start, stop)
            finally:
                os.close(fd)
        except IsADirectoryError as error:
            raise KeyNotFoundError(
                f"There is no object {key!r} in this storage: {path} is a folder."
            ) from error
        except OSError as error:
            raise as_storage_error(error, key, path) from error

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        folder = prefix[: prefix.rfind("/") + 1]
        if folder:
            try:
                self._path(folder + "any")
            except (ConfigError, AccessDeniedError):
                return
        yield from self._walk(folder, prefix, after)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[str]:
        path = f"{self._root}/{folder}"
        try:
            with os.scandir(path) as entries:
                # A folder sorts by its name and the slash, as its keys do.
                names = sorted(
                    entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in entries
                    if not entry.is_symlink() and not entry.name.startswith(TEMPORARY)
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise as_storage_error(error, folder, path) from error
        for name in names:
            key = folder + name
            if not name.endswith("/"):
                if key.startswith(prefix) and key > after:
                    yield key
            elif key.startswith(prefix) and (key > after or after.startswith(key)):
                yield from self._walk(key, prefix, after)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects and the folders that they leave empty; see `wrenml.storage.base.Objects.delete`."""
        check_keys(keys)
        folders = set()
        for key in keys:
            path = self._path(key)
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                if os.path.isdir(path):
                    continue
                raise as_storage_error(error, key, path) from error
            self._forget(key)
            folders.add(path[: path.rindex("/")])
        for folder in folders:
            self._remove_empty(folder)

    def _forget(self, key: str) -> None:
        parts = key.split("/")
        if parts[0] == "jobs" and len(parts) == 4:  # noqa: PLR2004 - jobs/<job>/out/<writer>
            with self._lock:
                self._segments.pop((parts[1], parts[3]), None)

    def _remove_empty(self, folder: str) -> None:
        while len(folder) > len(self._root):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = folder[: folder.rindex("/")]

    def commit(
        self,
        job: str,
        call: int,  # noqa: ARG002 - the frame says which calls it holds
        frame: Sequence[Buffer],
        *,
        attempt: int | None,  # noqa: ARG002 - and which attempt
        writer: str,
    ) -> Commit:
        """Append a frame to the writer's segment; see `wrenml.storage.base.Storage.commit`."""
        key = f"jobs/{job}/out/{writer}"
        try:
            with self._lock:
                start, stop = self._segment(job, writer).append(frame)
        except OSError as error:
            path = f"{self._root}/{key}"
            raise _write_error(error, key, path) from error
        return Commit(True, key, start, stop)  # noqa: FBT003 - the field's name says what it is

    def _segment(self, job: str, writer: str) -> Segment:
        segment = self._segments.pop((job, writer), None)
        if segment is None:
            check_name(writer, "writer")
            segment = Segment(self._path(outcomes(job) + writer))
            if len(self._segments) == _OPEN_SEGMENTS:
                del self._segments[next(iter(self._segments))]
        # Last in the dictionary is the most recently used.
        self._segments[job, writer] = segment
        return segment

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every whole frame of the job's segments; see `wrenml.storage.base.Storage.frames`."""
        for key in self.list(outcomes(job)):
            data = get_or_none(self, key)
            if data is not None:
                view = memoryview(data)
                for start, stop in walk(data):
                    yield key, start, view[start:stop]

    def _path(self, key: str) -> str:
        check_key(key)
        folder, slash, _ = key.rpartition("/")
        if slash and folder not in self._real:
            self._check_folder(folder)
        return f"{self._root}/{key}"

    def _check_folder(self, folder: str) -> None:
        path = self._root
        for part in folder.split("/"):
            path += "/" + part
            if os.path.islink(path):
                raise AccessDeniedError(
                    f"{path} is a link, and a storage does not follow links out of its folder. "
                    "Put a folder in its place, or let the whole storage folder be a link."
                )
        if os.path.isdir(path):
            if len(self._real) >= _KNOWN_FOLDERS:
                self._real.clear()
            self._real.add(folder)


def _refresh(path: str) -> bool:
    """Make a file count as new for who removes old ones; False if it is gone."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it is another user's
    return True


def _write_error(error: OSError, key: str, path: str) -> StorageError:
    if isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
        return StorageError(
            f"Nothing can be stored under {key!r}: of it and another key, one is the folder of the other "
            f"(at {path}). Choose keys of which none is a folder of another."
        )
    return as_storage_error(error, key, path)
