"""How the process of an environment is started: its command, its variables and its folders."""

from __future__ import annotations

import itertools
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wrenml.testing.emulator.execution import jail
from wrenml.testing.emulator.execution.interpreters import Interpreter, find_interpreter, make_runtime
from wrenml.testing.emulator.functions import FunctionVersion

__all__ = ["Credentials", "Launch", "Launcher", "can_jail"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an environment signs its requests with: temporary keys of the function's role."""

    access_key: str
    secret_key: str
    session_token: str

    def variables(self) -> dict[str, str]:
        """Return them as Lambda hands them over."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start, and the folder that is to be removed after it, if there is one."""

    argv: Sequence[str]
    cwd: Path
    variables: Mapping[str, str]
    scratch: Path | None = None


@dataclass(frozen=True, slots=True)
class _Jail:
    """What `jail` is told, in its order."""

    argv: list[str]
    task: str
    runtime: str
    layers: dict[str, str]
    stage: str
    keep: list[str]
    writable: list[str]
    hide: list[str]
    tmp_mb: int

    def command(self) -> list[str]:
        spec = tuple(getattr(self, name) for name in self.__slots__)
        text = marshal.dumps(spec, 2).hex()
        return [getattr(sys, "_base_executable", sys.executable), "-I", "-S", str(jail.__file__), text]


@cache
def can_jail() -> bool:
    """Whether this user may make mount namespaces here, so that environments have the folders they have on Lambda."""
    if not sys.platform.startswith("linux"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = _Jail(["/bin/true"], folder, folder, {}, folder, [], [], [], 1).command()
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Launcher:
    """Says how environments are started.

    Parameters
    ----------
    folder : Path
        For what they need while they live.
    variables : mapping of str to str
        What every environment has besides Lambda's own variables, such as ``AWS_ENDPOINT_URL``.
    jailed : bool
        Whether each has folders of its own: see `can_jail`.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str], *, jailed: bool) -> None:
        self.jailed = jailed
        self._folder = folder
        self._variables = variables
        self._runtimes: dict[str, Path] = {}
        self._merged: dict[tuple[Path, ...], Path] = {}
        self._names = itertools.count()
        self._stage = folder / "empty"
        self._stage.mkdir(exist_ok=True)

    def launch(self, version: FunctionVersion, own: Mapping[str, str], credentials: Credentials) -> Launch:
        """Describe a process of a function version.

        Parameters
        ----------
        version : FunctionVersion
            What it runs.
        own : mapping of str to str
            Variables of this environment: the address of its Runtime API, its log stream.
        credentials : Credentials
            Its role's.

        Raises
        ------
        ConfigError
            If its Python is not on this machine.
        """
        interpreter = find_interpreter(version.python)
        runtime = self._runtime(version.python, interpreter)
        program = [interpreter.base if version.isolated else interpreter.executable]
        variables = {
            **_defaults(interpreter),
            **self._variables,
            **version.environment,
            **_reserved(version),
            **credentials.variables(),
            **own,
        }
        if self.jailed:
            variables |= {"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
            argv = self._jail(version, interpreter, runtime, [*program, "/var/runtime/bootstrap.py"]).command()
            scratch = None
        else:
            scratch = self._folder / f"environment-{next(self._names)}"
            scratch.mkdir()
            argv = [*program, str(runtime / "bootstrap.py")]
            variables |= {"LAMBDA_TASK_ROOT": str(version.package), "LAMBDA_RUNTIME_DIR": str(runtime)}
            variables |= {"TMPDIR": str(scratch), "WRENML_LAYERS": str(self._layers(version) or "/opt")}
        variables.setdefault("PYTHONPATH", variables["LAMBDA_RUNTIME_DIR"])
        return Launch(argv, version.package, variables, scratch)

    def _runtime(self, python: str, interpreter: Interpreter) -> Path:
        if python not in self._runtimes:
            self._runtimes[python] = make_runtime(interpreter, self._folder / f"runtime-{python}")
        return self._runtimes[python]

    def _jail(self, version: FunctionVersion, interpreter: Interpreter, runtime: Path, argv: list[str]) -> _Jail:
        layers = self._layers(version)
        links = (path.resolve() for path in version.package.iterdir() if path.is_symlink())
        needed = [*interpreter.prefixes, *interpreter.modules.values(), *map(str, links)]
        return _Jail(
            argv=argv,
            task=str(version.package),
            runtime=str(runtime),
            layers={path.name: str(path) for path in layers.iterdir()} if layers else {},
            stage=str(self._stage),
            keep=_outermost(path for path in needed if path.startswith("/tmp/")),  # noqa: S108 - what is hidden
            writable=[str(path.resolve()) for path in version.writable],
            hide=list(interpreter.hidden) if version.isolated else [],
            tmp_mb=version.ephemeral_mb,
        )

    def _layers(self, version: FunctionVersion) -> Path | None:
        """Return the folder in which a version's layers are one."""
        if len(version.layers) <= 1:
            return version.layers[0] if version.layers else None
        if version.layers not in self._merged:
            folder = self._folder / f"layers-{len(self._merged)}"
            for layer in version.layers:
                shutil.copytree(layer, folder, symlinks=True, dirs_exist_ok=True)
            self._merged[version.layers] = folder
        return self._merged[version.layers]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that are in none of the others."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not found or not path.startswith(found[-1] + os.sep):
            found.append(path)
    return found


def _defaults(interpreter: Interpreter) -> dict[str, str]:
    """Return the variables that a function may set itself."""
    library, programs = f"{interpreter.prefixes[0]}/lib", os.path.dirname(interpreter.base)
    return {
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{library}:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "TZ": ":UTC",
    }


def _reserved(version: FunctionVersion) -> dict[str, str]:
    """Return the variables that Lambda sets, whatever the function says."""
    return {
        "_HANDLER": version.handler,
        "AWS_DEFAULT_REGION": version.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version.python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": version.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group or f"/aws/lambda/{version.name}",
        "AWS_REGION": version.region,
    }
