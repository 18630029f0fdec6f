"""Programs and the command line work where the working directory has been deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parents[2]
_DELETED = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir(os.getcwd()); "


def _run(code: str, home: Path) -> str:
    environ = {**os.environ, "HOME": str(home), "PYTHONPATH": str(_HERE)}
    command = [sys.executable, "-P", "-c", _DELETED + code]
    return subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_map_runs_and_can_be_shown_where_the_working_directory_is_deleted(tmp_path: Path) -> None:
    mapped = _run("import wrenml; print(wrenml.default_executor().map(abs, [-1]).results())", tmp_path)
    assert mapped == "[1]\n"
    assert "1 succeeded" in _run("from wrenml.cli import main; main(['show', 'last'])", tmp_path)
