"""What the environment, and AWS's configuration files through botocore, say about reaching AWS."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wrenml.aws.failures import NoCredentialsFoundError
from wrenml.aws.signing import Keys

__all__ = ["Surroundings", "from_botocore", "from_environment"]

_S3_SETTINGS = ("addressing_style", "payload_signing_enabled", "use_accelerate_endpoint", "use_dualstack_endpoint")
_FLAGS = ("use_fips_endpoint", "use_dualstack_endpoint")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where requests go, and who sends them.

    Parameters
    ----------
    region : str
        The region; empty where none is set.
    keys : callable
        The credentials to sign with now, refreshed where they can be.
    ca_bundle : str, optional
        Whom to trust in place of the system's authorities.
    endpoint_urls : mapping of str to str
        Other servers by service; under ``""`` the one for all.
    unusual : str
        What of it only boto3 knows how to do; empty where there is nothing.
    """

    region: str
    keys: Callable[[], Keys] = field(repr=False)
    ca_bundle: str | None = None
    endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    unusual: str = ""

    def endpoint_url(self, service: str) -> str | None:
        """Another server for a service, if one is configured."""
        return self.endpoint_urls.get(service) or self.endpoint_urls.get("")


def from_environment(region: str | None) -> Surroundings | None:
    """Read the environment, if it says all that matters, as it does on Lambda.

    Parameters
    ----------
    region : str, optional
        The region that was asked for.

    Returns
    -------
    Surroundings or None
        None where a profile or a configuration file has a say, or keys or region are missing: then only
        botocore knows.
    """
    environ = os.environ
    region = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    config = os.path.expanduser(environ.get("AWS_CONFIG_FILE") or "~/.aws/config")
    named = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    if not region or named or not environ.get("AWS_ACCESS_KEY_ID") or os.path.exists(config):
        return None
    return Surroundings(
        region,
        _environment_keys,
        environ.get("AWS_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE"),
        _endpoint_urls({}),
        _unusual({name: environ.get(f"AWS_{name.upper()}", "").lower() == "true" for name in _FLAGS}, {}),
    )


def from_botocore(session: Any) -> Surroundings:  # noqa: ANN401 - botocore ships no types
    """Read all that botocore knows: files, profiles, roles, single sign-on.

    Parameters
    ----------
    session : botocore.session.Session
        Where the settings come from; it is asked for credentials only when a request is signed.
    """
    config = session.get_scoped_config()

    def keys() -> Keys:
        found = session.get_credentials()
        if found is None:
            raise NoCredentialsFoundError("there are neither keys in the environment nor a profile that has any")
        frozen = found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    return Surroundings(
        session.get_config_variable("region") or "",
        keys,
        session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"),
        _endpoint_urls(config),
        _unusual({name: bool(session.get_config_variable(name)) for name in _FLAGS}, config),
    )


def _environment_keys() -> Keys:
    environ = os.environ
    try:
        keys = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
    except KeyError as error:
        raise NoCredentialsFoundError(f"{error.args[0]} is not set") from error
    return Keys(*keys, environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN"))


def _endpoint_urls(config: Mapping[str, Any]) -> dict[str, str]:
    environ = os.environ
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or config.get("ignore_configured_endpoint_urls", "")
    if ignored.lower() == "true":
        return {}
    urls = {"": environ.get("AWS_ENDPOINT_URL") or config.get("endpoint_url", "")}
    urls |= {service: environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", "") for service in ("s3", "lambda", "ssm")}
    return {service: url for service, url in urls.items() if url}


def _unusual(flags: Mapping[str, bool], config: Mapping[str, Any]) -> str:
    s3 = config.get("s3")
    found = [name for name, on in flags.items() if on]
    found += [name for name in _S3_SETTINGS if isinstance(s3, Mapping) and name in s3]
    if "services" in config:
        found.append("services")
    if config.get("sigv4a_signing_region_set") or os.environ.get("AWS_SIGV4A_SIGNING_REGION_SET"):
        found.append("sigv4a_signing_region_set")
    return ", ".join(found)
