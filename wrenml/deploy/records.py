"""The two parameters that clients start from: what is deployed, and the root key."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import replace
from typing import Any, Final

from wrenml.aws.deployment import Deployment, deployment_name, root_key_name
from wrenml.aws.failures import code_of
from wrenml.errors import ConfigError

__all__ = ["Records"]

_LENGTH: Final = 32
_MOST_BYTES: Final = 4096  # of a parameter that costs nothing
_MISSING: Final = "ParameterNotFound"


class Records:
    """The parameters of a stack.

    Parameters
    ----------
    client : object
        Of SSM.
    stack : str
        The stack's name.
    """

    def __init__(self, client: Any, stack: str) -> None:  # noqa: ANN401 - boto3 makes its client classes at run time
        self._client = client
        self._stack = stack

    def read(self) -> Deployment | None:
        """What is deployed; None where nothing is, or nothing that can be read."""
        try:
            answer = self._client.get_parameter(Name=deployment_name(self._stack))
            return Deployment.from_json(answer["Parameter"]["Value"])
        except ConfigError:
            return None
        except self._client.exceptions.ClientError as error:
            if code_of(error) != _MISSING:
                raise
            return None

    def write(self, deployment: Deployment) -> None:
        """Say what is deployed: clients use it from now on."""
        text = deployment.to_json()
        while len(text) > _MOST_BYTES:
            # Versions are for comparing; what is listed first was chosen rather than drawn in.
            packages = list(deployment.packages.items())
            deployment = replace(deployment, packages=dict(packages[: len(packages) * 9 // 10]))
            text = deployment.to_json()
        self._client.put_parameter(
            Name=deployment_name(self._stack),
            Description="What wrenml deployed; clients read it",
            Value=text,
            Type="String",
            Overwrite=True,
        )

    def ensure_root_key(self) -> bool:
        """Make the root key, unless there is one: that one is never changed, for all jobs hang on it.

        Returns
        -------
        bool
            Whether it was made.
        """
        try:
            self._client.put_parameter(
                Name=root_key_name(self._stack),
                Description="Authenticates what wrenml's workers send back; for clients only",
                Value=b64encode(os.urandom(_LENGTH)).decode(),
                Type="SecureString",
                Overwrite=False,
            )
        except self._client.exceptions.ClientError as error:
            if code_of(error) != "ParameterAlreadyExists":
                raise
            return False
        return True

    def remove(self, *, root_key: bool) -> None:
        """Remove the record, or the root key."""
        try:
            self._client.delete_parameter(Name=(root_key_name if root_key else deployment_name)(self._stack))
        except self._client.exceptions.ClientError as error:
            if code_of(error) != _MISSING:
                raise
