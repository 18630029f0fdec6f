"""AWS on loopback: one port that answers as S3, Lambda and the services around them.

::

    request ──▶ identify ──▶ recorded ──▶ clock, credentials ──▶ latency ──▶ fault? ──┬▶ S3 objects      (ours)
                                                                                      ├▶ Lambda's control (ours)
                                                                                      ├▶ Invoke ▶ DataPlane
                                                                                      └▶ all the rest     (moto)
"""

from __future__ import annotations

import calendar
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from wrenml.aws.deployment import Deployment
from wrenml.testing.emulator.callers import Caller, Callers
from wrenml.testing.emulator.cloudformation.operations import CloudFormation
from wrenml.testing.emulator.elsewhere import Moto
from wrenml.testing.emulator.execution.launching import Credentials
from wrenml.testing.emulator.faults import Expire, Faults
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.identifying import identify
from wrenml.testing.emulator.lambda_control import LambdaControl
from wrenml.testing.emulator.lambda_names import find_lambda_target
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.recording import Call, Requests
from wrenml.testing.emulator.refusing import RefusedError, new_id, refusal, xml_answer
from wrenml.testing.emulator.s3 import S3
from wrenml.testing.emulator.stack import Stack, install
from wrenml.testing.emulator.web import Answer, Request, WebServer

__all__ = ["Emulator"]

_ACCOUNT = "123456789012"  # moto's
_SKEW = 900
_LAMBDA = Caller("lambda", "lambda.amazonaws.com")
_logger = logging.getLogger(__name__)


