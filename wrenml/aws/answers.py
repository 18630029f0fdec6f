"""Reading an HTTP/1.1 answer: the head at once, a body of known length as it is asked for.

`http.client` reads heads with the parser for e-mail, which costs more than everything else here together.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, Self

from wrenml.aws.failures import UnreachableError

__all__ = ["Answer", "Body", "NoAnswerError", "read_answer"]

_MAX_LINE = 1 << 16
_MAX_HEADERS = 200
_NO_CONTENT = (204, 304)
_FINAL = 200


class NoAnswerError(UnreachableError):
    """The connection ended before the first byte of an answer."""


class Body:
    """The body of an answer: as much of it as is read.

    Parameters
    ----------
    source : binary file
        Where it comes from.
    size : int
        Its bytes.
    done : callable
        Told once whether it was read to its end.
    """

    def __init__(self, source: BinaryIO, size: int, done: Callable[[bool], None]) -> None:
        self._source = source
        self._left = size
        self._done: Callable[[bool], None] | None = done
        self._finish()

    def read(self, size: int | None = None) -> bytes:
        """Up to so many bytes, all by default.

        Raises
        ------
        UnreachableError
            The connection ended before the body did.
        """
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        try:
            data = self._source.read(wanted)
        except OSError as error:
            raise self._broken(error) from error
        self._count(len(data), wanted)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer as far as there are bytes; see `read`."""
        with memoryview(buffer) as view:
            wanted = min(len(view), self._left)
            if not wanted:
                return 0
            try:
                count: int = self._source.readinto(view[:wanted])  # type: ignore[attr-defined]
            except OSError as error:
                raise self._broken(error) from error
            self._count(count, min(wanted, 1))
        return count

    def close(self) -> None:
        """Give the connection back, or up where something is left unread."""
        self._finish(over=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count(self, count: int, least: int) -> None:
        self._left -= count
        if count < least:
            raise self._broken(f"{self._left} bytes of the body are missing")
        self._finish()

    def _broken(self, why: object) -> UnreachableError:
        self._finish(over=True)
        return UnreachableError(f"the connection broke while the answer was read: {why}")

    def _finish(self, *, over: bool = False) -> None:
        if self._done is not None and (over or not self._left):
            done, self._done = self._done, None
            done(not self._left)


class Answer:
    """One answer.

    Parameters
    ----------
    status : int
        The HTTP status.
    reason : str
        Its name.
    headers : dict of str to str
        Names in lower case.
    body : Body
        What follows.
    """

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, str], body: Body) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def read(self) -> bytes:
        """The whole body, and the connection given back."""
        with self.body as body:
            return body.read()


def read_answer(source: BinaryIO, method: str, release: Callable[[bool], None]) -> Answer:
    """Read an answer's head, and its body where only its end says how long it is.

    Parameters
    ----------
    source : binary file
        The connection.
    method : str
        What was asked: a ``HEAD`` has no body.
    release : callable
        Told once, when the body is over, whether the connection can be used again.

    Raises
    ------
    NoAnswerError
        Nothing came.
    UnreachableError
        Something came that is no answer.
    OSError
        The connection broke.
    """
    while True:
        version, status, reason = _status(source.readline(_MAX_LINE))
        headers = _headers(source)
        if status >= _FINAL:
            break
    stays = version != "HTTP/1.0" and headers.get("connection", "").lower() != "close"

    def done(complete: bool) -> None:  # noqa: FBT001 - called with one value only
        release(stays and complete)

    if method == "HEAD" or status in _NO_CONTENT:
        return Answer(status, reason, headers, Body(source, 0, done))
    if headers.get("transfer-encoding", "").lower() == "chunked":
        data = _chunks(source)
    elif "content-length" in headers:
        return Answer(status, reason, headers, Body(source, _number(headers["content-length"], 10), done))
    else:
        data, stays = source.read(), False
    done(complete=True)
    # Errors and lists come in chunks: short enough to be read at once.
    return Answer(status, reason, headers, Body(io.BytesIO(data), len(data), lambda _: None))


def _status(line: bytes) -> tuple[str, int, str]:
    if not line:
        raise NoAnswerError("the server closed the connection without an answer")
    version, _, rest = line.decode("latin-1").partition(" ")
    number, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or len(number.strip()) != 3:  # noqa: PLR2004 - digits of a status
        raise UnreachableError(f"this is no HTTP answer: {line[:80]!r}", passing=False)
    return version, _number(number, 10), reason.strip()


def _headers(source: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = source.readline(_MAX_LINE)
        if line in {b"\r\n", b"\n"}:
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not line.endswith(b"\n"):
            raise UnreachableError(f"the answer's head is damaged: {line[:80]!r}")
        headers[name.lower()] = value.strip()
    raise UnreachableError("the answer's head has no end")


def _chunks(source: BinaryIO) -> bytes:
    parts = []
    while size := _number(source.readline(_MAX_LINE).partition(b";")[0].decode("latin-1"), 16):
        part = source.read(size)
        if len(part) < size or source.readline(_MAX_LINE) not in {b"\r\n", b"\n"}:
            raise UnreachableError("the answer ended in the middle")
        parts.append(part)
    _headers(source)
    return b"".join(parts)


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise UnreachableError(f"the answer is damaged: {text[:80]!r} is no number")
    return number
