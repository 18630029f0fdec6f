from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.support.certificates import Authority
from tests.support.raw import Asked, RawServer, answer, serving
from wrenml.aws.answers import Body
from wrenml.aws.failures import UnreachableError
from wrenml.aws.http import Pool, Request
from wrenml.aws.payload import Payload
from wrenml.aws.routes import Address, Trust
from wrenml.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def request(method: str = "GET", body: bytes = b"", *, repeatable: bool = True, seconds: float = 20.0) -> Request:
    return Request(method, "/x?y=1", {"host": "here", "x-a": "b"}, Payload(body), repeatable, seconds)


def pool_of(server: RawServer, bundle: str | None = None) -> Pool:
    return Pool(Address(server.tls is not None, "127.0.0.1", server.port), Trust(bundle))


def echo(asked: Asked) -> bytes:
    return answer("200 OK", asked.body or b"hello", X_Number=str(asked.number))


def test_a_connection_serves_many_requests() -> None:
    with serving(echo) as server:
        pool = pool_of(server)
        for number in range(5):
            said = pool.send(request("PUT", b"abc" * number))
            assert (said.status, said.reason, said.headers["x-number"]) == (200, "OK", str(number))
            assert said.read() == (b"abc" * number or b"hello")
        assert server.connections == 1
        first = server.asked[0]
        assert (first.method, first.target, first.headers["x-a"]) == ("PUT", "/x?y=1", "b")
        pool.close()


def test_an_answer_left_unread_costs_its_connection_only() -> None:
    with serving(echo) as server:
        pool = pool_of(server)
        pool.send(request()).body.close()
        assert pool.send(request()).read() == b"hello"
        assert server.connections == 2
        pool.close()


def test_threads_share_a_pool() -> None:
    with serving(echo) as server:
        pool = pool_of(server)

        def act(number: int) -> bytes:
            return pool.send(request("PUT", str(number).encode() * 50)).read()

        with ThreadPoolExecutor(16) as threads:
            found = list(threads.map(act, range(1, 300)))
        assert found == [str(number).encode() * 50 for number in range(1, 300)]
        assert server.connections <= 16
        pool.close()


def test_a_connection_that_the_server_closed_is_not_used(eventually: Callable[..., None]) -> None:
    closing = Event()

    def script(asked: Asked) -> bytes:
        if asked.number == 0:
            return answer("200 OK", b"close-now")
        closing.set()
        return echo(asked)

    with serving(script) as server:
        pool = pool_of(server)
        assert pool.send(request()).read() == b"close-now"
        eventually(lambda: not server_is_connected(server))
        # Not repeatable: it is noticed before anything is sent.
        assert pool.send(request(repeatable=False)).read() == b"hello"
        assert server.connections == 2
        pool.close()


@pytest.mark.parametrize("slept", [60.0, -3600.0])
def test_a_connection_that_slept_with_its_machine_is_not_used(slept: float) -> None:
    now = [1e9]
    with serving(echo) as server:
        pool = Pool(Address(secure=False, host="127.0.0.1", port=server.port), Trust(), lambda: now[0])
        pool.send(request()).read()
        now[0] += 5
        pool.send(request(repeatable=False)).read()
        assert server.connections == 1
        now[0] += slept
        pool.send(request(repeatable=False)).read()
        assert server.connections == 2
        pool.close()


def server_is_connected(server: RawServer) -> bool:
    return any(wire.fileno() >= 0 for wire in server.open)


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_request_that_a_kept_connection_swallowed(*, repeatable: bool) -> None:
    def script(asked: Asked) -> bytes | None:
        return None if asked.number == 1 else echo(asked)

    with serving(script) as server:
        pool = pool_of(server)
        pool.send(request()).read()
        if repeatable:
            assert pool.send(request("PUT", b"again")).read() == b"again"
            assert [asked.body for asked in server.asked] == [b"", b"again", b"again"]
        else:
            with pytest.raises(UnreachableError, match="without an answer"):
                pool.send(request("POST", b"once", repeatable=False))
            assert [asked.body for asked in server.asked] == [b"", b"once"]
        pool.close()


