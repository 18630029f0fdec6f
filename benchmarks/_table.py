"""Prints the figures of ``--json FILE`` as a table: `python benchmarks/_table.py FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from _bench import Verdict


def table(file: Path) -> str:
    """The versions and one line a figure, in Markdown."""
    content = json.loads(file.read_text())
    lines = [
        ", ".join(f"{name} {version}" for name, version in content["versions"].items()),
        "",
        "| row | what | wrenml | beside | ratio | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in content["rows"].items():
        for found in row["verdicts"]:
            verdict = Verdict(**{key: value for key, value in found.items() if key != "met"})
            lines.append(f"| {name} | {verdict.what} | {' | '.join(verdict.cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
