"""Environment variables for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["aws_variables", "changed_variables"]

_CREDENTIALS = "[default]\naws_access_key_id = testing\naws_secret_access_key = testing\n"


def aws_variables(folder: str, region: str) -> dict[str, str]:
    """Say what keeps this machine's AWS settings out: credentials that are none, files in `folder`, no metadata."""
    path = os.path.join(folder, "aws")
    with open(path, "w", encoding="utf-8") as file:
        file.write(_CREDENTIALS)
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": path,
        "AWS_SHARED_CREDENTIALS_FILE": path,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def changed_variables(values: Mapping[str, str], *, without: tuple[str, ...] = ()) -> Iterator[None]:
    """Set variables, take away those whose names begin so, and put all of it back at the end."""
    changed = {name for name in os.environ if name.startswith(without)} | set(values)
    before = {name: os.environ.get(name) for name in changed}
    try:
        for name in changed - set(values):
            del os.environ[name]
        os.environ.update(values)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
