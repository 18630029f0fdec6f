"""Pages of documentation as programs: their code blocks, in order, with what they are said to print."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Block", "blocks", "environment", "links", "mismatch", "program", "run_page"]

_FENCE = re.compile(r"^```(\S*)[ \t]*(.*)$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_BREAK = "\x1e"
_LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A fenced block: the line its code begins at (from 1), its language, its marks and its lines."""

    line: int
    language: str
    marks: str
    lines: list[str] = field(default_factory=list)
    output: str | None = None

    @property
    def runs(self) -> bool:
        """Whether it is to be run: Python unless told otherwise, shell only when told."""
        if self.language == "python":
            needs = re.findall(r"needs=(\S+)", self.marks)
            return "no-run" not in self.marks and all(importlib.util.find_spec(name) for name in needs)
        return self.language == "sh" and self.marks == "run"


def blocks(text: str) -> list[Block]:
    """The code blocks of a page; an output block belongs to the code before it."""
    found: list[Block] = []
    inside: Block | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside = Block(number + 1, fence[1], fence[2].strip())
        elif inside is not None and fence:
            if (inside.language, inside.marks) == ("text", "output"):
                found[-1].output = "\n".join(inside.lines) + "\n"
            else:
                found.append(inside)
            inside = None
        elif inside is not None:
            inside.lines.append(line)
    assert inside is None, f"the block of line {inside.line} has no end"
    return found


def program(parts: list[Block]) -> str:
    """One script of the blocks that run, each line where the page has it."""
    lines: list[str] = []
    for block in parts:
        lines += [""] * (block.line - 1 - len(lines))
        if block.language == "python":
            lines += block.lines
        else:
            script = "\n".join(block.lines)
            lines.append(f"__import__('subprocess').run(['bash', '-euc', {script!r}], check=True)")
            lines += [""] * (len(block.lines) - 1)
        lines.append(f"print({_BREAK!r}, end='', flush=True)")
    return "\n".join(lines) + "\n"


def environment(home: Path) -> dict[str, str]:
    """The environment of somebody who has just arrived, with this Python's commands on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WRENML_", "AWS_", "XDG_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return kept | {"HOME": str(home), "PATH": path, "PYTHONUNBUFFERED": "1"}


def mismatch(block: Block, printed: str) -> str:
    """How what a block printed differs from what the page says; empty if it does not."""
    if block.output is None or doctest.OutputChecker().check_output(block.output, printed, _LENIENT):
        return ""
    return f"line {block.line} is said to print\n{block.output}\nbut prints\n{printed}"


def run_page(text: str, folder: Path) -> list[str]:
    """Run a page's blocks in a process of its own; return where it does not keep its word."""
    parts = [block for block in blocks(text) if block.runs]
    (folder / "page.py").write_text(program(parts))
    run = subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    printed = run.stdout.split(_BREAK)
    failed = [f"exit code {run.returncode}\n{run.stdout}\n{run.stderr}"] if run.returncode else []
    return failed + [wrong for block, what in zip(parts, printed, strict=False) if (wrong := mismatch(block, what))]


def links(page: Path) -> list[Path]:
    """Where the relative links of a page lead."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = [link for link in _LINK.findall(prose) if "://" not in link]
    return [(page.parent / target).resolve() for target in targets]
