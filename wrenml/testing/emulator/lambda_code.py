"""The code of Lambda's functions: where it comes from, and how large it may be."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wrenml.testing.emulator.lambda_functions import Configuration, Function, invalid
from wrenml.testing.emulator.lambda_layers import Layers
from wrenml.testing.emulator.packages import MOST_UNZIPPED, MOST_ZIPPED, Package, Packages
from wrenml.testing.emulator.refusing import RefusedError

__all__ = ["CodeStore", "ReadObject", "with_code"]

ReadObject = Callable[[str, str], bytes]
"""Reads an object from its bucket and key."""


class CodeStore:
    """Packages and layers.

    Parameters
    ----------
    packages : Packages
        Unpacks them.
    layers : Layers
        Knows them by ARN.
    read_object : ReadObject
        Where code comes from that is not sent along.
    """

    def __init__(self, packages: Packages, layers: Layers, read_object: ReadObject) -> None:
        self._packages = packages
        self._layers = layers
        self._read_object = read_object

    def adopt(self, code: Path) -> Package:
        """The package that a zip file, or a folder that is unpacked already, is."""
        return self._packages.adopt(code) if code.is_dir() else self._packages.unpack(code.read_bytes())

    def package(self, code: Mapping[str, Any]) -> Package:
        """The package that a request's ``Code`` is.

        Raises
        ------
        RefusedError
            400 if it is none, 413 if it is too large to be sent along.
        """
        if code.get("ZipFile"):
            data = base64.b64decode(code["ZipFile"])
            if len(data) > MOST_ZIPPED:
                raise RefusedError(413, "RequestEntityTooLargeException", "the zip file is over 50 MB: use S3")
            return self._packages.unpack(data)
        if code.get("S3Bucket"):
            try:
                return self._packages.unpack(self._read_object(code["S3Bucket"], code["S3Key"]))
            except RefusedError as error:
                if error.code in {"NoSuchKey", "NoSuchBucket"}:
                    raise invalid(f"Error occurred while GetObject. S3 Error Code: {error.code}.") from error
                raise
        raise invalid("Please provide a source for function code.")

    def add_layers(self, function: Function, body: Mapping[str, Any]) -> None:
        """Give a function the layers that a request names, if it names any.

        Raises
        ------
        RefusedError
            400 if one is not there, or all together are too large.
        """
        if "Layers" not in body:
            return
        found = self._layers.find(body["Layers"])
        if function.package.unzipped + sum(package.unzipped for package in found) > MOST_UNZIPPED:
            raise invalid(f"Function code combined with layers exceeds the maximum of {MOST_UNZIPPED} bytes")
        function.layers = tuple(package.folder for package in found)
        function.latest["Layers"] = [
            {"Arn": arn, "CodeSize": package.zipped} for arn, package in zip(body["Layers"], found, strict=True)
        ]


def with_code(made: Configuration, package: Package) -> Configuration:
    """Say in a configuration what its code is."""
    return {**made, "CodeSha256": package.sha256, "CodeSize": package.zipped}
