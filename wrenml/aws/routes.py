"""How a server is reached: directly or through a proxy, and whom to trust on the way."""

from __future__ import annotations

import os
import ssl
import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from wrenml.errors import ConfigError

__all__ = ["Address", "Proxy", "Trust", "connection_to", "proxy_for"]


class Address(NamedTuple):
    """A server.

    Parameters
    ----------
    secure : bool
        Whether TLS is spoken.
    host : str
        Its name or number.
    port : int
        Its port.
    """

    secure: bool
    host: str
    port: int

    @property
    def name(self) -> str:
        """What the ``Host`` header says: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Without a path."""
        return f"{'https' if self.secure else 'http'}://{self.name}"


class Proxy(NamedTuple):
    """A proxy that speaks plain HTTP to us.

    Parameters
    ----------
    host : str
        Its name.
    port : int
        Its port.
    headers : mapping of str to str
        What it wants to see: who we are.
    """

    host: str
    port: int
    headers: Mapping[str, str]


def proxy_for(address: Address) -> Proxy | None:
    """Find the proxy that the environment names for a server, as ``HTTPS_PROXY`` and ``NO_PROXY`` say.

    Raises
    ------
    ConfigError
        A proxy that is not spoken to in plain HTTP.
    """
    # Only macOS and Windows configure proxies anywhere else; and urllib.request takes long to load.
    if not sys.platform.startswith(("darwin", "win")) and not any(
        name.lower().endswith("_proxy") for name in os.environ
    ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - see above

    known = getproxies()
    said = known.get("https" if address.secure else "http") or known.get("all")
    if not said or proxy_bypass(f"{address.host}:{address.port}"):
        return None
    parts = urlsplit(said if "://" in said else f"http://{said}")
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"the proxy {parts.scheme}://{parts.hostname} is not spoken to in plain HTTP; set "
            "WRENML_TRANSPORT=boto3, or name a proxy with http://"
        )
    return Proxy(parts.hostname, parts.port or 80, _identity(parts))


def _identity(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


class Trust:
    """Which certificates are believed; reading them takes a while, so one serves all connections.

    Parameters
    ----------
    bundle : str, optional
        A file or folder of authorities, as ``AWS_CA_BUNDLE`` or ``REQUESTS_CA_BUNDLE`` names. Default: the
        system's, and botocore's where the system has none.
    """

    def __init__(self, bundle: str | None = None) -> None:
        self._bundle = bundle
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """What connections are secured with.

        Raises
        ------
        ConfigError
            The bundle cannot be read.
        """
        if self._context is None:
            # Two threads may make one each; it is the same.
            self._context = self._of_bundle(self._bundle) if self._bundle else self._of_system()
        return self._context

    @staticmethod
    def _of_bundle(bundle: str) -> ssl.SSLContext:
        try:
            if os.path.isdir(bundle):
                return ssl.create_default_context(capath=bundle)
            return ssl.create_default_context(cafile=bundle)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the certificates of {bundle!r} cannot be read ({error}); correct AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE"
            ) from error

    @staticmethod
    def _of_system() -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"]:
            # A folder of authorities is read only as they are needed, and counts none.
            with suppress(ImportError, OSError):
                import botocore  # noqa: PLC0415 - where there is one, its authorities are a file beside it

                context.load_verify_locations(os.path.join(os.path.dirname(botocore.__file__), "cacert.pem"))
        return context


def connection_to(
    address: Address, proxy: Proxy | None, context: ssl.SSLContext | None, timeout: float
) -> HTTPConnection:
    """A connection that is not open yet; `context` is of use with TLS only."""
    host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
    if not address.secure:
        return HTTPConnection(host, port, timeout=timeout)
    connection = HTTPSConnection(host, port, timeout=timeout, context=context)
    if proxy is not None:
        connection.set_tunnel(address.host, address.port, headers=dict(proxy.headers))
    return connection
