"""Keys and tags: who may write what, and how a reader knows.

One root key per stack (locally one file) is known to clients only. From it::

    root ──▶ job key ──▶ invocation key      one per (first call, attempt); travels in the request, tags outcomes
                    ├──▶ "manifest" key      what the client writes for other clients
                    ├──▶ "args" key          segments of the argument list
                    └──▶ "client" key        outcomes the client writes itself (cancelled, lost for good)

Derivation is HKDF-Expand (RFC 5869) with SHA-256 for one block; Extract is left out because the root key is already
uniformly random. Every tag is HMAC-SHA256 over length-prefixed fields, the first of which is a domain string.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

from wrenml.errors import AuthenticationError

__all__ = [
    "DOMAIN",
    "TAG_SIZE",
    "fields",
    "invocation_key",
    "job_key",
    "label_key",
    "require",
    "root_label_key",
    "sha256",
    "tag",
    "verify",
]

DOMAIN = b"wrenml/1"
TAG_SIZE = 32
_BLOCK_BYTES = 64
_INNER = bytes([value ^ 0x36 for value in range(256)])
_OUTER = bytes([value ^ 0x5C for value in range(256)])


def fields(*parts: bytes) -> bytes:
    """Join byte strings so that no two different lists give the same bytes."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def _hmac(key: bytes, message: bytes) -> bytes:
    # RFC 2104. OpenSSL's own takes three times as long for messages as short as these.
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_OUTER) + sha256(block.translate(_INNER) + message).digest()).digest()


def _expand(key: bytes, info: bytes) -> bytes:
    return _hmac(key, info + b"\x01")


def job_key(root: bytes, job: str) -> bytes:
    """Derive the 32-byte key of a job from the root key."""
    return _expand(root, fields(DOMAIN, b"job", job.encode()))


def root_label_key(root: bytes, label: str) -> bytes:
    """Derive a 32-byte key for records that belong to no job, such as cached results."""
    return _expand(root, fields(DOMAIN, b"root label", label.encode()))


def invocation_key(key: bytes, first: int, attempt: int) -> bytes:
    """Derive the 32-byte key of one invocation from its job's key."""
    return _expand(key, fields(DOMAIN, b"invocation", b"%d" % first, b"%d" % attempt))


def label_key(key: bytes, label: str) -> bytes:
    """Derive the 32-byte key for one kind of client-written record from a job's key."""
    return _expand(key, fields(DOMAIN, b"label", label.encode()))


def tag(key: bytes, *parts: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA256 tag over the parts."""
    return _hmac(key, fields(DOMAIN, *parts))


def verify(key: bytes, given: bytes, *parts: bytes) -> bool:
    """Tell, in constant time, whether `given` is the tag of the parts."""
    return compare_digest(tag(key, *parts), given)


def require(key: bytes, given: bytes, parts: tuple[bytes, ...], what: str) -> None:
    """Raise `AuthenticationError` unless `given` is the tag of the parts.

    Parameters
    ----------
    what : str
        What carries the tag, for the message.
    """
    if not verify(key, given, *parts):
        raise AuthenticationError(
            f"{what} was changed, truncated, or not written with this key; it was not read further."
        )
