"""Starts a program where the folders of a Lambda environment are: run as a script, by a Python that loads nothing else.

Its own mount namespace has the package at ``/var/task``, the runtime at ``/var/runtime``, layers under ``/opt``, a
``/tmp`` of its own and of limited size, no ``/dev/shm``, and is read-only otherwise.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import stat
import struct
import sys

_NEW_MOUNTS, _NEW_USER = 0x20000, 0x10000000
_BIND, _MOVE, _RECURSIVE, _PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
_NO_SETUID, _NO_DEVICES = 0x2, 0x4
_SET_ATTRIBUTES, _HERE, _ALL_BELOW, _READ_ONLY = 442, -100, 0x8000, 0x1
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_OPEN_FILES = 1024


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, flags: int, kind: str = "none", data: str = "") -> None:
    text = [os.fsencode(one) for one in (source, target, kind, data)]
    _check(_libc().mount(text[0], text[1], text[2], ctypes.c_ulong(flags), text[3]), f"mount {target}")


def _tmpfs(target: str, options: str) -> None:
    _mount("tmpfs", target, _NO_SETUID | _NO_DEVICES, "tmpfs", options)


def _bind(source: str, target: str) -> None:
    _mount(source, target, _BIND | _RECURSIVE)


def _read_only(target: str, *, on: bool = True) -> None:
    attributes = struct.pack("=QQQQ", _READ_ONLY if on else 0, 0 if on else _READ_ONLY, 0, 0)
    result = _libc().syscall(_SET_ATTRIBUTES, _HERE, os.fsencode(target), _ALL_BELOW, attributes, len(attributes))
    _check(result, f"mount_setattr {target}")


def _unshare() -> None:
    if _libc().unshare(_NEW_MOUNTS):
        user, group = os.getuid(), os.getgid()
        _check(_libc().unshare(_NEW_MOUNTS | _NEW_USER), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount("none", "/", _RECURSIVE | _PRIVATE)


def _hold(path: str) -> str:
    """Return a name of a folder that stays, whatever is mounted over it."""
    return f"/proc/self/fd/{os.open(path, os.O_PATH)}"


def _place(source: str, target: str) -> None:
    """Let a file, folder or link appear under another name."""
    if os.path.islink(source) and not source.startswith("/proc/"):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
        _bind(source, target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        _bind(source, target)


def _rebuild(folder: str, stage: str, sources: dict[str, str]) -> None:
    """Mount at `folder` what it has, and `sources`, which win."""
    _tmpfs(stage, "mode=755")
    own = {name: os.path.join(folder, name) for name in os.listdir(folder)} if os.path.isdir(folder) else {}
    for name, source in {**own, **sources}.items():
        _place(source, os.path.join(stage, name))
    _mount(stage, folder, _MOVE)


def _devices(stage: str) -> None:
    _tmpfs(stage, "mode=755")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            _place(f"/dev/{name}", f"{stage}/{name}")
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        os.symlink(f"/proc/self/fd{target}", f"{stage}/{name}")
    _mount(stage, "/dev", _MOVE)


def _reopen(folders: list[str], held: dict[str, str], *, writable: bool) -> None:
    """Let folders be seen again that something was mounted over."""
    for path in folders:
        os.makedirs(path, exist_ok=True)
        _bind(held[path], path)
        _read_only(path, on=not writable)


def main(text: str) -> None:
    """Enter a namespace of its own, and become another program.

    `text` is marshalled, because that loads fastest, and in hexadecimal: the program's arguments; the folders of the
    package and of the runtime; the entries of ``/opt``; an empty folder; the folders that stay reachable, those that
    stay writable and those to show empty, though they may lie under ``/tmp``; the size of ``/tmp`` in MB.
    """
    argv, task, runtime, layers, stage, keep, writable, hide, tmp_mb = marshal.loads(bytes.fromhex(text))  # noqa: S302
    _unshare()
    held = {path: _hold(path) for path in (task, runtime, stage, *keep, *writable, *layers.values())}
    _rebuild("/var", stage, {"task": held[task], "runtime": held[runtime]})
    if layers:
        _rebuild("/opt", stage, {name: held[path] for name, path in layers.items()})
    _devices(stage)
    for path in hide:
        _bind(held[stage], path)
    _read_only("/")
    _tmpfs("/tmp", f"mode=1777,size={tmp_mb}m")  # noqa: S108 - it is this environment's alone
    _reopen(keep, held, writable=False)
    _reopen(writable, held, writable=True)
    soft = min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
    os.chdir("/var/task")
    os.execv(argv[0], argv)  # noqa: S606 - becoming another program is what this is for


if __name__ == "__main__":
    main(sys.argv[1])
