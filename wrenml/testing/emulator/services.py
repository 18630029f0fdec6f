"""Which part of the emulator answers for which service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wrenml.testing.emulator.callers import Callers
from wrenml.testing.emulator.cloudformation.operations import CloudFormation
from wrenml.testing.emulator.elsewhere import Moto
from wrenml.testing.emulator.identifying import identify
from wrenml.testing.emulator.lambda_control import LambdaControl
from wrenml.testing.emulator.lambda_names import find_lambda_target
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, xml_answer
from wrenml.testing.emulator.s3 import S3
from wrenml.testing.emulator.s3_listing import NAMESPACE
from wrenml.testing.emulator.web import Answer, Request

__all__ = ["Services"]


class Services:
    """All services of one account.

    Parameters
    ----------
    account : str
        Twelve digits.
    plane : DataPlane
        Where functions run.
    region : str
        Where what nobody sent is done.
    folder : Path
        Where packages are unpacked.
    client : callable
        Gives CloudFormation the boto3 client of a service, in a region.

    Attributes
    ----------
    s3 : S3
        Buckets and objects.
    control : LambdaControl
        Functions.
    stacks : CloudFormation
        Stacks.
    """

    def __init__(
        self, account: str, region: str, plane: DataPlane, folder: Path, client: Callable[[str, str], Any]
    ) -> None:
        self.s3 = S3(account)
        self.control = LambdaControl(account, plane, folder, self._read_object)
        self.stacks = CloudFormation(account, client)
        self._account = account
        self._region = region
        self._plane = plane
        self._moto = Moto()

    def answer(self, call: Call) -> Answer:
        """Carry out a call.

        Raises
        ------
        RefusedError
            As its service would refuse it.
        """
        return self._service(call)(call)

    def ask(self, service: str, operation: str, body: str = "", path: str = "/") -> Answer:
        """Have moto carry out an operation that nobody sent.

        Raises
        ------
        RuntimeError
            If it is refused.
        """
        scope = f"AWS4-HMAC-SHA256 Credential=emulator/20260101/{self._region}/{service}/aws4_request"
        headers = {"authorization": scope, "content-type": "application/x-amz-json-1.1", "x-amz-target": operation}
        if service == "s3" and self._region != "us-east-1":
            place = f"<LocationConstraint>{self._region}</LocationConstraint>"
            body = f"<CreateBucketConfiguration {NAMESPACE}>{place}</CreateBucketConfiguration>"
        request = Request("PUT" if service == "s3" else "POST", path, {}, headers, body.encode())
        answer = self.answer(identify(request, Callers(self._account), self._account))
        if answer.status >= 300:  # noqa: PLR2004 - HTTP
            raise RuntimeError(f"{operation} was answered {answer.status}: {bytes(answer.body).decode()}")
        return answer

    def close(self) -> None:
        """Wait until nothing goes on, and forget what moto knows."""
        self.stacks.close()
        self._moto.close()

    def _read_object(self, bucket: str, key: str) -> bytes:
        found = self.s3.bucket(bucket).find(key)
        if found is None:
            raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
        return found.data

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
        user = f"<UserId>{call.caller.access_key}</UserId><Account>{self._account}</Account>"
        return xml_answer(
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>{call.caller.arn}</Arn>{user}</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def _invoke(self, call: Call) -> Answer:
        address = find_lambda_target(call.request).address
        if address is None:
            raise RefusedError(400, "InvalidParameterValueException", "the request names no function")
        kind: Any = call.headers.get("x-amz-invocation-type", "RequestResponse")
        answer = self._plane.invoke(
            address.name,
            call.request.body,
            qualifier=address.qualifier,
            kind=kind,
            log_tail=call.headers.get("x-amz-log-type") == "Tail",
            client_context=call.headers.get("x-amz-client-context"),
        )
        return Answer(answer.status, answer.body, dict(answer.headers))
