"""Runs AWS's runtime client, the package and layers on the path, as Lambda's own file of this name does: a script."""

from __future__ import annotations

import os
import sys

from awslambdaric.__main__ import main


def start() -> None:
    """Run the handler that the environment names."""
    task, layers = os.environ["LAMBDA_TASK_ROOT"], os.environ.pop("WRENML_LAYERS", "/opt")
    site = f"{layers}/python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    sys.path[:1] = [task, *(path for path in (site, f"{layers}/python") if os.path.isdir(path))]
    main(["bootstrap", os.environ["_HANDLER"]])


if __name__ == "__main__":
    start()
