"""Who calls the emulated AWS: credentials, and the principals that they stand for."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

__all__ = ["ANONYMOUS", "Caller", "Callers"]


@dataclass(frozen=True, slots=True)
class Caller:
    """One principal.

    Parameters
    ----------
    name : str
        A short one, for tests: ``client``, ``deployer``, ``worker``.
    arn : str
        Of the user or role.
    access_key, secret, token : str
        Its credentials.
    sees_missing : bool
        Whether S3 tells it that an object is missing (404), as it does to those who may list the bucket;
        the others are refused (403).
    """

    name: str
    arn: str
    access_key: str = ""
    secret: str = ""
    token: str = ""
    sees_missing: bool = True

    def environment(self) -> dict[str, str]:
        """Its credentials as environment variables."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return variables | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})


ANONYMOUS = Caller("anonymous", "")


class Callers:
    """The principals of one account, by access key.

    Parameters
    ----------
    account : str
        Twelve digits.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._lock = Lock()
        self._callers: dict[str, Caller] = {}
        self.expired: set[str] = set()

    def user(self, name: str) -> Caller:
        """The user of this name, made when first asked for."""
        return self._make(name, f"arn:aws:iam::{self._account}:user/{name}", temporary=False, sees_missing=True)

    def session(self, role: str, name: str = "worker") -> Caller:
        """A new session of a role, with temporary credentials of its own and no right to list buckets."""
        return self._make(name, role, temporary=True, sees_missing=False)

    def _make(self, name: str, arn: str, *, temporary: bool, sees_missing: bool) -> Caller:
        digest = sha256(os.urandom(32) if temporary else arn.encode()).digest()
        letters = base64.b32encode(digest).decode()
        key = ("ASIA" if temporary else "AKIA") + letters[:16]
        with self._lock:
            if key not in self._callers:
                token = base64.b64encode(digest * 4).decode() if temporary else ""
                self._callers[key] = Caller(name, arn, key, base64.b64encode(digest).decode()[:40], token, sees_missing)
            return self._callers[key]

    def of(self, access_key: str) -> Caller:
        """Whose the key is; a key that was never given out has a caller of its own."""
        if not access_key:
            return ANONYMOUS
        found = self._callers.get(access_key)
        return found or Caller(access_key, f"arn:aws:iam::{self._account}:user/{access_key}", access_key)
