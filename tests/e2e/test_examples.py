from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.emulated import aws, emulator
from wrenml.aws.deployment import Deployment
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]

EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples").glob("[0-9]*.py"))


def test_each_example_has_a_number_of_its_own() -> None:
    numbers = {path.name[:3] for path in EXAMPLES}
    assert {"01_"} <= numbers
    assert len(numbers) == len(EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_an_example_runs_and_says_something(path: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "WRENML_WORKERS": "2"}
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 1


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Deployment:
    return emulator.install(isolated=False)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in EXAMPLES if "aws" not in path.stem], ids=lambda path: str(path.stem))
def test_an_example_runs_on_the_emulated_aws(path: Path, aws: Emulator, stack: Deployment, tmp_path: Path) -> None:
    environment = {**os.environ, **aws.environment, "HOME": str(tmp_path)}
    environment |= {"WRENML_BACKEND": "aws", "WRENML_STACK": stack.stack}
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1
