"""The log of one environment: what its processes print, between the lines that Lambda adds."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress

from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.reports import LogWriter, Report, log_time, platform_line

__all__ = ["Log"]

_TAIL = 4096
_CHUNK = 1 << 16


class Log:
    """Takes what a process writes into a pipe, and Lambda's own lines.

    Parameters
    ----------
    version : FunctionVersion
        Whose log it is.
    stream : str
        Name of the log stream.
    write : callable
        Takes each line.
    clock : callable
        Tells the time, seconds since the epoch.
    """

    def __init__(self, version: FunctionVersion, stream: str, write: LogWriter, clock: Callable[[], float]) -> None:
        self._version = version
        self.stream = stream
        self._write = write
        self._clock = clock
        self._json = version.log_format == "JSON"
        self._tail = b""
        self._rest = b""
        self._pipe: int | None = None

    def open(self) -> int:
        """Return the end of a new pipe that a process may write to; the caller closes it."""
        self.close()
        self._pipe, end = os.pipe()
        os.set_blocking(self._pipe, False)
        asyncio.get_running_loop().add_reader(self._pipe, self.drain)
        return end

    def drain(self) -> None:
        """Read all that has been written."""
        if self._pipe is None:
            return
        with suppress(BlockingIOError):
            while data := os.read(self._pipe, _CHUNK):
                self._take(data)
            self._end()

    def close(self) -> None:
        """Read what is there, and no more."""
        self.drain()
        self._end()
        if self._rest:
            self._take(b"\n")

    def tail(self) -> str:
        """Return the last 4 KB since the invocation began, base64."""
        return b64encode(self._tail).decode()

    def init_started(self) -> None:
        """Say that a process is being started."""
        python = self._version.python
        if self._json:
            record = {"initializationType": "on-demand", "phase": "init", "runtimeVersion": f"python:{python}.emulated"}
            self._line(platform_line(self._clock(), "initStart", record))
        else:
            self._line(f"INIT_START Runtime Version: python:{python}.emulated")

    def init_failed(self, phase: str, seconds: float, status: str, kind: str) -> None:
        """Say that a process did not come to ask for work: `status` is ``timeout`` or ``error``."""
        if self._json:
            record = {"phase": phase, "status": status, "errorType": kind, "metrics": {"durationMs": seconds * 1000}}
            self._line(platform_line(self._clock(), "initReport", record))
        else:
            error = "" if status == "timeout" else f"\tError Type: {kind}"
            self._line(f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: {phase}\tStatus: {status}{error}")

    def started(self, request_id: str) -> None:
        """Say that an invocation begins; the tail begins here."""
        self.drain()
        self._tail = b""
        if self._json:
            record = {"requestId": request_id, "version": self._version.version}
            self._line(platform_line(self._clock(), "start", record))
        else:
            self._line(f"START RequestId: {request_id} Version: {self._version.version}")

    def timed_out(self, request_id: str, message: str) -> None:
        """Say that an invocation had to be ended."""
        self._line(f"{log_time(self._clock())} {request_id} {message}")

    def ended(self, report: Report, status: str | None) -> None:
        """Say how an invocation went: `status` is None, ``timeout`` or ``error``."""
        self.drain()
        if self._json:
            self._line(platform_line(self._clock(), "report", report.record(status)))
        else:
            self._line(f"END RequestId: {report.request_id}")
            self._line(report.line(status))

    def _line(self, text: str) -> None:
        self._take(f"{text}\n".encode() if not self._rest else f"\n{text}\n".encode())

    def _take(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL:]
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines:
            self._write(self._version, self.stream, [line.decode(errors="replace") for line in lines])

    def _end(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None
