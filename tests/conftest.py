from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest
from hypothesis import settings

# A busy machine is no reason for a property to fail.
settings.register_profile("wrenml", deadline=None, print_blob=True)
settings.load_profile("wrenml")


@pytest.fixture(scope="session", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees this machine's settings, keys, jobs or AWS account."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("WRENML_", "AWS_")):
                patch.delenv(name)
        for variable, folder in {
            "HOME": ".",
            "XDG_CACHE_HOME": ".cache",
            "XDG_CONFIG_HOME": ".config",
            "AWS_CONFIG_FILE": ".aws/config",
            "AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials",
        }.items():
            patch.setenv(variable, str(home / folder))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition holds, or fail: ``eventually(lambda: ..., within=30)``."""

    def wait(condition: Callable[[], object], *, within: float = 30.0) -> None:
        end = time.monotonic() + within
        pause = Event()
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"still not so after {within} s")
            pause.wait(0.005)

    return wait