def test_a_server_that_never_answers_is_not_asked_for_ever() -> None:
    with serving(lambda _: None) as server:
        with pytest.raises(UnreachableError) as caught:
            pool_of(server).send(request())
        assert caught.value.passing
        assert len(server.asked) == 1


def test_a_silent_server() -> None:
    silence = Event()

    def script(_: Asked) -> bytes | None:
        silence.wait(20)
        return None

    with serving(script) as server:
        with pytest.raises(UnreachableError, match="TimeoutError"):
            pool_of(server).send(request(seconds=0.1))
        silence.set()


def test_nobody_listens() -> None:
    with serving(echo) as server:
        pass
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{server.port}: ConnectionRefusedError"):
        pool_of(server).send(request())


SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 70_000 + b"close-now"


def test_a_short_body_is_noticed() -> None:
    with serving(lambda _: SHORT) as server:
        pool = pool_of(server)
        with pytest.raises(UnreachableError, match="129991 bytes of the body are missing"):
            pool.send(request()).read()
        said = pool.send(request())
        buffer = bytearray(200_000)
        with pytest.raises(UnreachableError, match="129991 bytes"):
            fill(said.body, buffer)
        assert buffer[:70_009] == b"x" * 70_000 + b"close-now"


def fill(body: Body, buffer: bytearray) -> None:
    at = 0
    while at < len(buffer):
        at += body.readinto(memoryview(buffer)[at:])


def test_a_body_is_read_piece_by_piece() -> None:
    data = os.urandom(300_000)
    with serving(lambda _: answer("200 OK", data)) as server:
        pool = pool_of(server)
        body = pool.send(request()).body
        assert body.read(10) == data[:10]
        buffer = bytearray(200_000)
        count = body.readinto(buffer)
        assert buffer[:count] == data[10 : 10 + count]
        assert body.read(-1) == data[10 + count :]
        assert (body.read(), body.read(5), body.readinto(buffer)) == (b"", b"", 0)
        pool.send(request()).read()
        assert server.connections == 1
        pool.close()


HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE: dict[str, tuple[bytes, str, bytes]] = {
    "chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n",
        "GET",
        b"hello!",
    ),
    "to the end": (HEAD + b"\r\nhello close-now", "GET", b"hello close-now"),
    "old protocol": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", b"hi"),
    "last one": (HEAD + b"Connection: Close\r\nContent-Length: 2\r\n\r\nhi", "GET", b"hi"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "GET", b"hi"),
    "head": (HEAD + b"Content-Length: 5000\r\n\r\n", "HEAD", b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", "GET", b""),
    "go on": (b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + answer("200 OK", b"hi"), "PUT", b"hi"),
    "empty": (answer("200 OK"), "GET", b""),
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_kind_of_answer(name: str) -> None:
    raw, method, body = WHOLE[name]
    with serving(lambda _: raw) as server:
        pool = pool_of(server)
        for _ in range(2):
            assert pool.send(request(method)).read() == body
        assert server.connections == (2 if name in {"to the end", "old protocol", "last one"} else 1)
        pool.close()


DAMAGED = {
    "no HTTP": b"SSH-2.0-OpenSSH close-now\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\nclose-now",
    "no colon": HEAD + b"nonsense\r\n\r\nclose-now",
    "cut head": HEAD + b"Content-Length: 5 close-now",
    "odd length": HEAD + b"Content-Length: -5\r\n\r\nclose-now",
    "endless head": HEAD + b"X: 1\r\n" * 300 + b"close-now",
    "cut chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nclose-now",
    "no chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nclose-now",
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nclose-now\r\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_answers(name: str) -> None:
    with serving(lambda _: DAMAGED[name]) as server:
        pool = pool_of(server)
        with pytest.raises(UnreachableError):
            pool.send(request()).read()
        assert len(server.asked) == 1


def test_a_large_upload_that_is_refused_at_once() -> None:
    refusal = answer("412 Precondition Failed", b"there: close-now")
    with serving(lambda _: refusal, early=True) as server:
        said = pool_of(server).send(request("PUT", bytes(64 << 20)))
        assert (said.status, said.read()) == (412, b"there: close-now")


def test_line_breaks_do_not_smuggle_headers() -> None:
    with serving(echo) as server:
        for bad in ("a\r\nx-b: c", "a\nb", "a\rb"):
            evil = request()
            evil.headers["x-a"] = bad
            with pytest.raises(UnreachableError, match="line break") as caught:
                pool_of(server).send(evil)
            assert not caught.value.passing
        assert not server.asked


FORKING = """
import os, sys
from wrenml.aws.http import Pool, Request
from wrenml.aws.payload import Payload
from wrenml.aws.routes import Address, Trust

pool = Pool(Address(False, "127.0.0.1", int(sys.argv[1])), Trust())
def ask():
    return pool.send(Request("GET", "/", {"host": "x"}, Payload(), True, 20.0)).read()
assert ask() == b"hello"
child = os.fork()
if not child:
    os._exit(0 if ask() == b"hello" and ask() == b"hello" else 1)
assert os.waitpid(child, 0)[1] == 0
assert ask() == b"hello"
"""


def test_a_forked_process_has_connections_of_its_own() -> None:
    with serving(echo) as server:
        subprocess.run([sys.executable, "-c", FORKING, str(server.port)], check=True, timeout=60)
        assert [asked.connection for asked in server.asked] == [1, 2, 2, 1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_certificates_are_checked(authority: Authority, tmp_path: Path) -> None:
    with serving(echo, tls=authority.server()) as server:
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            pool_of(server).send(request())
        assert not caught.value.passing
        pool = pool_of(server, str(authority.bundle))
        for _ in range(2):
            assert pool.send(request("PUT", b"x" * 100_000)).read() == b"x" * 100_000
        assert {asked.connection for asked in server.asked} == {2}
        pool.close()
        (tmp_path / "empty.pem").write_text("")
        for bad in ("empty.pem", "missing.pem"):
            with pytest.raises(ConfigError, match="AWS_CA_BUNDLE"):
                pool_of(server, str(tmp_path / bad)).send(request())


@pytest.fixture
def proxy() -> Iterator[RawServer]:
    def script(asked: Asked) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n" if asked.method == "CONNECT" else answer("200 OK", b"proxied")

    with serving(script) as server:
        yield server


def test_plain_requests_go_through_the_proxy(proxy: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "other.test")
    pool = Pool(Address(secure=False, host="s3.test", port=8080), Trust())
    assert pool.send(request()).read() == b"proxied"
    asked = proxy.asked[0]
    assert asked.target == "http://s3.test:8080/x?y=1"
    assert asked.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
    pool.close()


def test_secure_requests_go_through_a_tunnel(
    proxy: RawServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    with serving(echo, tls=authority.server()) as server:
        pool = pool_of(server, str(authority.bundle))
        for _ in range(2):
            assert pool.send(request()).read() == b"hello"
        assert [(asked.method, asked.target) for asked in proxy.asked] == [("CONNECT", f"127.0.0.1:{server.port}")]
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert "proxy-authorization" not in server.asked[0].headers
        pool.close()


def test_no_proxy_is_heeded(proxy: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
    with serving(echo) as server:
        pool = pool_of(server)
        assert pool.send(request()).read() == b"hello"
        pool.close()
    assert not proxy.asked


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:9", "https://127.0.0.1:9"])
def test_other_proxies_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ConfigError, match="WRENML_TRANSPORT=boto3"):
        Pool(Address(secure=True, host="s3.test", port=443), Trust())
