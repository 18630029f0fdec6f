"""Clients of AWS services, made when first needed, which leave retrying to us.

::

    Session.client("s3") ──lean──▶ LeanS3 ──▶ Caller: sign ──▶ Pool: connections
                         └─boto3──▶ boto3's client

botocore's own retries share a quota that one burst of throttling uses up, and follow the user's AWS
configuration; ours do neither.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

from wrenml.aws.caller import READ_SECONDS, Caller, Refusal
from wrenml.aws.clock import Clock
from wrenml.aws.endpoints import endpoint_for
from wrenml.aws.lean_lambda import LeanLambda, lambda_refusal
from wrenml.aws.lean_s3 import LeanS3, s3_refusal
from wrenml.aws.lean_ssm import LeanSsm
from wrenml.aws.routes import Trust, proxy_for
from wrenml.aws.surroundings import Surroundings, from_botocore, from_environment
from wrenml.errors import ConfigError

__all__ = ["Session"]

_CONNECTIONS = 64
_CONNECT_SECONDS = 5
_TRANSPORTS = ("auto", "lean", "boto3")
_LEAN: dict[str, tuple[Callable[[Caller, Callable[[], Any]], Any], Refusal]] = {
    "lambda": (LeanLambda, lambda_refusal),
    "s3": (LeanS3, s3_refusal),
    "ssm": (LeanSsm, lambda_refusal),
}


class Session:
    """AWS as one user sees it, and the clients of its services.

    Credentials, region and endpoints are found as every AWS tool finds them. Where the environment holds them
    all, as on Lambda, boto3 is neither needed nor loaded for S3's objects, Lambda's invocations and parameters. Threads
    may share clients; a forked process makes its own.

    Parameters
    ----------
    profile : str, optional
        The profile of the AWS configuration.
    region : str, optional
        The region; by default ``AWS_REGION``, ``AWS_DEFAULT_REGION`` or the configured one.
    endpoint_url : str, optional
        Another server that speaks the service's protocol.
    transport : str, optional
        ``"lean"``: requests of S3, Lambda and SSM are signed and sent by wrenml. ``"boto3"``: by boto3.
        ``"auto"``: by wrenml, save under moto's mock in this process and where something is configured that
        only boto3 knows. Default: ``WRENML_TRANSPORT``, or ``"auto"``.

    Raises
    ------
    ConfigError
        There is no such transport.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        transport: str | None = None,
    ) -> None:
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._transport = transport or os.environ.get("WRENML_TRANSPORT") or "auto"
        if self._transport not in _TRANSPORTS:
            raise ConfigError(f"there is no transport {self._transport!r}; use one of: {', '.join(_TRANSPORTS)}")
        self._lock = RLock()
        self._pid = os.getpid()
        self.clock = Clock()
        self._boto: dict[bool, tuple[Any, Any]] = {}
        self._clients: dict[tuple[str, int, bool], Any] = {}
        self._found: tuple[Surroundings, Trust] | None = None

    @property
    def region(self) -> str:
        """The region that clients speak to; empty where none is configured."""
        return self._region or self._surroundings()[0].region

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its client classes at run time
        """The client of a service, such as ``s3``: the same one each time in a process.

        Those of ``s3``, ``lambda`` and ``ssm`` may be lean ones, which pass on what they do not know to boto3's.

        Raises
        ------
        ConfigError
            The transport is ``"lean"``, or there is no boto3, and something is configured that only boto3
            knows.
        """
        return self._client(service, lean=service in _LEAN and self._transport != "boto3")

    def _client(self, service: str, *, lean: bool) -> Any:  # noqa: ANN401 - see client
        mocked = _is_mocked()
        # A mock answers boto3's clients only, and only those made since it was loaded.
        lean = lean and not (mocked and self._transport == "auto")
        key = service if lean else f"boto3 {service}", os.getpid(), mocked
        found = self._clients.get(key)
        if found is not None:
            return found
        if self._pid != os.getpid():
            # A thread of the parent may have held the lock when we were forked.
            self._lock, self._pid = RLock(), os.getpid()
        # Sessions, unlike clients, are not safe to share between threads.
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_lean(service) if lean else self._make_boto(service, mocked=mocked)
            return self._clients[key]

    def _make_lean(self, service: str) -> Any:  # noqa: ANN401 - see client
        def boto() -> Any:  # noqa: ANN401 - see client
            return self._client(service, lean=False)

        try:
            caller = self._caller(service)
        except ConfigError as error:
            if self._transport == "lean" or not _has_boto3():
                raise
            logging.getLogger("wrenml").debug("%s goes through boto3: %s", service, error)
            return boto()
        kind, _ = _LEAN[service]
        return kind(caller, boto)

    def _caller(self, service: str) -> Caller:
        found, trust = self._surroundings()
        if found.unusual:
            raise ConfigError(f"only boto3 knows what to do with the setting {found.unusual}")
        url = self._endpoint_url or found.endpoint_url(service)
        endpoint = endpoint_for(service, self.region or ("us-east-1" if url and service == "s3" else ""), url)
        proxy_for(endpoint.address)
        _, refusal = _LEAN[service]
        return Caller(endpoint, found.keys, clock=self.clock, trust=trust, refusal=refusal)

    def _surroundings(self) -> tuple[Surroundings, Trust]:
        with self._lock:
            if self._found is None:
                known = None if self._profile else from_environment(self._region)
                found = known or self._asked()
                self._found = found, Trust(found.ca_bundle)
            return self._found

    def _asked(self) -> Surroundings:
        if not _has_boto3():
            raise ConfigError(
                "the environment does not say all that requests to AWS need, and there is no boto3 to ask: set "
                "AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install boto3"
            )
        return from_botocore(self._load(mocked=_is_mocked())[0])

    def _make_boto(self, service: str, *, mocked: bool) -> Any:  # noqa: ANN401 - see client
        _, session = self._load(mocked=mocked)
        from botocore.config import Config  # noqa: PLC0415 - comes with boto3

        settings: dict[str, object] = {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "max_pool_connections": _CONNECTIONS,
            "tcp_keepalive": True,
        }
        if self._has_own_endpoint(service):
            # Other servers of this protocol often refuse the checksums that AWS takes.
            settings["request_checksum_calculation"] = "when_required"
            settings["response_checksum_validation"] = "when_required"
        return session.client(service, endpoint_url=self._endpoint_url, config=Config(**settings))

    def _load(self, *, mocked: bool) -> tuple[Any, Any]:
        if not _has_boto3():
            raise ConfigError(
                "this needs boto3, which is not here: a worker's package holds none. Run: pip install boto3"
            )
        import boto3  # noqa: PLC0415 - takes 0.4 s
        import botocore.session  # noqa: PLC0415 - as boto3

        if mocked not in self._boto:
            inner = botocore.session.get_session()
            if self._profile:
                inner.set_config_variable("profile", self._profile)
            if region := self._region or os.environ.get("AWS_REGION"):
                inner.set_config_variable("region", region)
            self._boto[mocked] = inner, boto3.session.Session(botocore_session=inner)
        return self._boto[mocked]

    def _has_own_endpoint(self, service: str) -> bool:
        names = ("AWS_ENDPOINT_URL", f"AWS_ENDPOINT_URL_{service.upper()}")
        return self._endpoint_url is not None or any(os.environ.get(name) for name in names)


def _is_mocked() -> bool:
    """Whether moto answers boto3's requests in this process."""
    stubber = getattr(sys.modules.get("moto.core.models"), "botocore_stubber", None)
    return stubber is not None and bool(stubber.enabled)


def _has_boto3() -> bool:
    try:
        import boto3  # noqa: F401, PLC0415 - whoever asks is about to use it
    except ImportError:
        return False
    return True
