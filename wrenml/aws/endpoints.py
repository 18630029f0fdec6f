"""Where a service answers: AWS's own addresses, or another server that speaks its protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from wrenml.aws.routes import Address
from wrenml.errors import ConfigError

__all__ = ["Endpoint", "endpoint_for"]

# Regions of other partitions have other domains, which botocore knows.
_COMMON_REGION = re.compile(r"(cn-|(af|ap|ca|eu|il|me|mx|sa|us)-(gov-)?)[a-z]+-\d+")
_HOST_LIKE = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service in a region.

    Parameters
    ----------
    service : str
        Such as ``s3``.
    region : str
        The region.
    address : Address
        The server.
    own : bool
        Whether it is AWS's own.
    """

    service: str
    region: str
    address: Address
    own: bool

    def place(self, bucket: str) -> tuple[Address, str]:
        """Where the objects of a bucket are.

        AWS names buckets by host; names that TLS certificates do not match, and other servers, by path.

        Returns
        -------
        address : Address
            The server.
        prefix : str
            How its paths begin.
        """
        if self.own and _HOST_LIKE.fullmatch(bucket):
            return self.address._replace(host=f"{bucket}.{self.address.host}"), ""
        return self.address, f"/{bucket}"


def endpoint_for(service: str, region: str, url: str | None) -> Endpoint:
    """Find where a service answers.

    Parameters
    ----------
    service : str
        Such as ``s3``.
    region : str
        The region.
    url : str, optional
        Another server.

    Raises
    ------
    ConfigError
        The URL names no server, or only botocore knows the addresses of the region.
    """
    if url:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ConfigError(f"the endpoint {url!r} is no server; use http://host:port or https://host:port")
        secure = parts.scheme == "https"
        address = Address(secure, parts.hostname, parts.port or (443 if secure else 80))
        return Endpoint(service, region, address, own=False)
    if not _COMMON_REGION.fullmatch(region):
        raise ConfigError(f"only boto3 knows the addresses of the region {region!r}; correct AWS_REGION, or install it")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    address = Address(secure=True, host=f"{service}.{region}.{domain}", port=443)
    return Endpoint(service, region, address, own=True)
