from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wrenml.errors import ConfigError, UnknownOptionError
from wrenml.options import ALIASES, IGNORED, MapOptions, Options, resolve_options


def test_the_defaults_are_those_of_the_table() -> None:
    options = Options()
    assert (options.chunksize, options.retries, options.retry_on, options.infra_retries) == (
        None,
        0,
        (Exception,),
        3,
    )
    assert (options.timeout, options.name, options.tags, options.memory_mb) == (None, None, {}, None)
    assert (options.max_in_flight, options.max_calls, options.max_cost, options.dry_run) == (
        None,
        100_000,
        None,
        False,
    )
    assert (options.seed, options.env, options.files, options.exclude_modules) == (None, {}, (), ())
    assert (options.strict, options.initializer, options.finalizer, options.cache) == (
        False,
        None,
        None,
        None,
    )
    assert (options.speculate, options.progress) == (False, None)


def test_every_option_has_a_keyword_and_every_keyword_an_option() -> None:
    assert set(MapOptions.__annotations__) - set(ALIASES) == set(Options.__slots__)


def test_nothing_given_is_the_base_itself() -> None:
    base = Options(retries=2)
    assert resolve_options({}, base=base) is base
    assert resolve_options({}) is resolve_options({})


def test_given_options_lie_over_the_base_and_leave_it_alone() -> None:
    base = Options(retries=2, env={"A": "1", "B": "2"})
    options = resolve_options({"timeout": 5, "env": {"A": "3"}}, base=base)
    assert (options.retries, options.timeout, options.env) == (2, 5.0, {"A": "3"})
    assert (base.timeout, base.env) == (None, {"A": "1", "B": "2"})


def test_options_keep_their_own_copy_of_what_was_given() -> None:
    env = {"A": "1"}
    options = Options(env=env)
    env["A"] = "2"
    assert options.env == {"A": "1"}


def test_values_come_back_in_their_normal_form(tmp_path: Path) -> None:
    options = resolve_options(
        {
            "chunksize": np.int64(4),
            "timeout": np.float32(2),
            "memory_mb": 512,
            "retry_on": OSError,
            "files": tmp_path,
            "exclude_modules": "package.module",
            "tags": None,
            "env": None,
        }
    )
    assert (options.chunksize, type(options.chunksize)) == (4, int)
    assert (options.timeout, type(options.timeout)) == (2.0, float)
    assert (options.memory_mb, options.retry_on) == ((512,), (OSError,))
    assert (options.files, options.exclude_modules) == ((str(tmp_path),), ("package.module",))
    assert (options.tags, options.env) == ({}, {})
    assert Options(memory_mb=(512, 1024)).memory_mb == resolve_options({"memory_mb": [512, 1024]}).memory_mb


WRONG: list[tuple[str, object, str]] = [
    ("chunksize", 0, r"chunksize=0 .*1 or more"),
    ("chunksize", 1.5, "whole number"),
    ("chunksize", True, "whole number"),
    ("retries", "3", "retries='3' .*whole number, 0 or more"),
    ("retries", None, "whole number"),
    ("retry_on", ValueError("x"), "an exception class or a tuple"),
    ("retry_on", (ValueError, int), "an exception class or a tuple"),
    ("infra_retries", -1, "0 or more"),
    ("timeout", -1, "timeout=-1 .*above 0"),
    ("timeout", 0, "above 0"),
    ("timeout", "5", "above 0"),
    ("timeout", float("nan"), "above 0"),
    ("timeout", float("inf"), "above 0"),
    ("timeout", 10**400, "above 0"),
    ("name", "", "not empty"),
    ("name", "two\nlines", "one line"),
    ("tags", ["a"], "a dict of texts"),
    ("tags", {"a": 1}, "'a' of type int"),
    ("memory_mb", [], "rising list"),
    ("memory_mb", [1024, 512], "rising list"),
    ("memory_mb", "512", "whole number"),
    ("max_in_flight", 0, "1 or more"),
    ("max_calls", 0, "1 or more"),
    ("max_cost", 0, "above 0"),
    ("dry_run", 1, "True or False"),
    ("seed", -1, "0 or more"),
    ("env", {"A": 1}, "'A' of type int"),
    ("env", {"A=B": "1"}, "no environment can hold"),
    ("env", {"A": "\0"}, "no environment can hold"),
    ("files", 3, "a path or several"),
    ("files", {"a": "b"}, "a path or several"),
    ("files", [b"a"], "a path or several"),
    ("files", "no/such/file", r"'no/such/file', which does not exist"),
    ("exclude_modules", ["a-b"], "a module's name"),
    ("strict", "yes", "True or False"),
    ("initializer", 3, "a function"),
    ("finalizer", "print", "a function"),
    ("cache", "../other", "a name of letters"),
    ("cache", True, "a name of letters"),
    ("speculate", None, "True or False"),
    ("progress", "no", "True or False"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_what_cannot_be_meant_is_refused_at_once(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_options({name: value})
    assert name in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_secret_is_shown_neither_in_errors_nor_in_reprs() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_options({"env": {"TOKEN": "s3cret\0"}})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        resolve_options({"env": {"TOKEN": b"s3cret"}})
    assert "s3cret" not in str(caught.value)
    assert repr(Options(env={"TOKEN": "s3cret"}, retries=1)) == "Options(retries=1, env=…)"


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_options({"retries": "3" * 100_000})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("written", "meant"),
    [("chunk_size", "chunksize"), ("retrys", "retries"), ("time_out", "timeout"), ("extraenv", "extra_env")],
)
def test_a_misspelt_name_gets_a_suggestion(written: str, meant: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"{written!r}; did you mean {meant!r}") as caught:
        resolve_options({written: 1})
    assert isinstance(caught.value, TypeError)


def test_a_name_like_no_other_gets_all_names() -> None:
    with pytest.raises(UnknownOptionError, match=r"'zzz'; there are cache, chunksize, .*timeout\.$"):
        resolve_options({"zzz": 1})


def test_pywrens_names_mean_ours() -> None:
    options = resolve_options({"job_max_runtime": 60, "extra_env": {"A": "1"}})
    assert (options.timeout, options.env) == (60.0, {"A": "1"})


@pytest.mark.parametrize(("theirs", "ours"), ALIASES.items())
def test_both_names_of_one_option_are_refused(theirs: str, ours: str) -> None:
    with pytest.raises(ConfigError, match=f"{theirs}= is PyWren's name for {ours}=: give only one"):
        resolve_options({theirs: None, ours: None})


def test_pywrens_other_options_are_ignored_and_said_once() -> None:
    program = (
        "import logging\nlogging.basicConfig(format='%(name)s %(message)s')\n"
        "from wrenml.options import IGNORED, Options, resolve_options\n"
        "base = Options()\n"
        "given = dict.fromkeys(sorted(IGNORED), 64)\n"
        "for _ in range(2):\n    assert resolve_options(given, base=base) is base\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = ran.stderr.splitlines()
    assert [line.split("=")[0] for line in lines] == [f"wrenml {name}" for name in sorted(IGNORED)]


def test_options_travel_and_are_equal_by_value() -> None:
    options = Options(retries=2, env={"A": "1"}, retry_on=(OSError,))
    assert pickle.loads(pickle.dumps(options)) == options


@pytest.mark.parametrize("name", ["retries", "retriez"])
def test_options_are_frozen(name: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(Options(), name, 3)
