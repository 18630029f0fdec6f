"""Errors, as each protocol of AWS words them."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.web import Answer

__all__ = ["RefusedError", "json_answer", "new_id", "refusal", "xml_answer"]

_QUERY_SERVICES = {"cloudformation", "iam", "sts", "sns", "monitoring"}


class RefusedError(Exception):
    """What was asked cannot be done.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        The service's name of the error.
    message : str
        What is wrong.
    **fields : str
        What the error holds beside.
    """

    def __init__(self, status: int, code: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fields = fields


def new_id() -> str:
    """A request id, as AWS writes them."""
    return str(uuid.uuid4())


def refusal(call: Call, status: int, code: str, message: str, **fields: str) -> Answer:
    """Answer an error in the words of the call's service."""
    if call.service == "s3":
        extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{extra}<HostId>emulated</HostId></Error>"
        return xml_answer(text, status)
    if call.service in _QUERY_SERVICES:
        kind = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - HTTP
        error = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return xml_answer(f"<ErrorResponse>{error}<RequestId>{new_id()}</RequestId></ErrorResponse>", status)
    body: dict[str, object] = {"__type": code, "Type": "User", "message": message, "Message": message, **fields}
    answer = json_answer(body, status)
    answer.headers["x-amzn-ErrorType"] = code
    return answer


def xml_answer(text: str, status: int = 200) -> Answer:
    """XML, the declaration added."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Answer(status, body, {"Content-Type": "application/xml"})


def json_answer(body: object, status: int = 200) -> Answer:
    """JSON."""
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
