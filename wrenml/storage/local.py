"""Objects as files below one folder; outcomes appended to one segment file for each writer."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock

from wrenml.errors import AccessDeniedError, ConfigError, KeyNotFoundError, StorageError
from wrenml.storage.base import (
    IN_MEMORY,
    TEMPORARY,
    Buffer,
    Commit,
    as_buffers,
    check_key,
    check_keys,
    check_name,
    check_range,
    frame_size,
    get_or_none,
    outcomes,
    size_of,
)
from wrenml.storage.bulk import BULK, MEMORY, Bulk
from wrenml.storage.osfile import as_storage_error, open_new, read_range, write_all
from wrenml.storage.segments import APPENDING, Segment, walk

__all__ = ["LocalStorage"]

_OPEN_SEGMENTS = 16
_KNOWN_FOLDERS = 4096


class LocalStorage:
    """Files below a folder of this machine, or of a shared file system.

    A large object is mapped copy-on-write by `get`, so that workers share its pages. What was written is safe
    when a process dies, not when the machine loses power: nothing is flushed to the disk, and large frames and
    objects written if absent lie in memory, where that has room, until `persist` moves them to the folder.

    Parameters
    ----------
    root : str or path
        The folder. It is made at the first write, for this user only. Keys are case-sensitive only if its
        file system is. Links below it are neither listed nor followed, but for those that lead to memory.
    memory : str or None, default "/dev/shm"
        Folder of a file system in memory, used on Linux only; None for the disk alone.

    Raises
    ------
    ConfigError
        The root is empty or holds a NUL.
    """

    def __init__(self, root: str | os.PathLike[str], *, memory: str | None = MEMORY) -> None:
        path = os.fspath(root)
        if not path or "\0" in path:
            raise ConfigError(f"{path!r} is not a folder. Name the folder in which objects shall be stored.")
        self._root = os.path.abspath(path).rstrip("/")
        self._memory = memory
        self._bulk = Bulk(self._root, memory)
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

    def __reduce__(self) -> tuple[Callable[..., LocalStorage], tuple[str, str | None]]:
        return _opened, (self._root or "/", self._memory)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        path = self._path(key)
        try:
            if not if_absent:
                self._replace(path, as_buffers(data))
                return True
            # Spares writing what would not be kept.
            if os.path.isfile(path) and _refresh(path):
                return False
            return self._put_new(key, path, as_buffers(data))
        except OSError as error:
            raise _write_error(error, key, path) from error

    def _replace(self, path: str, buffers: Sequence[Buffer]) -> None:
        temporary = self._write_beside(path, buffers)
        try:
            with self._bulk.replacing(path):
                os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _put_new(self, key: str, path: str, buffers: Sequence[Buffer]) -> bool:
        self._bulk.clear_dangling(path)
        size = size_of(buffers)
        if size >= BULK:
            placed = self._bulk.put(key, path, buffers, size)
            if placed or (placed is False and not os.path.isdir(path)):
                return placed
        temporary = self._write_beside(path, buffers)
        try:
            os.link(temporary, path)
        except FileExistsError:
            if os.path.isdir(path):
                raise
            return False
        finally:
            os.unlink(temporary)
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
            fd = self._open(path)
            try:
                return read_range(fd, start, stop)
            finally:
                os.close(fd)
        except IsADirectoryError as error:
            raise KeyNotFoundError(f"There is no object {key!r} in this storage: {path} is a folder.") from error
        except OSError as error:
            raise as_storage_error(error, key, path) from error

    def _open(self, path: str) -> int:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        fd = self._bulk.open(path)
        if fd is not None:
            return fd
        if self._bulk.target(path) is not None:
            raise FileNotFoundError(errno.ENOENT, "it lay in memory that is gone", path)
        # It may have been moved from memory to the path just now.
        return os.open(path, flags)

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
                    if not entry.name.startswith(TEMPORARY)
                    and not (entry.is_symlink() and not self._bulk.has(entry.path))
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
                with self._bulk.replacing(path):
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
        size = frame_size(frame)
        with self._lock:
            if size >= BULK:
                commit = self._append_in_memory(job, writer + IN_MEMORY, frame, size)
                if commit is not None:
                    return commit
            key = f"jobs/{job}/out/{writer}"
            try:
                start, stop = self._segment(job, writer).append(frame, size)
            except OSError as error:
                path = f"{self._root}/{key}"
                raise _write_error(error, key, path) from error
        return Commit(True, key, start, stop)  # noqa: FBT003 - the field's name says what it is

    def _append_in_memory(self, job: str, name: str, frame: Sequence[Buffer], size: int) -> Commit | None:
        """Append a large frame to the writer's segment in memory; None if there is no room, or no such segment."""
        try:
            segment = self._segments.pop((job, name), None) or self._segment_in_memory(job, name, size)
            if segment is None or not self._bulk.has_room(size):
                return None
            with segment.locked() as there:
                if not there:
                    return None
                start, stop = segment.append(frame, size)
        except OSError:
            # The disk may do what memory cannot, or says better why not.
            return None
        self._remember(job, name, segment)
        return Commit(True, f"jobs/{job}/out/{name}", start, stop)  # noqa: FBT003 - the field's name says what it is

    def _segment_in_memory(self, job: str, name: str, size: int) -> Segment | None:
        check_name(name, "writer")
        key = outcomes(job) + name
        path = self._path(key)
        fd = self._bulk.open(path, APPENDING)
        if fd is None:
            self._bulk.clear_dangling(path)
            fd = self._bulk.create(key, path, APPENDING, size)
        # What is on the disk already was moved there, and stays as it is.
        return None if fd is None or fd is False else Segment(fd)

    def _segment(self, job: str, writer: str) -> Segment:
        segment = self._segments.pop((job, writer), None)
        if segment is None:
            check_name(writer, "writer")
            segment = Segment(open_new(self._path(outcomes(job) + writer), APPENDING))
        self._remember(job, writer, segment)
        return segment

    def _remember(self, job: str, name: str, segment: Segment) -> None:
        # Last in the dictionary is the most recently used.
        self._segments[job, name] = segment
        if len(self._segments) > _OPEN_SEGMENTS:
            del self._segments[next(iter(self._segments))]

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every whole frame of the job's segments; see `wrenml.storage.base.Storage.frames`."""
        for key in self.list(outcomes(job)):
            data = get_or_none(self, key)
            if data is not None:
                view = memoryview(data)
                for start, stop in walk(data):
                    yield key, start, view[start:stop]

    def in_memory(self, folder: str) -> set[str]:
        """The next parts of keys that begin with ``folder`` and have something in memory.

        Parameters
        ----------
        folder : str
            The beginning of a key, up to a slash and with it.
        """
        return self._bulk.names(folder)

    def persist(self, prefix: str = "", *, older_than: float = 0.0) -> int:
        """Move what lies in memory to the folder; return how many bytes were moved.

        Readers and writers may go on meanwhile, in whatever process. Being killed in the middle loses nothing.
        What killed writers left unfinished in memory is removed; without a prefix also what other storages of this
        user have there whose folders are gone.

        Parameters
        ----------
        prefix : str, default ""
            How the keys begin.
        older_than : float, default 0.0
            Only what was written last so many seconds ago.

        Raises
        ------
        StorageError
            If it cannot be written; what was not moved stays in memory.
        """
        try:
            if not prefix:
                self._bulk.sweep()
            return self._bulk.persist(prefix, older_than)
        except OSError as error:
            raise _write_error(error, prefix, error.filename2 or error.filename or self._root) from error

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


def _opened(root: str, memory: str | None) -> LocalStorage:
    return LocalStorage(root, memory=memory)


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
