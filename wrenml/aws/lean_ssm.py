"""Systems Manager's parameters as boto3's client shows them, for `get_parameters`; everything else goes to boto3.

Protocol: AWS JSON 1.1, https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import json
from typing import Any

from wrenml.aws.caller import Call, metadata
from wrenml.aws.failures import UnreachableError
from wrenml.aws.lean_client import LeanClient
from wrenml.aws.payload import Payload

__all__ = ["LeanSsm"]


class LeanSsm(LeanClient):
    """`get_parameters` takes and returns what that of boto3's client does, dates aside; other methods are boto3's."""

    def get_parameters(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Read parameters.

        Raises
        ------
        UnreachableError
            The answer is no JSON.
        """
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.GetParameters"}
        body = Payload(json.dumps(request).encode())
        call = Call("GetParameters", "POST", "/", [], headers, body, repeatable=True)
        answer = self.caller.send(call, self.caller.endpoint.address)
        try:
            shown: dict[str, Any] = json.loads(answer.read())
        except ValueError as error:
            raise UnreachableError(f"the answer is no JSON: {error}") from error
        return shown | {"ResponseMetadata": metadata(answer)}
