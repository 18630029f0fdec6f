"""AWS on loopback: one port that answers as S3, Lambda and the services around them.

::

    request ──▶ identify ──▶ recorded ──▶ clock, credentials ──▶ latency ──▶ fault? ──┬▶ S3 objects      (ours)
                                                                                      ├▶ Lambda's control (ours)
                                                                                      ├▶ Invoke ▶ DataPlane
                                                                                      └▶ all the rest     (moto)
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from wrenml.aws.deployment import Deployment
from wrenml.testing.emulator.callers import Caller, Callers
from wrenml.testing.emulator.cloudformation.operations import CloudFormation
from wrenml.testing.emulator.execution.launching import Credentials
from wrenml.testing.emulator.faults import Faults
from wrenml.testing.emulator.front import Front
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.identifying import identify
from wrenml.testing.emulator.lambda_control import LambdaControl
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.recording import Call, Requests
from wrenml.testing.emulator.s3 import S3
from wrenml.testing.emulator.services import Services
from wrenml.testing.emulator.stack import Stack, install
from wrenml.testing.emulator.web import Answer, Request, WebServer

__all__ = ["Emulator"]

_ACCOUNT = "123456789012"  # moto's
_LAMBDA = Caller("lambda", "lambda.amazonaws.com")


class Emulator:
    """An emulated AWS of one account and region, at a port on 127.0.0.1, until it is closed.

    Parameters
    ----------
    port : int, default 0
        0 takes a free one.
    region : str, default "us-east-1"
        Where `install` puts stacks, and what `environment` names; requests to others are answered, too.
    seed : int, default 0
        Of the draws of faults.
    jailed : bool, optional
        Whether functions have folders of their own, as on Lambda. Default: where this user may make namespaces.

    Attributes
    ----------
    faults : Faults
        What requests are to meet.
    callers : Callers
        The users and roles that have credentials here.
    functions : DataPlane
        Where functions run.
    """

    def __init__(self, port: int = 0, *, region: str = "us-east-1", seed: int = 0, jailed: bool | None = None) -> None:
        self.account = _ACCOUNT
        self.region = region
        self.callers = Callers(self.account)
        self.faults = Faults(seed)
        self._lock = Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._front = Front(self.account, self.callers, self.faults, self._serve)
        self._web = WebServer(self._front.answer, port)
        self._folder = Path(tempfile.mkdtemp(prefix="wrenml-aws-"))
        self.functions = DataPlane(
            self._write_record, variables={"AWS_ENDPOINT_URL": self.url}, credentials=self._credentials, jailed=jailed
        )
        self._services = Services(self.account, region, self.functions, self._folder / "code", self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._web.port

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment needs: endpoint, region and the credentials of a user ``client``."""
        return self.environment_of("client")

    def environment_of(self, user: str) -> dict[str, str]:
        """As `environment`, for another user, such as ``deployer``."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.callers.user(user).environment(),
        }

    def install(self, stack: Stack | None = None, **changes: Any) -> Deployment:  # noqa: ANN401 - as Stack's own
        """Put a stack there at once, as `wrenml deploy` would: buckets, functions, alias and parameters.

        Parameters
        ----------
        stack : Stack, optional
            What it is made of.
        **changes
            What is to be otherwise, as `Stack` names it, such as ``memory_mb=(512, 1769)``.

        Returns
        -------
        Deployment
            What clients find.
        """
        made = replace(stack or Stack(), **changes)
        return install(made, self.control, self._services.ask, self._folder, self.region)

    def expire(self, caller: Caller | str) -> None:
        """Have the credentials of a user or of one caller expire."""
        self.callers.expired.add((self.callers.user(caller) if isinstance(caller, str) else caller).access_key)

    def reset(self) -> None:
        """Forget requests, reports, faults, settings and what expired; buckets and functions stay."""
        self.requests.clear()
        self.faults.clear()
        self.latency.clear()
        self.clock_offset = 0.0
        self.callers.expired.clear()
        self.functions.settings.reset()
        self.functions.books.clear()

    @property
    def requests(self) -> Requests:
        """Every request since the last `reset`."""
        return self._front.requests

    @property
    def latency(self) -> dict[str, float]:
        """Seconds that a request takes more, by operation (``Invoke``) or, for the others, by service (``s3``)."""
        return self._front.latency

    @property
    def clock_offset(self) -> float:
        """Seconds by which AWS's clock is ahead of this machine's; may be set."""
        return self._front.clock_offset

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        self._front.clock_offset = seconds

    @property
    def s3(self) -> S3:
        """Buckets and their objects, to be looked at and changed without a request."""
        return self._services.s3

    @property
    def control(self) -> LambdaControl:
        """What Lambda's control plane knows."""
        return self._services.control

    @property
    def stacks(self) -> CloudFormation:
        """CloudFormation's stacks."""
        return self._services.stacks

    def close(self) -> None:
        """End functions, connections and threads; remove what was written."""
        self._services.close()
        self.functions.close()
        self._web.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self, call: Call) -> Answer:
        return self._services.answer(call)

    def _credentials(self, version: FunctionVersion) -> Credentials:
        caller = self.callers.session(version.role)
        return Credentials(caller.access_key, caller.secret, caller.token)

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3's
        import boto3  # noqa: PLC0415 - slow, and seldom needed

        caller = self.callers.user("cloudformation")
        with self._lock:
            if (service, region) not in self._clients:
                self._session = self._session or boto3.session.Session(caller.access_key, caller.secret)
                made = self._session.client(service, region_name=region, endpoint_url=self.url)
                self._clients[service, region] = made
            return self._clients[service, region]

    def _write_record(self, bucket: str, key: str, content: bytes) -> None:
        request = Request("PUT", f"/{bucket}/{key}", {}, {"content-type": "application/json"}, content)
        call = identify(request, self.callers, self.account)
        call.caller = _LAMBDA
        answer = self._front.write(call)
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise OSError(f"the failure record was answered {answer.status}: {bytes(answer.body).decode()}")
