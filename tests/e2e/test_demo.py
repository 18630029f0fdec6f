from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# What `import sklearn` does where it is not installed.
MISSING = """
import sys
sys.modules["sklearn"] = None
from wrenml.cli import main
sys.exit(main(["demo"]))
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_ends_with_a_table_and_a_comparison(tmp_path: Path) -> None:
    done = run("-m", "wrenml", "demo", "--quick", HOME=str(tmp_path), WRENML_WORKERS="2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 candidates × 3 folds = 12 fits" in done.stdout
    places = re.findall(r"^ +(\d)\.  .*?([\d.]+) % ± [\d.]+$", done.stdout, re.MULTILINE)
    assert [place for place, _ in places] == ["1", "2", "3", "4"]
    means = [float(mean) for _, mean in places]
    assert means == sorted(means, reverse=True)
    assert means[0] > 95
    for line in ("parallel", "serial", "speed-up", "scores    equal, all 12"):
        assert f"\n  {line}" in done.stdout


@pytest.mark.slow
def test_the_demo_runs_serially_too(tmp_path: Path) -> None:
    done = run("-m", "wrenml", "demo", "--quick", HOME=str(tmp_path), WRENML_BACKEND="inline")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(inline, 1 worker" in done.stdout


def test_without_scikit_learn_the_demo_says_what_to_install(tmp_path: Path) -> None:
    done = run("-c", MISSING, HOME=str(tmp_path))
    assert done.returncode == 5
    assert done.stderr.startswith("wrenml: the demo needs scikit-learn")
    assert "pip install 'wrenml[ml]'" in done.stderr
    assert done.stderr.count("\n") == 1
