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
RESULTS = {"03", "04", "09", "10", "11", "12", "13", "14", "16", "21", "25"}
"""Those that print results and no times: the same wherever they run."""


def test_each_example_has_a_number_of_its_own() -> None:
    numbers = {path.name[:3] for path in EXAMPLES}
    assert {"01_"} <= numbers
    assert len(numbers) == len(EXAMPLES)


def started(path: Path, folder: Path, **variables: str) -> subprocess.Popen[str]:
    folder.mkdir()
    environment = {**os.environ, "HOME": str(folder), "WRENML_WORKERS": "2", **variables}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, path], cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe)


def said(example: subprocess.Popen[str], within: float, *, silent: bool = True) -> list[str]:
    """The lines an example prints, sorted: what it streams comes in any order."""
    try:
        output, errors = example.communicate(timeout=within)
    finally:
        example.kill()
    assert example.returncode == 0, errors
    assert not (silent and errors)
    lines = sorted(output.splitlines())
    assert len(lines) > 1
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_an_example_runs_and_says_something(path: Path, tmp_path: Path) -> None:
    local = started(path, tmp_path / "local")
    serial = started(path, tmp_path / "inline", WRENML_BACKEND="inline") if path.name[:2] in RESULTS else None
    found = said(local, within=100)
    if serial is not None:
        assert said(serial, within=100) == found


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Deployment:
    return emulator.install(isolated=False)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in EXAMPLES if "aws" not in path.stem], ids=lambda path: str(path.stem))
def test_an_example_runs_on_the_emulated_aws(path: Path, aws: Emulator, stack: Deployment, tmp_path: Path) -> None:
    there = started(path, tmp_path / "aws", **aws.environment, WRENML_BACKEND="aws", WRENML_STACK=stack.stack)
    serial = started(path, tmp_path / "inline", WRENML_BACKEND="inline") if path.name[:2] in RESULTS else None
    found = said(there, within=110, silent=False)
    if serial is not None:
        assert said(serial, within=110) == found
