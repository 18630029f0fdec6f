from __future__ import annotations

import collections
import enum
import functools
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wrenml.digest import argument_digest, function_digest
from wrenml.errors import ArgumentNotSerializable, FunctionNotSerializable


def make(source: str, **names: object) -> Callable[..., Any]:
    """Define `f` as a local module would."""
    namespace: dict[str, Any] = {"__name__": "local_example", **names}
    exec(compile(textwrap.dedent(source), "example.py", "exec", dont_inherit=True), namespace)  # noqa: S102
    fn: Callable[..., Any] = namespace["f"]
    return fn


BASE = """
    def helper(x):
        return x + 1
    def f(x, k=2):
        return helper(x) * k in {1, 2}
"""

SAME = {
    "blank lines": "\n\n\n" + BASE,
    "lines within": BASE.replace("return helper", "\n\n        return helper"),
    "a comment": BASE.replace("return x + 1", "return x + 1  # one more"),
    "a docstring": BASE.replace("return helper", '"""Say what it does."""\n        return helper'),
    "a callee's docstring": BASE.replace("return x + 1", '"""Say."""\n        return x + 1'),
    "annotations": BASE.replace("x, k=2", "x: int, k: int = 2"),
    "an unused neighbour": BASE + "    def other():\n        return 3\n",
    "order of a set": BASE.replace("{1, 2}", "{2, 1}"),
}

DIFFERENT = {
    "a constant": BASE.replace("{1, 2}", "{1, 3}"),
    "a default": BASE.replace("k=2", "k=3"),
    "a callee": BASE.replace("x + 1", "x + 2"),
    "an operator": BASE.replace("* k", "+ k"),
    "a parameter's name": BASE.replace("k", "q"),
    "a type of a constant": BASE.replace("{1, 2}", "{1.0, 2}"),
}


@pytest.mark.parametrize("changed", SAME.values(), ids=SAME.keys())
def test_how_code_is_written_does_not_count(changed: str) -> None:
    assert function_digest(make(changed)) == function_digest(make(BASE))


