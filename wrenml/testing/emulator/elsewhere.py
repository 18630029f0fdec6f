"""What moto answers: configuration of buckets, IAM, SSM, Logs and whatever else is asked of it, in this process."""

from __future__ import annotations

import io
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import unquote

from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.web import Answer

__all__ = ["Moto"]

_DROPPED = {"content-length", "connection", "transfer-encoding", "date", "server"}


class Moto:
    """moto's server, called without a socket, one request at a time; loaded when first needed.

    Its state is the process's: those that are open at the same time share it, the last to close forgets it, and
    so does a ``mock_aws`` that begins meanwhile.
    """

    _lock: ClassVar[Lock] = Lock()
    _open: ClassVar[set[Moto]] = set()

    def __init__(self) -> None:
        self._app: Any = None

    def answer(self, call: Call) -> Answer:
        """Have moto answer a call."""
        with self._lock:
            if self._app is None:
                if not self._open:
                    _forget()
                self._open.add(self)
                self._app = _load()
            said: dict[str, Any] = {}

            def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
                said.update(status=int(status.split(maxsplit=1)[0]), headers=headers)

            body = b"".join(self._app(_environ(call), start))
        headers = {name: value for name, value in said["headers"] if name.lower() not in _DROPPED}
        return Answer(said["status"], body, headers)

    def close(self) -> None:
        """Forget everything, unless others need it."""
        with self._lock:
            self._open.discard(self)
            if self._app is not None and not self._open:
                _forget()


def _load() -> Any:  # noqa: ANN401 - a WSGI application
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - takes a second
        DomainDispatcherApplication,
        create_backend_app,
    )

    _know_policies(known=True)
    return DomainDispatcherApplication(create_backend_app)


def _forget() -> None:
    from moto.core.base_backend import BackendDict  # noqa: PLC0415 - as _load

    # Forgetting begins everything anew, and these would be read several times for it.
    _know_policies(known=False)
    BackendDict.reset()


def _know_policies(*, known: bool) -> None:
    """Say whether AWS's own policies, which roles may have, are there from the start."""
    from moto.core.config import default_user_config  # noqa: PLC0415 - as _load

    default_user_config.setdefault("iam", {})["load_aws_managed_policies"] = known


def _environ(call: Call) -> dict[str, Any]:
    request = call.request
    path = unquote(request.path, "latin-1")
    if call.service == "s3" and call.bucket and not path.removeprefix("/").startswith(call.bucket):
        path = f"/{call.bucket}{path}"  # it came by the host's name
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": request.raw_query,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    skipped = {"content-length", "content-type", "transfer-encoding", "expect"}
    for name, value in request.headers.items():
        if name not in skipped:
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ | {"HTTP_HOST": "127.0.0.1"}
