from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ROWS = sorted(file for file in BENCHMARKS.glob("*.py") if not file.name.startswith("_"))


def test_every_row_of_the_design_is_there() -> None:
    assert {row.stem for row in ROWS} == {
        "closure",
        "cloud",
        "cold",
        "datasets",
        "ensemble",
        "handler",
        "imap",
        "imports",
        "killed",
        "learning",
        "learning_cloud",
        "linear",
        "map",
        "memory",
        "million",
        "model_backend",
        "model_cloud",
        "model_search",
        "results",
        "shared",
        "size",
        "submit",
        "text",
        "transport",
    }


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.stem)
def test_row_runs_at_tiny_size_and_leaves_nothing_behind(row: Path, tmp_path: Path) -> None:
    figures, cache = tmp_path / "figures.json", tmp_path / "cache"
    run = subprocess.run(
        [sys.executable, row, "--quick", "--json", figures],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(figures.read_text())["rows"][row.stem]
    assert found["quick"]
    if sys.platform == "linux":
        assert found["verdicts"]
    assert all(math.isfinite(verdict["figure"]) for verdict in found["verdicts"])
    assert not list(cache.iterdir())