@pytest.mark.parametrize("changed", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_code_does_counts(changed: str) -> None:
    assert function_digest(make(changed)) != function_digest(make(BASE))


def test_docstrings_of_nested_functions_and_classes_do_not_count() -> None:
    plain = "def f():\n    class A:\n        b = 1\n        def m(self):\n            self.z = 3\n    return A\n"
    told = plain.replace("class A:\n", 'class A:\n        "Say."\n').replace("self):\n", 'self):\n            "S."\n')
    assert function_digest(make(plain)) == function_digest(make("\n\n" + told))
    assert function_digest(make(plain)) != function_digest(make(plain.replace("b = 1", "b = 2")))


def test_a_global_counts_by_its_value() -> None:
    source = "def f():\n    return table\n"
    first = function_digest(make(source, table={"a": {1, "x"}}))
    assert first == function_digest(make(source, table={"a": {"x", 1}}))
    assert first != function_digest(make(source, table={"a": {1, "y"}}))
    assert first == function_digest(make(source, table={"a": {1, "x"}}, unused=3))


def test_a_closure_counts() -> None:
    def add(n: int) -> Callable[[int], int]:
        return lambda x: x + n

    assert function_digest(add(1)) == function_digest(add(1))
    assert function_digest(add(1)) != function_digest(add(2))


def test_attributes_keyword_defaults_and_partials_count() -> None:
    source = "def f(x, *, k={}): return x\nf.unit = {!r}\n"
    assert function_digest(make(source.format(1, "s"))) != function_digest(make(source.format(2, "s")))
    assert function_digest(make(source.format(1, "s"))) != function_digest(make(source.format(1, "m")))
    f = make(BASE)
    assert function_digest(functools.partial(f, 1)) != function_digest(functools.partial(f, 2))
    assert function_digest(functools.partial(f, 1)) == function_digest(functools.partial(make(BASE), 1))


RECURSIVE = """
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    def f(n): return even(n)
"""


def test_mutual_recursion_ends_and_counts() -> None:
    first = function_digest(make(RECURSIVE))
    assert first == function_digest(make("\n" + RECURSIVE))
    assert first != function_digest(make(RECURSIVE.replace("n != 0", "n > 0")))
    assert first != function_digest(make(RECURSIVE.replace("return even(n)", "return odd(n)")))


def test_cycles_differ_in_what_lies_beyond_the_first_step() -> None:
    def ring(*values: object) -> list[object]:
        links: list[list[object]] = [[value] for value in values]
        for link, following in zip(links, [*links[1:], links[0]], strict=True):
            link.append(following)
        return links[0]

    digests = [argument_digest(ring(*values)) for values in ("xab", "xac", "xa", "x", "xb")]
    assert len(set(digests)) == len(digests)
    assert argument_digest(ring(*"xab")) == digests[0]
    assert argument_digest(ring(*"xxx")) == argument_digest(ring("x"))


def test_a_long_chain_needs_no_recursion() -> None:
    chain: list[object] = []
    for number in range(20_000):
        chain = [number, chain]
    assert len(argument_digest(chain)) == 64


CLASSES = """
    class Base:
        def scale(self): return 2
    class Model(Base):
        rate = 1
        def __init__(self, n): self.n = n
        def __call__(self, x): return super().scale() * x
    def f(x): return Model(x)
"""


@pytest.mark.parametrize(
    ("old", "new"), [("rate = 1", "rate = 2"), ("* x", "+ x"), ("return 2", "return 3"), ("Model", "Other")]
)
def test_local_classes_count_by_content_and_name(old: str, new: str) -> None:
    assert function_digest(make(CLASSES)) == function_digest(make("\n\n" + CLASSES))
    assert function_digest(make(CLASSES)) != function_digest(make(CLASSES.replace(old, new)))


def test_methods_and_callable_objects_count_with_their_state() -> None:
    model = make(CLASSES)
    assert function_digest(model(1)) == function_digest(make(CLASSES)(1))
    assert function_digest(model(1)) != function_digest(model(2))
    assert function_digest(model(1).__call__) != function_digest(model(2).__call__)
    assert function_digest([1].append) != function_digest([2].append)
    assert function_digest("a".upper) != function_digest("a".lower)


def test_what_functools_wraps_is_seen_through() -> None:
    source = "import functools\n@functools.{}\ndef f(x): return {}\n"
    digests = {function_digest(make(source.format(how, n))) for how in ("cache", "singledispatch") for n in (1, 2)}
    assert len(digests) == 4
    cached = make(source.format("cache", 1))
    before = function_digest(cached)
    cached(3)
    assert function_digest(cached) == before


def test_functions_of_a_hidden_object_do_not_count_its_state() -> None:
    before = function_digest(random.random), function_digest(random.gauss), function_digest(np.random.rand)
    random.random()
    np.random.rand()  # noqa: NPY002 - its shared state is the point
    assert (
        function_digest(random.random),
        function_digest(random.gauss),
        function_digest(np.random.rand),
    ) == before
    assert function_digest(random.Random(1).random) != function_digest(random.Random(2).random)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


VALUES: dict[str, tuple[object, object]] = {
    "int and float": (1, 1.0),
    "int and bool": (1, True),
    "zeros": (0.0, -0.0),
    "text and bytes": ("a", b"a"),
    "bytes": (b"a", bytearray(b"a")),
    "long texts": ("a" * 100, "a" * 101),
    "list and tuple": ([1], (1,)),
    "nesting": ([[1], 2], [[1, 2]]),
    "concatenation": (["ab", "c"], ["a", "bc"]),
    "dicts": ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    "ordered dicts": (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
    "sets": ({1, 2}, frozenset({1, 2})),
    "counters": (collections.Counter("aab"), collections.Counter("abb")),
    "enum members": (Colour.RED, Colour.BLUE),
    "arrays": (np.arange(4), np.arange(4) + 1),
    "dtypes": (np.zeros(2, "i4"), np.zeros(2, "f4")),
    "byte orders": (np.zeros(2, "<i4"), np.zeros(2, ">i4")),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "empty shapes": (np.zeros((0, 3)), np.zeros((3, 0))),
    "object arrays": (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
    "dates": (np.datetime64("2020"), np.datetime64("2021")),
    "memory views": (memoryview(b"ab"), memoryview(b"ac")),
}


@pytest.mark.parametrize(("one", "other"), VALUES.values(), ids=VALUES.keys())
def test_values_are_told_apart(one: object, other: object) -> None:
    assert argument_digest(one) != argument_digest(other)


def test_order_of_dicts_and_layout_of_arrays_do_not_count() -> None:
    assert argument_digest({"a": 1, "b": [2]}) == argument_digest({"b": [2], "a": 1})
    grid = np.arange(6.0).reshape(2, 3)
    assert argument_digest(grid) == argument_digest(np.asfortranarray(grid))
    assert argument_digest(np.arange(6)[::2]) == argument_digest(np.array([0, 2, 4]))


def test_what_cannot_be_pickled_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(ArgumentNotSerializable, match=r"_thread\.lock.*cannot be pickled"):
        argument_digest([lock])
    with pytest.raises(FunctionNotSerializable, match=r"_thread\.lock.*inside the function"):
        function_digest(lambda: lock)


SCRIPT = """
import functools, helpers, numpy as np, numbers_pkg.deep
from helpers import Point, scale
from random import gauss
WORDS = {"alpha", "beta", "gamma", "delta"}
def f(x):
    from numbers_pkg import late
    return helpers.shift(x), scale(x), Point, np.linalg.norm(x), gauss, x in WORDS, {"p", "q", "r"}, late.y
from wrenml.digest import argument_digest, function_digest
part = functools.partial(scale, WORDS)
print(function_digest(f), function_digest(part), argument_digest([WORDS, Point(1)]))
"""

HELPERS = """
import dataclasses
@dataclasses.dataclass
class Point:
    x: int
    tags: frozenset = frozenset({"a", "b", "c"})
def scale(x): return x * factor
def shift(x): return x in {"one", "two", "three"}
def unused(): return 1
factor = 2
"""


class Project:
    """A folder with a script, a module and a package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "numbers_pkg").mkdir()
        (folder / "installed" / "site-packages" / "heavy-1.0.dist-info").mkdir(parents=True)
        self.write("numbers_pkg/__init__.py", "")
        self.write("numbers_pkg/deep.py", "x = 1\n")
        self.write("numbers_pkg/late.py", "from . import deep\ny = deep.x\n")
        self.write("helpers.py", HELPERS)
        self.write("script.py", SCRIPT)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def release(self, version: str) -> None:
        """Install the distribution `heavy` in a version."""
        site = "installed/site-packages"
        self.write(f"{site}/heavy.py", "def lift(x): return x\n")
        self.write(
            f"{site}/heavy-1.0.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: heavy\nVersion: {version}\n",
        )
        self.write(f"{site}/heavy-1.0.dist-info/RECORD", "heavy.py,,\n")

    def run(self, seed: int = 0) -> list[str]:
        root = Path(__file__).parents[2]
        paths = f"{root}:{self.folder / 'installed' / 'site-packages'}"
        environment = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(
            [sys.executable, "script.py"],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return ran.stdout.split()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_processes_with_different_hash_seeds_agree(project: Project) -> None:
    assert len({tuple(project.run(seed)) for seed in (0, 1, 42)}) == 1


def test_moved_lines_of_script_and_module_do_not_count(project: Project) -> None:
    before = project.run(1)
    project.write("script.py", "\n# moved\n\n" + SCRIPT)
    project.write("helpers.py", '"""Says more now."""\n\n\n' + HELPERS.replace("return 1", "return 2"))
    project.write("numbers_pkg/late.py", '"""Late."""\n\nfrom . import deep\n\ny = deep.x\n')
    assert project.run(2) == before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("helpers.py", "factor = 2", "factor = 3"),
        ("helpers.py", '"three"', '"four"'),
        ("helpers.py", "x: int", "x: int = 4"),
        ("numbers_pkg/late.py", "y = deep.x", "y = deep.x + 1"),
        ("numbers_pkg/deep.py", "x = 1", "x = 2"),
        ("numbers_pkg/__init__.py", "", "import math\n"),
        ("script.py", '"delta"', '"epsilon"'),
    ],
)
def test_local_code_it_names_counts(project: Project, path: str, old: str, new: str) -> None:
    before = project.run()
    text = (project.folder / path).read_text()
    project.write(path, text.replace(old, new, 1))
    assert project.run()[0] != before[0]


def test_versions_of_installed_packages_count(project: Project) -> None:
    project.release("1.0")
    for use in (
        "import heavy\ndef f(x): return heavy.lift(x)\n",
        "from heavy import lift\ndef f(x): return lift(x)\n",
        "def f(x):\n    import heavy\n",
        "import heavy\ndef f(x): return heavy\n",
    ):
        project.write("script.py", use + "from wrenml.digest import function_digest\nprint(function_digest(f))\n")
        project.release("1.0")
        before = project.run()
        assert project.run() == before
        project.release("1.1")
        assert project.run() != before
