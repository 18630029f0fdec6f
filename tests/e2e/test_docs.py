from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wrenml
from tests.support.pages import links, run_page
from wrenml import errors, events
from wrenml.cli.parser import build_parser

ROOT = Path(wrenml.__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted(DOCS.rglob("*.md"))
RUN = [
    ROOT / "README.md",
    *(page for page in PAGES if re.search(r"^```(python|sh run)", page.read_text(), re.MULTILINE)),
]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def reference(page: str) -> str:
    return (REFERENCE / page).read_text()


def missing(names: list[str], text: str) -> list[str]:
    words = {word for code in re.findall(r"`([^`\n]+)`|^( {4}.*)$|^#+ (.*)$", text, re.MULTILINE) for word in code}
    known = set(re.findall(r"[\w-]+", " ".join(words) + " " + " ".join(re.findall(r"(?ms)^```.*?^```", text))))
    return [name for name in names if name not in known]


def public(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    assert run_page(page.read_text(), tmp_path) == []


def test_examples_in_docstrings() -> None:
    for path in (ROOT / "wrenml").rglob("*.py"):
        if ">>> " in path.read_text():
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            assert doctest.testmod(importlib.import_module(name)).failed == 0, name


class TestPagesHangTogether:
    @pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=name_of)
    def test_links_lead_somewhere(self, page: Path) -> None:
        assert [str(target) for target in links(page) if not target.exists()] == []

    def test_every_page_can_be_reached(self) -> None:
        reached: set[Path] = set()
        waiting = [DOCS / "README.md"]
        while waiting:
            page = waiting.pop()
            if page in reached or page.suffix != ".md" or not page.exists():
                continue
            reached.add(page)
            waiting += links(page)
        assert [name_of(page) for page in PAGES if page not in reached] == []

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_page_is_short(self, page: Path) -> None:
        assert len(page.read_text().splitlines()) <= 200


class TestReferenceIsComplete:
    def test_public_names(self) -> None:
        everything = "\n".join(page.read_text() for page in REFERENCE.glob("*.md"))
        assert missing(wrenml.__all__, everything) == []

    @pytest.mark.parametrize(
        ("kind", "page"),
        [
            (wrenml.Executor, "executors.md"),
            (wrenml.Future, "futures.md"),
            (wrenml.FutureList, "futures.md"),
        ],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_members(self, kind: type, page: str) -> None:
        internal = {"session", "owner", "raw", "settle", "has_callbacks", "is_observed", "settle_unobserved"}
        internal |= {"take_callbacks"}
        assert missing(sorted(set(public(kind)) - internal), reference(page)) == []

    def test_options_and_their_defaults(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", reference("options.md"), re.MULTILINE)
        told = {name: default.strip("`") for name, default in rows}
        plain = {"()": "none", "{}": "none", "None": "none", "(<class 'Exception'>,)": "(Exception,)"}
        for option in dataclasses.fields(wrenml.Options):
            value = option.default if option.default is not dataclasses.MISSING else {}
            default = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)
            assert told.pop(option.name) == plain.get(default, default), option.name
        assert told == {}

    def test_aliases(self) -> None:
        assert missing(sorted(wrenml.options.ALIASES), reference("options.md")) == []

    def test_settings(self) -> None:
        code = {"retry_on", "initializer", "finalizer"}
        names = {option.name for option in dataclasses.fields(wrenml.Options)} - code | {"backend", "stack", "workers"}
        assert missing(sorted(f"WRENML_{name.upper()}" for name in names), reference("settings.md")) == []

    def test_errors_tree_is_the_one_that_is_drawn(self) -> None:
        tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2].partition("\n\n")[0]
        assert inspect.cleandoc(tree) in reference("errors.md")
        assert missing(sorted(errors.__all__), reference("errors.md")) == []

    def test_command_line(self) -> None:
        text = reference("command-line.md")
        commands = re.findall(r"^    (\w+)  ", build_parser().format_help(), re.MULTILINE)
        assert len(commands) > 1
        for command in commands:
            said = subprocess.run(
                [sys.executable, "-m", "wrenml", command, "--help"], capture_output=True, text=True, check=True
            )
            flags = set(re.findall(r"--[a-z-]+", said.stdout)) - {"--help"}
            assert f"`wrenml {command}" in text
            assert [flag for flag in flags if flag not in text] == []

    def test_events(self) -> None:
        kinds = (events.JobStarted, events.CallsSettled, events.CallsRetried, events.JobEnded)
        fields = {field for kind in kinds for field in inspect.get_annotations(kind)}
        assert missing(sorted(fields | {kind.__name__ for kind in kinds}), reference("events.md")) == []

    @pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "wrenml/testing").glob("[!_]*_*.py")))
    def test_testing(self, name: str) -> None:
        module = importlib.import_module(f"wrenml.testing.{name}")
        assert missing([name, *module.__all__], reference("testing.md")) == []


class TestStatus:
    def test_every_test_it_names_exists(self) -> None:
        text = (DOCS / "status.md").read_text()
        nodes = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)*)`", text)))
        assert nodes
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *nodes],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr

    def test_every_row_says_what_shows_it(self) -> None:
        rows = re.findall(r"^\| (?!what|-)(.*) \|$", (DOCS / "status.md").read_text(), re.MULTILINE)
        for row in rows:
            _, state, shown = (cell.strip() for cell in row.rsplit(" | ", 2))
            assert state in ("done", "partial", "absent"), row
            assert shown, row
