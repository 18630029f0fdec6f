"""The other side of a worker child: starts it, knows what it is doing, ends it, and says how it ended.

The Lambda handler keeps one child, the local backend several.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import wrenml
from wrenml.storage.buffer import Buffer
from wrenml.worker.capture import cut_output, read_output
from wrenml.worker.marks import CURRENT, LEAVING, LIMIT, NEVER, OUTPUT, SIZE, STARTED, anonymous_file, map_marks

__all__ = ["Child", "Death", "Lifeline"]

_BOOT = "import sys;sys.path.insert(0,sys.argv.pop(1));from wrenml.worker.child import main;del sys.path[0];main()"
_BUFFER_BYTES = 1 << 20
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_FLOOD_BYTES = 1 << 26
_STACK_BYTES = 16_384


class Lifeline:
    """A pipe that nobody writes to: when its writer, this process, is gone, every child ends."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def close(self) -> None:
        """End every child that is left."""
        os.close(self._writer)
        os.close(self.reader)


class Death:
    """How a child ended: by a signal or with an exit code, and the last that its last call wrote."""

    __slots__ = ("code", "output", "signal")

    def __init__(self, signal: int | None, code: int | None, output: str) -> None:
        self.signal = signal
        self.code = code
        self.output = output


class Child:
    """A worker child process.

    Parameters
    ----------
    url : str
        Storage of its outcomes and blobs; empty where it reads and reports through its supervisor.
    folder : str
        Its working directory; made if missing.
    code : str
        Where archives of modules are unpacked.
    lifeline : Lifeline
        It ends with this.
    path : sequence of str, optional
        Folders it imports from, beside the interpreter's own. Default: none.
    threads : int
        For each native library that runs threads of its own. Default: 1.
    """

    def __init__(
        self,
        url: str,
        folder: str,
        code: str,
        lifeline: Lifeline,
        *,
        path: Sequence[str] = (),
        threads: int = 1,
    ) -> None:
        self.name = os.urandom(8)
        self.folder = os.path.join(folder, self.name.hex())
        self._unsent: list[memoryview] = []
        os.makedirs(self.folder, mode=0o700)
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_folder)
            self._output = anonymous_file(folder, "output")
            undo.callback(os.close, self._output)
            self._marks_file = anonymous_file(folder, "marks")
            undo.callback(os.close, self._marks_file)
            os.truncate(self._marks_file, SIZE)
            self.marks = map_marks(self._marks_file)
            self.marks[LIMIT] = NEVER
            self.sock, theirs = socket.socketpair()
            undo.callback(self.sock.close)
            with theirs:
                self._process = self._start(url, code, theirs, lifeline, path, threads)
            self.sock.setblocking(False)  # noqa: FBT003  # its only parameter
            undo.pop_all()

    def _start(
        self, url: str, code: str, theirs: socket.socket, lifeline: Lifeline, path: Sequence[str], threads: int
    ) -> subprocess.Popen[bytes]:
        for end in (self.sock, theirs):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        variables = dict.fromkeys(_THREADS, str(threads)) | os.environ
        # Where Lambda hands out events: a call that asked there would take them from its supervisor.
        variables.pop("AWS_LAMBDA_RUNTIME_API", None)
        if path:
            variables["PYTHONPATH"] = os.pathsep.join(path)
        files = theirs.fileno(), self._marks_file, lifeline.reader
        home = os.path.dirname(os.path.dirname(os.path.abspath(wrenml.__file__)))
        flags = ["-P", "-u"] if path else ["-E", "-P", "-u"]
        if sys.flags.no_user_site:
            flags.append("-s")
        if sys.flags.utf8_mode:
            flags += ["-X", "utf8"]
        return subprocess.Popen(
            [sys.executable, *flags, "-c", _BOOT, home, *map(str, files), url, self.name.hex(), code],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=files,
            cwd=self.folder,
            env=variables,
            process_group=0,
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> int:
        """Number of the call that runs or ran last; calls are numbered through the child's life, from 1."""
        return self.marks[CURRENT]

    @property
    def running_since(self) -> float | None:
        """When the running call started, monotonic seconds; None when none runs."""
        started = self.marks[STARTED]
        return started / 1e9 if started else None

    @property
    def leaving(self) -> bool:
        """Whether it ends because a call has left something behind; it reads no further request."""
        return bool(self.marks[LEAVING])

    def limit(self, number: int) -> int:
        """Keep calls from `number` on from starting; return the number of the first that will not run."""
        self.marks[LIMIT] = number
        return max(number, self.marks[CURRENT] + 1)

    def unlimit(self) -> None:
        """Let all calls start again."""
        self.marks[LIMIT] = NEVER

    def send(self, parts: list[Buffer]) -> bool:
        """Send a message without waiting; False if part of it has to be sent later, by `send_rest`.

        Raises
        ------
        OSError
            If the child is gone.
        """
        data = memoryview(b"".join(parts))
        if not self._unsent:
            with contextlib.suppress(BlockingIOError):
                data = data[self.sock.send(data) :]
        if data:
            self._unsent.append(data)
        return not self._unsent

    def send_rest(self) -> bool:
        """Send what waits; False if still not all of it is sent."""
        while self._unsent:
            try:
                sent = self.sock.send(self._unsent[0])
            except BlockingIOError:
                return False
            self._unsent[0] = self._unsent[0][sent:]
            if not self._unsent[0]:
                self._unsent.pop(0)
        return True

    def memory_kb(self) -> int:
        """Resident memory, KB; 0 where that cannot be told."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
        except (OSError, IndexError):
            return 0

    def stop_flood(self) -> None:
        """Keep what a call writes without end from filling the memory."""
        cut_output(self._output, self.marks[OUTPUT], _FLOOD_BYTES)

    def stacks(self, number: signal.Signals, patience: float = 1.0) -> str:
        """Have the child write where its Python threads are, and return that."""
        before = os.fstat(self._output).st_size
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return ""
        return self._written(before, patience)

    def _written(self, before: int, patience: float) -> str:
        deadline = time.monotonic() + patience
        size = before
        while time.monotonic() < deadline:
            now = os.fstat(self._output).st_size
            if now > before and now == size:
                break
            size = now
            time.sleep(0.01)
        return read_output(self._output, before, max(before, os.fstat(self._output).st_size))

    def kill(self) -> None:
        """End the child and all of its process group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> Death:
        """Wait for a child that is ending, and free what it held."""
        self.sock.close()
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self.kill()
        size = os.fstat(self._output).st_size
        begin = max(self.marks[OUTPUT], size - _STACK_BYTES)
        output = os.pread(self._output, _STACK_BYTES, begin).lstrip(b"\0").decode(errors="replace")
        os.close(self._output)
        os.close(self._marks_file)
        self._remove_folder()
        return Death(-code if code < 0 else None, code if code >= 0 else None, output)

    def _remove_folder(self) -> None:
        try:
            os.rmdir(self.folder)
        except OSError:
            import shutil  # noqa: PLC0415  # rarely needed, slow to load

            shutil.rmtree(self.folder, ignore_errors=True)
