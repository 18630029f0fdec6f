"""AWS Signature Version 4, as the AWS General Reference describes it, over hashlib and hmac alone.

Every payload is hashed and its hash signed, over TLS too: S3 then refuses a body that arrives changed, so the
one hash serves as signature and checksum.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

__all__ = ["EMPTY_SHA256", "Keys", "Signer", "query_string", "quoted_path"]

EMPTY_SHA256 = sha256(b"").hexdigest()
"""The hash of a payload without bytes."""

_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(NamedTuple):
    """Credentials at one moment.

    Parameters
    ----------
    access_key, secret_key : str
        The pair.
    token : str or None
        The session token of temporary ones.
    """

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({self.access_key!r})"


class Signer:
    """Signs requests to one service in one region.

    The signing key is derived once for a day and secret. Threads may share a signer.

    Parameters
    ----------
    service : str
        ``s3`` or ``lambda``: the name in the credential scope.
    region : str
        The region.
    """

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def headers(
        self, method: str, target: tuple[str, str], headers: Mapping[str, str], payload: str, keys: Keys, stamp: str
    ) -> dict[str, str]:
        """Sign a request.

        Parameters
        ----------
        method : str
            The HTTP method.
        target : tuple of str
            The path and the query, each encoded as it is sent, as `quoted_path` and `query_string` do.
        headers : mapping of str to str
            What is signed, names in lower case, ``host`` among them.
        payload : str
            The SHA-256 of the body in hex.
        keys : Keys
            Who asks.
        stamp : str
            The time, such as ``20130524T000000Z``, in UTC.

        Returns
        -------
        dict of str to str
            `headers`, and those of the signature.
        """
        path, query = target
        signed = {**headers, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        if keys.token:
            signed["x-amz-security-token"] = keys.token
        if self._service != "s3":
            # Only S3 takes the path as it is sent; the others encode it once more.
            path = quote(path, safe="/~")
            del signed["x-amz-content-sha256"]
        names = sorted(signed)
        listed = ";".join(names)
        lines = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        request = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{payload}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(keys.secret_key, stamp[:8]), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str, day: str) -> bytes:
        # One tuple, read and replaced as a whole, so that threads never mix two keys.
        known_secret, known_day, key = self._derived
        if known_secret != secret or known_day != day:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = secret, day, key
        return key


def quoted_path(path: str) -> str:
    """Encode a path of plain characters: all but letters, digits and ``-._~/`` as UTF-8 bytes in hex."""
    return quote(path, safe="/~")


def query_string(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode the names and values of a query, in the order that is signed."""
    encoded = sorted([(quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs])
    return "&".join([f"{name}={value}" for name, value in encoded])
