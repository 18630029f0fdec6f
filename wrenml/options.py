"""The options of a map: one `TypedDict` for who calls, one frozen record for who reads.

::

    keywords of a map ──▶ MapOptions ─┐
    executor's defaults ──────────────┼─▶ resolve_options ──▶ Options (checked, normalised, frozen)
    environment, files ──▶ config ────┘

A nearer option replaces a farther one whole: the `env` of a map is not merged with the executor's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Final, TypedDict

from wrenml import checks
from wrenml.errors import ConfigError, UnknownOptionError

__all__ = ["ALIASES", "IGNORED", "MapOptions", "Options", "resolve_options"]

ALIASES: Final = {"job_max_runtime": "timeout", "extra_env": "env"}
"""PyWren's name of an option, and ours."""

IGNORED: Final = frozenset(
    {"data_all_as_one", "extra_meta", "invoke_pool_threads", "overwrite_invoke_args", "use_cached_runtime"}
)
"""What PyWren accepts and wrenml has no use for."""

_CONFIG: Final = "config"  # PyWren's whole configuration, of which one entry means something here


_WORKERS = frozenset({"max_workers", "n_jobs", "n_workers", "num_workers", "processes", "workers"})


class MapOptions(TypedDict, total=False):
    """Keywords that `map` and its relatives accept; `Options` says what each means."""

    chunksize: int | None
    retries: int
    retry_on: type[BaseException] | tuple[type[BaseException], ...]
    infra_retries: int
    timeout: float | None
    job_max_runtime: float | None
    name: str | None
    tags: Mapping[str, str] | None
    memory_mb: int | Sequence[int] | None
    max_in_flight: int | None
    max_calls: int
    max_cost: float | None
    dry_run: bool
    seed: int | None
    env: Mapping[str, str] | None
    extra_env: Mapping[str, str] | None
    files: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None
    exclude_modules: str | Iterable[str] | None
    strict: bool
    initializer: Callable[[], object] | None
    finalizer: Callable[[], object] | None
    cache: str | None
    speculate: bool
    progress: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a map was asked to do, checked.

    Parameters
    ----------
    chunksize : int, optional
        Calls an invocation carries. Default: 1; the local backend batches short calls on its own.
    retries : int
        How often a call that raised one of `retry_on` is run again, in place. Default: 0.
    retry_on : type or tuple of types
        Exceptions that are worth another try. Default: ``(Exception,)``.
    infra_retries : int
        How often a call is started again after a lost worker, a throttle or a storage fault. Default: 3.
    timeout : float, optional
        Limit of one call, seconds. Default: the deployed limit; none locally.
    name : str, optional
        Shown everywhere. Default: the function's name.
    tags : mapping of str to str
        Shown everywhere. Default: empty.
    memory_mb : int or sequence of int, optional
        Memory of a worker, MB; several, rising, are tried in turn after running out of memory. Kept as a
        tuple. Default: the deployed size; no limit locally.
    max_in_flight : int, optional
        Most calls under way at a time. Default: the usable concurrency.
    max_calls : int
        A longer map is refused before anything is sent. Default: 100,000.
    max_cost : float, optional
        Dollars; nothing further is submitted once they are spent, and what is left fails with
        `CostLimitReached`. Local calls cost nothing. Default: none.
    dry_run : bool
        Say on standard error what would be sent, and send nothing: every future has failed with
        `CallCancelled`. Default: False.
    seed : int, optional
        0 or more; each call's random state starts from (seed, index). Default: none.
    env : mapping of str to str
        Environment variables of the calls. Default: empty.
    files : path or iterable of paths
        Data files and folders to ship; they must exist. Kept as a tuple of str. Default: empty.
    exclude_modules : str or iterable of str
        Local modules that are not to travel. Kept as a tuple. Default: empty.
    strict : bool
        Several iterables must be of one length. Default: False.
    initializer, finalizer : callable, optional
        Called without arguments once an environment, at its start and its end. Default: none.
    cache : str, optional
        Reuse results of equal calls under this name. Default: none.
    speculate : bool
        Start backup calls for stragglers. Default: False.
    progress : bool, optional
        Show progress. Default: in a terminal or notebook only.

    Raises
    ------
    ConfigError
        A value cannot be meant; the message says which, and what is allowed.
    """

    chunksize: int | None = None
    retries: int = 0
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    infra_retries: int = 3
    timeout: float | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    memory_mb: tuple[int, ...] | None = None
    max_in_flight: int | None = None
    max_calls: int = 100_000
    max_cost: float | None = None
    dry_run: bool = False
    seed: int | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[str, ...] = ()
    exclude_modules: tuple[str, ...] = ()
    strict: bool = False
    initializer: Callable[[], object] | None = None
    finalizer: Callable[[], object] | None = None
    cache: str | None = None
    speculate: bool = False
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is not _DEFAULT_VALUES[name]:
                object.__setattr__(self, name, check(name, value))

    def __repr__(self) -> str:
        # An option left alone says nothing, and the values of `env` may be secrets.
        changed = [
            f"{one.name}={'…' if one.name == 'env' else repr(getattr(self, one.name))}"
            for one in fields(self)
            if getattr(self, one.name) != getattr(_DEFAULTS, one.name)
        ]
        return f"Options({', '.join(changed)})"


def resolve_options(given: Mapping[str, object], *, base: Options | None = None) -> Options:
    """Lay the options of one map over an executor's defaults.

    Parameters
    ----------
    given : mapping of str to object
        Options by name, PyWren's names included.
    base : Options, optional
        What holds for names not given. Default: the defaults of `Options`.

    Returns
    -------
    Options
        `base` itself where nothing is given.

    Raises
    ------
    UnknownOptionError
        There is no option of that name; the nearest one is suggested.
    ConfigError
        A value cannot be meant, or an option stands there twice, under our name and PyWren's.
    """
    if base is None:
        base = _DEFAULTS
    if not given:
        return base
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in _CHECKS:
            known = name
        elif name in ALIASES:
            known = ALIASES[name]
            if known in given:
                raise ConfigError(f"{name}= is PyWren's name for {known}=: give only one of them.")
        elif name in IGNORED:
            _tell_ignored(f"{name}=")
            continue
        elif name == _CONFIG:
            values |= {} if value is None else _from_config(value)
            continue
        elif name in _WORKERS:
            raise UnknownOptionError(
                f"There is no option {name!r}; how many workers there are is the executor's: local_executor(workers=…)."
            )
        else:
            raise UnknownOptionError(f"There is no option {name!r}{checks.suggestion(name, [*_CHECKS, *ALIASES])}")
        values[known] = value
    return replace(base, **values) if values else base


def _from_config(config: object) -> dict[str, Any]:
    if not isinstance(config, Mapping):
        raise checks.wrong(_CONFIG, config, "PyWren's configuration as a dict, or None")
    _tell_ignored(_CONFIG + " (all of it but scheduler.map_item_limit)")
    scheduler = config.get("scheduler")
    limit = scheduler.get("map_item_limit") if isinstance(scheduler, Mapping) else None
    return {} if limit is None else {"max_calls": limit}


@cache
def _tell_ignored(name: str) -> None:
    import logging  # noqa: PLC0415 - slow to import, rarely needed

    logging.getLogger("wrenml").warning("%s is an option of PyWren that wrenml has no use for: ignored.", name)


_CHECKS: Final[dict[str, checks.Check]] = {
    "chunksize": checks.optional(checks.whole(1)),
    "retries": checks.whole(0),
    "retry_on": checks.exceptions,
    "infra_retries": checks.whole(0),
    "timeout": checks.optional(checks.positive),
    "name": checks.optional(checks.line),
    "tags": checks.texts,
    "memory_mb": checks.optional(checks.memory),
    "max_in_flight": checks.optional(checks.whole(1)),
    "max_calls": checks.whole(1),
    "max_cost": checks.optional(checks.positive),
    "dry_run": checks.flag,
    "seed": checks.optional(checks.whole(0)),
    "env": checks.environment,
    "files": checks.paths,
    "exclude_modules": checks.modules,
    "strict": checks.flag,
    "initializer": checks.optional(checks.called),
    "finalizer": checks.optional(checks.called),
    "cache": checks.optional(checks.safe_name),
    "speculate": checks.flag,
    "progress": checks.optional(checks.flag),
}
_DEFAULT_VALUES: Final = {one.name: one.default for one in fields(Options)}
_DEFAULTS: Final = Options()
