"""A server that answers S3's and Lambda's requests with as little work as possible, each after a fixed time."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["responder"]

_KEYS = 1000
_ENTRY = (
    "<Contents><Key>jobs/0123456789abcdef/out/{:010d}</Key><LastModified>2026-11-21T14:00:01.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>812</Size><StorageClass>STANDARD</StorageClass>"
    "</Contents>"
)
_PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>bucket</Name><Prefix></Prefix><EncodingType>url</EncodingType>"
    f"<KeyCount>{_KEYS}</KeyCount><MaxKeys>{_KEYS}</MaxKeys><IsTruncated>false</IsTruncated>"
    + "".join([_ENTRY.format(number) for number in range(_KEYS)])
    + "</ListBucketResult>"
)


def _answer(status: str, body: bytes = b"", *more: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "x-amz-id-2: MzRISOwyjmnupCzjI1WC06l5TTAzm7/JypPGXLh0OVFGcJaaO3KW",
        "x-amz-request-id: 4442587FB7D0A2F9",
        "Date: Sat, 21 Nov 2026 14:00:01 GMT",
        f"Content-Length: {len(body)}",
        *more,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


_TAG = 'ETag: "d41d8cd98f00b204e9800998ecf8427e"'
_ACCEPTED = _answer("202 Accepted", b"", "x-amzn-RequestId: 4442587F-B7D0-A2F9")
_WRITTEN = _answer("200 OK", b"", _TAG)
_READ = _answer("206 Partial Content", b"x" * 812, _TAG, "Content-Range: bytes 0-811/812")
_LISTED = _answer("200 OK", _PAGE.encode(), "Content-Type: application/xml")


class _Connection(asyncio.Protocol):
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        lower = head.lower()
        _, _, after = lower.partition(b"content-length:")
        if len(rest) < int(after.partition(b"\r\n")[0] or 0):
            if b"expect: 100-continue" in lower and not rest:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._data = b""
        method, target, _ = head.split(b" ", 2)
        said = {b"POST": _ACCEPTED, b"PUT": _WRITTEN}.get(method, _LISTED if b"list-type" in target else _READ)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, said)
        else:
            self._transport.write(said)


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def responder(delay: float) -> Iterator[str]:
    """Run one in a process of its own.

    Parameters
    ----------
    delay : float
        Seconds from a request to its answer.

    Returns
    -------
    str
        Its URL.
    """
    command = [sys.executable, __file__, str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
