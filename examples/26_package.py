"""StarCluster's cluster was up after 8.6 minutes; what `wrenml deploy` has to make and send is a package."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from zipfile import ZipFile

from wrenml.deploy.package import build
from wrenml.errors import ConfigError

NEEDED = ["cloudpickle", "joblib", "narwhals", "numpy", "scikit-learn", "scipy", "threadpoolctl"]
STARCLUSTER = 8.596 * 60
ARCH = {"aarch64": "arm64"}.get(platform.machine(), "x86_64")


def as_wheel(name: str, folder: Path) -> None:
    """Make a wheel of what is installed here, so that this measures no network."""
    found = metadata.distribution(name)
    lines = (found.read_text("WHEEL") or "").splitlines()
    tags = zip(*(line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")), strict=True)
    kind = "-".join(".".join(dict.fromkeys(each)) for each in tags)
    with ZipFile(folder / f"{name.replace('-', '_')}-{found.version}-{kind}.whl", "w") as wheel:
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(file.locate(), file)


if __name__ == "__main__":
    with TemporaryDirectory() as wheels, TemporaryDirectory() as cache:
        for name in NEEDED:
            with suppress(metadata.PackageNotFoundError):
                as_wheel(name, Path(wheels))
        os.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "PIP_CONFIG_FILE": os.devnull}

        python = ".".join(platform.python_version_tuple()[:2])
        print(f"for python{python} on {ARCH}, from wheels that are here")
        try:
            for again in ("", "again: "):
                start = perf_counter()
                package = build(python, ARCH, cache)
                seconds = perf_counter() - start
                size, sooner = package.size / 1e6, STARCLUSTER / seconds
                print(f"{again}{size:.0f} MB in {seconds:.1f} s, {sooner:,.0f} × sooner than StarCluster")
            print(", ".join(f"{name} {version}" for name, version in package.packages.items()))
        except ConfigError as error:  # these versions of Python and numpy do not meet on Lambda
            print(f"no package: {error}")
