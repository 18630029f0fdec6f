"""Lambda as boto3's client shows it, for `invoke`; everything else goes to boto3."""

from __future__ import annotations

import json
from typing import Any

from wrenml.aws.answers import Answer
from wrenml.aws.caller import READ_SECONDS, Call, metadata
from wrenml.aws.failures import RefusedError
from wrenml.aws.lean_client import LeanClient
from wrenml.aws.payload import Payload
from wrenml.aws.signing import quoted_path

__all__ = ["LeanLambda", "lambda_refusal"]

# The longest invocation takes 15 minutes.
_SYNCHRONOUS_SECONDS = 960.0
_HEADERS = {
    "InvocationType": "x-amz-invocation-type",
    "LogType": "x-amz-log-type",
    "ClientContext": "x-amz-client-context",
}
_SHOWN = {
    "x-amz-function-error": "FunctionError",
    "x-amz-log-result": "LogResult",
    "x-amz-executed-version": "ExecutedVersion",
}


class LeanLambda(LeanClient):
    """`invoke` takes and returns what that of boto3's client does; other methods are boto3's."""

    def invoke(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Invoke a function; ``Payload`` of the answer has to be read or closed unless the type is ``Event``.

        An invocation is never sent twice from here: whether the first one ran cannot be known.
        """
        known = {"FunctionName", "Qualifier", "Payload", *_HEADERS}
        if not known.issuperset(request):
            return self._boto().invoke(**request)  # type: ignore[no-any-return]
        kind = request.get("InvocationType", "RequestResponse")
        body = request.get("Payload", b"")
        call = Call(
            "Invoke",
            "POST",
            f"/2015-03-31/functions/{quoted_path(request['FunctionName']).replace('/', '%2F')}/invocations",
            [("Qualifier", request["Qualifier"])] if "Qualifier" in request else [],
            {place: str(request[name]) for name, place in _HEADERS.items() if name in request},
            Payload(body.encode() if isinstance(body, str) else body),
            repeatable=False,
            seconds=_SYNCHRONOUS_SECONDS if kind == "RequestResponse" else READ_SECONDS,
        )
        answer = self.caller.send(call, self.caller.endpoint.address)
        shown: dict[str, Any] = {
            name: answer.headers[place] for place, name in _SHOWN.items() if place in answer.headers
        }
        if kind != "RequestResponse":
            # Nothing of interest follows, and few callers would close it.
            answer.body.read()
        return {"StatusCode": answer.status, "Payload": answer.body, **shown, "ResponseMetadata": metadata(answer)}


def lambda_refusal(operation: str, answer: Answer, body: bytes) -> RefusedError:
    """What Lambda said when it refused: JSON, its name of the error in a header."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    code = answer.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code") or str(answer.status)
    message = said.get("message") or said.get("Message") or answer.reason
    error = {"Code": str(code).partition(":")[0].rpartition("#")[2], "Message": str(message)}
    return RefusedError(operation, {**said, "Error": error, "ResponseMetadata": metadata(answer)})