class Emulator:
    """An emulated AWS of one account and region, at a port on 127.0.0.1, until it is closed.

    Parameters
    ----------
    port : int, default 0
        0 takes a free one.
    region : str, default "us-east-1"
        What `environment` names; requests to other regions are answered, too.
    seed : int, default 0
        Of the draws of faults.

    Attributes
    ----------
    requests : Requests
        Every request since the last `reset`.
    faults : Faults
        What requests are to meet.
    latency : dict of str to float
        Seconds that a request takes more, by operation (``Invoke``) or, for the others, by service (``s3``).
    clock_offset : float
        Seconds by which AWS's clock is ahead of this machine's.
    functions : DataPlane
        Where functions run.
    """

    def __init__(self, port: int = 0, *, region: str = "us-east-1", seed: int = 0) -> None:
        self.account = _ACCOUNT
        self.region = region
        self.requests = Requests()
        self.faults = Faults(seed)
        self.latency: dict[str, float] = {}
        self.clock_offset = 0.0
        self.callers = Callers(self.account)
        self.s3 = S3(self.account)
        self._moto = Moto()
        self._lock = Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="wrenml-aws-"))
        self._web = WebServer(self._answer, port)
        self.functions = DataPlane(
            self._write_record, variables={"AWS_ENDPOINT_URL": self.url}, credentials=self._credentials
        )
        self.control = LambdaControl(self.account, self.functions, self._folder / "code", self._read_object)
        self.stacks = CloudFormation(self.account, self._client)

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
        return install(replace(stack or Stack(), **changes), self.control, self.ask, self._folder)

    def ask(self, service: str, operation: str, body: str = "", path: str = "/") -> Answer:
        """Have moto carry out an operation that nobody sent; it is not recorded.

        Raises
        ------
        RuntimeError
            If it is refused.
        """
        scope = f"AWS4-HMAC-SHA256 Credential=emulator/20260101/{self.region}/{service}/aws4_request"
        headers = {"authorization": scope, "content-type": "application/x-amz-json-1.1", "x-amz-target": operation}
        request = Request("POST" if body else "PUT", path, {}, headers, body.encode())
        call = identify(request, self.callers, self.account)
        answer = self._service(call)(call)
        if answer.status >= 300:  # noqa: PLR2004 - HTTP
            raise RuntimeError(f"{operation} was answered {answer.status}: {bytes(answer.body).decode()}")
        return answer

    def expire(self, caller: Caller | str) -> None:
        """Have the credentials of a user or of one caller expire."""
        self.callers.expired.add((self.callers.user(caller) if isinstance(caller, str) else caller).access_key)

    def reset(self) -> None:
        """Forget requests, faults, latencies, the clock's offset and what expired; buckets and functions stay."""
        self.requests.clear()
        self.faults.clear()
        self.latency.clear()
        self.clock_offset = 0.0
        self.callers.expired.clear()

    def close(self) -> None:
        """End functions, connections and threads; remove what was written."""
        self.stacks.close()
        self.functions.close()
        self._web.close()
        self._moto.reset()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _credentials(self, version: FunctionVersion) -> Credentials:
        caller = self.callers.session(version.role)
        return Credentials(caller.access_key, caller.secret, caller.token)

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3's
        import boto3  # noqa: PLC0415 - slow, and seldom needed

        caller = self.callers.user("cloudformation")
        with self._lock:
            session = boto3.session.Session(caller.access_key, caller.secret, region_name=region)
            return session.client(service, endpoint_url=self.url)

    def _write_record(self, bucket: str, key: str, content: bytes) -> None:
        request = Request("PUT", f"/{bucket}/{key}", {}, {"content-type": "application/json"}, content)
        call = identify(request, self.callers, self.account)
        call.caller = _LAMBDA
        answer = self._answer_call(call)
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise OSError(f"the failure record was answered {answer.status}: {bytes(answer.body).decode()}")

    def _read_object(self, bucket: str, key: str) -> bytes:
        found = self.s3.bucket(bucket).find(key)
        if found is None:
            raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
        return found.data

    def _answer(self, request: Request) -> Answer:
        call = identify(request, self.callers, self.account)
        pause = self.latency.get(call.operation, self.latency.get(call.service, 0.0))
        if pause:
            time.sleep(pause)
        return self._answer_call(call)

    def _answer_call(self, call: Call) -> Answer:
        self.requests.add(call)
        try:
            fault = self._expired(call) or self.faults.choose(call)
            if fault is None:
                answer = self._proceed(call)
            else:
                call.fault = type(fault).__name__
                answer = fault(call, self._proceed)
        except Exception as error:  # a defect of the emulator's must show as an answer, not as a hang
            _logger.exception("%s:%s", call.service, call.operation)
            answer = refusal(call, 500, "InternalError", f"the emulator failed: {error!r}")
        call.status, call.sent = answer.status, len(answer.body)
        call.request = replace(call.request, body=b"")
        name = "x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"
        answer.headers.setdefault(name, new_id())
        answer.headers["Date"] = formatdate(time.time() + self.clock_offset, usegmt=True)
        return answer

    def _expired(self, call: Call) -> Expire | None:
        return Expire() if call.caller.access_key in self.callers.expired else None

    def _proceed(self, call: Call) -> Answer:
        try:
            self._check_clock(call)
            return self._service(call)(call)
        except RefusedError as error:
            return refusal(call, error.status, error.code, str(error), **error.fields)

    def _check_clock(self, call: Call) -> None:
        stamp = call.headers.get("x-amz-date", "")
        if not stamp:
            return
        signed = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        if abs(signed - time.time() - self.clock_offset) <= _SKEW:
            return
        if call.service == "s3":
            raise RefusedError(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
        raise RefusedError(403, "InvalidSignatureException", "Signature expired: the request's time is too far off")

    def _service(self, call: Call) -> Callable[[Call], Answer]:
        if call.service == "s3":
            return self.s3.answer if self.s3.handles(call.operation) else self._configure_bucket
        if call.service == "lambda":
            return self._invoke if call.operation == "Invoke" else self.control.answer
        if call.service == "cloudformation":
            return self.stacks.answer
        if call.operation == "GetCallerIdentity":
            return self._identity
        return self._moto.answer

    def _configure_bucket(self, call: Call) -> Answer:
        if not call.operation:
            raise RefusedError(501, "NotImplemented", f"the emulated S3 has no such {call.request.method} request")
        if "Object" in call.operation and call.key:
            raise RefusedError(501, "NotImplemented", f"the emulated S3 has no {call.operation}")
        if call.operation not in {"CreateBucket", "ListBuckets"}:
            bucket = self.s3.bucket(call.bucket)
            self.s3.check_owner(call)
            if call.operation == "DeleteBucket" and len(bucket):
                raise RefusedError(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
        answer = self._moto.answer(call)
        if answer.status < 300:  # noqa: PLR2004 - HTTP
            if call.operation == "CreateBucket":
                self.s3.create(call.bucket)
            elif call.operation == "DeleteBucket":
                self.s3.remove(call.bucket)
        return answer

    def _identity(self, call: Call) -> Answer:
        user = f"<UserId>{call.caller.access_key}</UserId><Account>{self.account}</Account>"
        return xml_answer(
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>{call.caller.arn}</Arn>{user}</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def _invoke(self, call: Call) -> Answer:
        address = find_lambda_target(call.request).address
        if address is None:
            raise RefusedError(400, "InvalidParameterValueException", "the request names no function")
        kind: Any = call.headers.get("x-amz-invocation-type", "RequestResponse")
        answer = self.functions.invoke(
            address.name,
            call.request.body,
            qualifier=address.qualifier,
            kind=kind,
            log_tail=call.headers.get("x-amz-log-type") == "Tail",
            client_context=call.headers.get("x-amz-client-context"),
        )
        return Answer(answer.status, answer.body, dict(answer.headers))
