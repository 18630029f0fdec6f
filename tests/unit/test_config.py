from __future__ import annotations

from pathlib import Path

import pytest

from wrenml.config import Settings, load_settings, root_key_path
from wrenml.errors import ConfigError, UnknownOptionError
from wrenml.folders import cache_dir, config_dir
from wrenml.options import Options


class Machine:
    """A home and a project folder of their own, and an environment."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        self.cwd = self.project / "deep" / "down"
        self.cwd.mkdir(parents=True)
        (self.home / ".config" / "wrenml").mkdir(parents=True)
        self.user_file = self.home / ".config" / "wrenml" / "config.toml"
        self.project_file = self.project / "pyproject.toml"
        # Whatever lies above the test's own folder must not be found.
        self.project_file.write_text("")

    def load(self, **environ: str) -> Settings:
        return load_settings({"HOME": str(self.home), **environ}, str(self.cwd))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_set_is_the_local_backend(machine: Machine) -> None:
    assert machine.load() == Settings(
        backend="local",
        why="the default",
        stack="wrenml",
        region=None,
        profile=None,
        workers=None,
        options=Options(),
        cache_dir=str(machine.home / ".cache" / "wrenml"),
        config_dir=str(machine.home / ".config" / "wrenml"),
    )


def test_credentials_alone_never_mean_aws(machine: Machine) -> None:
    assert machine.load(AWS_ACCESS_KEY_ID="x", AWS_PROFILE="y", AWS_REGION="z").backend == "local"


def test_the_nearest_place_decides_and_is_named(machine: Machine) -> None:
    machine.user_file.write_text('backend = "aws"\nretries = 1\nchunksize = 7\nstack = "mine"\n')
    assert (machine.load().backend, machine.load().why) == ("aws", str(machine.user_file))
    machine.project_file.write_text('[tool.wrenml]\nbackend = "local"\nretries = 2\n')
    assert (machine.load().backend, machine.load().why) == (
        "local",
        f"[tool.wrenml] in {machine.project_file}",
    )
    settings = machine.load(WRENML_BACKEND="inline", WRENML_RETRIES="3")
    assert (settings.backend, settings.why) == ("inline", "WRENML_BACKEND")
    assert (settings.options.retries, settings.options.chunksize, settings.stack) == (3, 7, "mine")


def test_only_the_nearest_pyproject_counts(machine: Machine) -> None:
    machine.project_file.write_text("[tool.wrenml]\nretries = 2\n")
    (machine.cwd / "pyproject.toml").write_text("[tool.other]\n")
    assert machine.load().options.retries == 0


def test_every_option_that_is_no_code_can_be_set_by_variable(machine: Machine) -> None:
    (machine.cwd / "data").mkdir()
    settings = machine.load(
        WRENML_STACK="other",
        WRENML_WORKERS="3",
        WRENML_CHUNKSIZE="4",
        WRENML_RETRIES="1",
        WRENML_INFRA_RETRIES="2",
        WRENML_TIMEOUT="1.5",
        WRENML_NAME="sweep",
        WRENML_TAGS="team=a, run=7",
        WRENML_MEMORY_MB="512,1024",
        WRENML_MAX_IN_FLIGHT="5",
        WRENML_MAX_CALLS="6",
        WRENML_MAX_COST="0.5",
        WRENML_DRY_RUN="true",
        WRENML_SEED="0",
        WRENML_ENV="A=1,B=x=y",
        WRENML_FILES="data",
        WRENML_EXCLUDE_MODULES="a, b.c",
        WRENML_STRICT="on",
        WRENML_CACHE="sweep",
        WRENML_SPECULATE="1",
        WRENML_PROGRESS="0",
    )
    assert (settings.stack, settings.workers) == ("other", 3)
    assert settings.options == Options(
        chunksize=4,
        retries=1,
        infra_retries=2,
        timeout=1.5,
        name="sweep",
        tags={"team": "a", "run": "7"},
        memory_mb=(512, 1024),
        max_in_flight=5,
        max_calls=6,
        max_cost=0.5,
        dry_run=True,
        seed=0,
        env={"A": "1", "B": "x=y"},
        files=(str(machine.cwd / "data"),),
        exclude_modules=("a", "b.c"),
        strict=True,
        cache="sweep",
        speculate=True,
        progress=False,
    )


def test_files_are_found_from_the_file_that_names_them(machine: Machine) -> None:
    (machine.project / "data.csv").write_text("1")
    machine.project_file.write_text('[tool.wrenml]\nfiles = ["data.csv"]\n')
    assert machine.load().options.files == (str(machine.project / "data.csv"),)


def test_an_empty_variable_and_a_foreign_one_say_nothing(machine: Machine) -> None:
    assert machine.load(WRENML_RETRIES="", WRENML_PYTHON="python3", WRENML_SOMETHING="1").options == Options()


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("WRENML_BACKEND", "gcp", "'inline', 'local' or 'aws'"),
        ("WRENML_STACK", "../x", "a letter first"),
        ("WRENML_REGION", "Ireland", "an AWS region"),
        ("WRENML_WORKERS", "0", "1 or more"),
        ("WRENML_CHUNKSIZE", "many", "a whole number"),
        ("WRENML_CHUNKSIZE", "0", "1 or more"),
        ("WRENML_TIMEOUT", "soon", "a number"),
        ("WRENML_STRICT", "maybe", "1 or 0"),
        ("WRENML_ENV", "A", "NAME=value"),
        ("WRENML_FILES", "nowhere", "does not exist"),
        ("WRENML_INITIALIZER", "f", "initializer is code"),
        ("WRENML_RETRY_ON", "OSError", "retry_on is code"),
        ("WRENML_CHUNK_SIZE", "3", "did you mean WRENML_CHUNKSIZE"),
    ],
)
def test_a_wrong_variable_is_named(machine: Machine, variable: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        machine.load(**{variable: text})
    assert variable in str(caught.value)


def test_the_text_of_a_wrong_env_variable_stays_out_of_the_message(machine: Machine) -> None:
    with pytest.raises(ConfigError) as caught:
        machine.load(WRENML_ENV="s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chunksize = 0", "chunksize=0 .*1 or more"),
        ('retries = "3"', "retries='3'"),
        ("files = 3", "a path or several"),
        ("root_key = 'x'", "'root_key': files set neither keys nor code"),
        ("initializer = 'f'", "'initializer': files set neither keys nor code"),
        ("retry_on = 'f'", "'retry_on': files set neither keys nor code"),
        ("env = {LD_PRELOAD = 'x'}", "LD_PRELOAD .*load code"),
        ("env = {PYTHONPATH = 'x'}", "PYTHONPATH .*load code"),
        ("chunk_size = 3", "'chunk_size', which is no setting; did you mean 'chunksize'"),
        ("backend = ['aws']", "'inline', 'local' or 'aws'"),
    ],
)
@pytest.mark.parametrize("place", ["project", "user"])
def test_a_wrong_key_in_a_file_is_named_with_its_file(machine: Machine, place: str, line: str, message: str) -> None:
    file = machine.project_file if place == "project" else machine.user_file
    file.write_text(("[tool.wrenml]\n" if place == "project" else "") + line + "\n")
    with pytest.raises(ConfigError, match=message) as caught:
        machine.load()
    assert str(file) in str(caught.value)


def test_an_unknown_key_is_an_unknown_option(machine: Machine) -> None:
    machine.user_file.write_text("chunk_size = 3\n")
    with pytest.raises(UnknownOptionError):
        machine.load()


@pytest.mark.parametrize("content", [b"[tool.wrenml", b"name = '\xff'", b"tool = {wrenml = 3}"])
def test_a_broken_file_is_named(machine: Machine, content: bytes) -> None:
    machine.project_file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        machine.load()
    assert str(machine.project_file) in str(caught.value)


def test_xdg_variables_are_honoured_where_they_are_absolute() -> None:
    environ = {"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/mine", "XDG_CACHE_HOME": "relative"}
    assert config_dir(environ) == "/etc/mine/wrenml"
    assert cache_dir(environ) == "/home/me/.cache/wrenml"


def test_keys_have_plain_names() -> None:
    environ = {"HOME": "/home/me"}
    assert root_key_path(environ) == "/home/me/.config/wrenml/keys/local"
    assert root_key_path(environ, "123-eu-west-1-wrenml") == "/home/me/.config/wrenml/keys/123-eu-west-1-wrenml"
    with pytest.raises(ConfigError):
        root_key_path(environ, "../../x")
