"""Making executors: which backend, from which settings."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Unpack, cast

import wrenml
from wrenml.config import Settings, load_settings, root_key_path
from wrenml.cpus import usable_cpus
from wrenml.errors import ConfigError, NotSupportedError
from wrenml.folders import working_dir
from wrenml.invoke.starting import Starter, begun
from wrenml.options import MapOptions, Options, resolve_options
from wrenml.rootkey import load_root_key
from wrenml.worker import context

__all__ = [
    "aws_executor",
    "default_executor",
    "dummy_executor",
    "inline_executor",
    "lambda_executor",
    "make_local",
    "reopened_future",
]

_shared: dict[object, wrenml.Executor] = {}
_lock = threading.Lock()


def inline_executor(**options: Unpack[MapOptions]) -> wrenml.Executor:
    """An executor that runs calls in this process, one after another, so that a debugger works in them.

    Parameters
    ----------
    **options
        Defaults of every map; see `wrenml.Options`.
    """
    return _inline(_given(options))


def _inline(options: Options) -> wrenml.Executor:
    from wrenml.assembly import inline  # noqa: PLC0415  # loads the whole client: see _local

    return inline(options, (_inline, (options,)), reopened_future)


def make_local(workers: int | None, options: MapOptions, starter: Starter | None) -> wrenml.Executor:
    """Make the executor of `wrenml.local_executor`; the starter is where its first worker boots, or None in a call.

    Raises
    ------
    ConfigError, NotSupportedError
        As `wrenml.local_executor`.
    """
    if workers is not None and (type(workers) is not int or workers < 1):
        raise ConfigError(f"workers={workers!r}: give 1 or more, or None for one for each usable core")
    return _local(workers, _given(options), _settings().cache_dir, starter)


def _local(workers: int | None, options: Options, folder: str, starter: Starter | None = None) -> wrenml.Executor:
    if context.current() is not None:
        return _nested(options)
    if sys.platform not in ("linux", "darwin"):
        raise NotSupportedError(
            f"local workers need Linux or macOS, this is {sys.platform}; inline_executor() runs calls in this process"
        )
    root = load_root_key(root_key_path(os.environ, "local"))
    starter = starter or Starter(folder)
    from wrenml.assembly import local  # noqa: PLC0415  # slow to load: a first worker boots meanwhile

    remake = (_local, (workers, options, folder))
    return local(folder, root, starter, workers or usable_cpus(), options, remake, reopened_future)


def _nested(options: Options) -> wrenml.Executor:
    here = context.current()
    # Maps in maps are calls too, of the same output.
    if here is not None and here.depth == 1 and here.said != here.call:
        here.said = here.call
        sys.stderr.write("wrenml: inside a call maps run inline, one element after another\n")
    return _inline(options)


def default_executor(**options: Unpack[MapOptions]) -> wrenml.Executor:
    """The executor that the settings name; the same one each time, until it is shut down.

    Inside a call: inline. Otherwise ``WRENML_BACKEND`` (``inline``, ``local`` or ``aws``), then ``[tool.wrenml]`` in
    the nearest ``pyproject.toml``, then the user's configuration file, then local.

    Parameters
    ----------
    **options
        Defaults of every map, over those of the settings; see `wrenml.Options`.

    Raises
    ------
    ConfigError
        If a setting has an impossible value; the message names file and key.
    """
    if context.current() is not None:
        return _nested(_given(options))
    settings = _settings()
    resolved = resolve_options(cast("Mapping[str, object]", options), base=settings.options)
    place = (settings.stack, settings.region, settings.profile) if settings.backend == "aws" else settings.cache_dir
    key = (settings.backend, settings.workers, place, os.getpid(), repr(options))
    with _lock:
        executor = _shared.get(key)
        if executor is None or executor.closed:
            executor = _shared[key] = _from(settings, resolved)
            from wrenml.observe import say_backend  # noqa: PLC0415  # loads part of the client: see _local

            say_backend(os.environ, settings.backend, settings.why, executor.session.workers)
    return executor


def _from(settings: Settings, options: Options) -> wrenml.Executor:
    if settings.backend == "inline":
        return _inline(options)
    if settings.backend == "local":
        with begun(settings.cache_dir) as starter:
            return _local(settings.workers, options, settings.cache_dir, starter)
    return _aws(settings.stack, settings.region, settings.profile, options)


def aws_executor(
    stack: str | None = None, *, region: str | None = None, profile: str | None = None, **options: Unpack[MapOptions]
) -> wrenml.Executor:
    """An executor that runs calls on AWS Lambda, each element of a map an invocation.

    Inside a call, it runs calls in that call's process.

    Parameters
    ----------
    stack : str, optional
        What ``wrenml deploy`` has deployed. Default: as the settings say, or ``"wrenml"``.
    region : str, optional
        The AWS region. Default: as the settings or AWS's own configuration say.
    profile : str, optional
        A profile of AWS's own configuration, for credentials. Default: as for every AWS tool.
    **options
        Defaults of every map; see `wrenml.Options`.

    Raises
    ------
    ConfigError
        If there is no such stack.
    VersionMismatchError
        If it was deployed for another Python.
    AccessDeniedError
        If there are no credentials, or these may not read the stack's records.
    """
    settings = _settings()
    place = (stack or settings.stack, region or settings.region, profile or settings.profile)
    return _aws(*place, _given(options))


def _aws(stack: str, region: str | None, profile: str | None, options: Options) -> wrenml.Executor:
    if context.current() is not None:
        return _nested(options)
    from wrenml.aws.session import Session  # noqa: PLC0415  # only where AWS is used
    from wrenml.cloud import on_aws  # noqa: PLC0415  # loads the whole client: see _local

    remake = (_aws, (stack, region, profile, options))
    return on_aws(stack, Session(profile=profile, region=region), options, remake, reopened_future)


def lambda_executor(config: Mapping[str, object] | None = None, **options: Unpack[MapOptions]) -> wrenml.Executor:
    """PyWren's name for `aws_executor`.

    Parameters
    ----------
    config : mapping, optional
        PyWren's configuration, of which ``scheduler.map_item_limit`` counts.
    **options
        Defaults of every map; see `wrenml.Options`.
    """
    return aws_executor(**_pywrens(config, options))


def dummy_executor(config: Mapping[str, object] | None = None, **options: Unpack[MapOptions]) -> wrenml.Executor:
    """PyWren's name for `inline_executor`.

    Parameters
    ----------
    config : mapping, optional
        PyWren's configuration, of which ``scheduler.map_item_limit`` counts.
    **options
        Defaults of every map; see `wrenml.Options`. A limit, `job_max_runtime`, means nothing inline.
    """
    return inline_executor(**_pywrens(config, options))


def _pywrens(config: Mapping[str, object] | None, options: Mapping[str, object]) -> MapOptions:
    return cast("MapOptions", {**options, "config": config})


def reopened_future(url: str, job: str, call: int) -> wrenml.Future[Any]:
    """Make a pickled future again: called by pickle in the process that reads it.

    Parameters
    ----------
    url : str
        Of the storage.
    job : str
        Job id.
    call : int
        Number of the call.

    Raises
    ------
    JobNotFoundError, AuthenticationError
        As `Executor.attach`.
    NotSupportedError
        If the storage is not one of local files.
    """
    from wrenml.assembly import reopened, session_on  # noqa: PLC0415  # loads the whole client: see _local

    with _lock:
        session = session_on(url)
        if session is None:
            settings = _settings()
            if url.startswith("file://"):
                _shared[url] = _local(None, Options(), url.removeprefix("file://"))
            elif url.startswith("s3://"):
                _shared[url] = _aws(settings.stack, settings.region, settings.profile, settings.options)
            else:
                raise NotSupportedError(f"a future in {url} can be read in the process that made it only")
            session = _shared[url].session
            if session.storage.url != url:
                raise ConfigError(
                    f"the future lies in {url}, but the stack {settings.stack!r} of the settings keeps its jobs in "
                    f"{session.storage.url}; name the future's stack (WRENML_STACK)"
                )
    return reopened(session, job, call)


def _settings() -> Settings:
    return load_settings(os.environ, working_dir())


def _given(options: MapOptions) -> Options:
    return resolve_options(cast("Mapping[str, object]", options), base=_settings().options)
