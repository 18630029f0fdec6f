from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# As it was before the fixtures that keep all other tests apart from it.
_OUTSIDE = dict(os.environ)


@pytest.fixture(scope="module", autouse=True)
def _outside(_apart: None) -> Iterator[None]:
    """These tests see the user's settings and AWS account."""
    names = ("AWS_", "WRENML_", "XDG_", "HOME")
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(names):
                patch.delenv(name)
        for name, value in _OUTSIDE.items():
            if name.startswith(names):
                patch.setenv(name, value)
        yield
