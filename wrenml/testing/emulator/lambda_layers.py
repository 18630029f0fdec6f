"""Lambda's layers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wrenml.testing.emulator.lambda_names import find_lambda_target
from wrenml.testing.emulator.packages import Package, Packages
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, json_answer
from wrenml.testing.emulator.web import Answer

__all__ = ["Layers"]


class Layers:
    """All layers of one account.

    Parameters
    ----------
    packages : Packages
        Unpacks them.
    read_object : callable
        Reads an object from its bucket and key.
    account : str
        Twelve digits.
    """

    def __init__(self, packages: Packages, read_object: Callable[[str, str], bytes], account: str) -> None:
        self._packages = packages
        self._read_object = read_object
        self._account = account
        self._layers: dict[str, tuple[dict[str, Any], Package]] = {}
        self._numbers: dict[str, int] = {}

    def find(self, arns: Sequence[str]) -> list[Package]:
        """The packages of layer versions.

        Raises
        ------
        RefusedError
            400 if there are too many, or one is not there.
        """
        if len(arns) > 5:  # noqa: PLR2004 - Lambda's limit
            raise RefusedError(400, "InvalidParameterValueException", "Cannot reference more than 5 layers.")
        unknown = [arn for arn in arns if arn not in self._layers]
        if unknown:
            raise RefusedError(400, "InvalidParameterValueException", f"Layer version {unknown[0]} does not exist.")
        return [self._layers[arn][1] for arn in arns]

    def publish(self, call: Call, body: Mapping[str, Any]) -> Answer:
        """Answer ``PublishLayerVersion``."""
        name = find_lambda_target(call.request).part
        content = body["Content"]
        data = (
            base64.b64decode(content["ZipFile"])
            if content.get("ZipFile")
            else self._read_object(content["S3Bucket"], content["S3Key"])
        )
        package = self._packages.unpack(data)
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        arn = f"arn:aws:lambda:{call.region}:{self._account}:layer:{name}"
        made = {
            "LayerArn": arn,
            "LayerVersionArn": f"{arn}:{number}",
            "Version": number,
            "Description": body.get("Description", ""),
            "CompatibleRuntimes": body.get("CompatibleRuntimes", []),
            "CompatibleArchitectures": body.get("CompatibleArchitectures", []),
            "Content": {"CodeSha256": package.sha256, "CodeSize": package.zipped},
        }
        self._layers[f"{arn}:{number}"] = made, package
        return json_answer(made, 201)

    def _arn(self, call: Call) -> str:
        name, number = call.request.path.rstrip("/").split("/")[-3::2]
        return f"arn:aws:lambda:{call.region}:{self._account}:layer:{name}:{number}"

    def get(self, call: Call, _body: object) -> Answer:
        """Answer ``GetLayerVersion``."""
        found = self._layers.get(self._arn(call))
        if found is None:
            raise RefusedError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        return json_answer(found[0])

    def list(self, call: Call, _body: object) -> Answer:
        """Answer ``ListLayerVersions``, the newest first."""
        name = find_lambda_target(call.request).part
        arn = f"arn:aws:lambda:{call.region}:{self._account}:layer:{name}"
        found = [made for made, _ in self._layers.values() if made["LayerArn"] == arn]
        return json_answer({"LayerVersions": found[::-1]})

    def delete(self, call: Call, _body: object) -> Answer:
        """Answer ``DeleteLayerVersion``; what uses the version keeps it."""
        self._layers.pop(self._arn(call), None)
        return Answer(204)
