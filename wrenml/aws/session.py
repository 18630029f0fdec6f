"""Clients of AWS services, made when first needed, which leave retrying to us.

botocore's own retries share a quota that one burst of throttling uses up, and follow the user's AWS
configuration; ours do neither.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

__all__ = ["Session"]

_CONNECTIONS = 64
_CONNECT_SECONDS = 5
_READ_SECONDS = 60


class Session:
    """One boto3 session and its clients, loaded when first used.

    Credentials, region and endpoints are found as every AWS tool finds them. Threads may share clients; a
    forked process makes its own.

    Parameters
    ----------
    profile : str, optional
        The profile of the AWS configuration.
    region : str, optional
        The region; by default the configured one.
    endpoint_url : str, optional
        Another server that speaks the service's protocol.
    """

    def __init__(
        self, *, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, int], Any] = {}

    @property
    def region(self) -> str:
        """The region that clients speak to; empty where none is configured."""
        if self._region:
            return self._region
        with self._lock:
            self._load()
            return str(self._session.region_name or "")

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its client classes at run time
        """The client of a service, such as ``s3``; always the same one in a process."""
        key = service, os.getpid()
        found = self._clients.get(key)
        if found is not None:
            return found
        # Sessions, unlike clients, are not safe to share between threads.
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(service)
            return self._clients[key]

    def _make(self, service: str) -> Any:  # noqa: ANN401 - see client
        from botocore.config import Config  # noqa: PLC0415 - comes with boto3

        self._load()
        settings: dict[str, object] = {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            "max_pool_connections": _CONNECTIONS,
            "tcp_keepalive": True,
        }
        if self._has_own_endpoint(service):
            # Other servers of this protocol often refuse the checksums that AWS takes.
            settings["request_checksum_calculation"] = "when_required"
            settings["response_checksum_validation"] = "when_required"
        return self._session.client(service, endpoint_url=self._endpoint_url, config=Config(**settings))

    def _load(self) -> None:
        import boto3  # noqa: PLC0415 - takes 0.4 s

        if self._session is None:
            self._session = boto3.session.Session(profile_name=self._profile, region_name=self._region)

    def _has_own_endpoint(self, service: str) -> bool:
        names = ("AWS_ENDPOINT_URL", f"AWS_ENDPOINT_URL_{service.upper()}")
        return self._endpoint_url is not None or any(os.environ.get(name) for name in names)
