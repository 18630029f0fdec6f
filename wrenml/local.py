"""`local_executor`, in a module that loads little: its first worker boots while the rest of the client loads."""

from __future__ import annotations

import os
from typing import Unpack

import wrenml
from wrenml.folders import cache_dir
from wrenml.invoke.starting import begun

__all__ = ["local_executor"]


def local_executor(workers: int | None = None, **options: Unpack[wrenml.MapOptions]) -> wrenml.Executor:
    """An executor that runs calls in worker processes of this machine.

    The first starts at once, the others when there is work for them. Inside a call it is an inline executor: workers
    start no workers.

    Parameters
    ----------
    workers : int, optional
        The most processes at a time. Default: the usable cores.
    **options
        Defaults of every map; see `wrenml.Options`.

    Raises
    ------
    ConfigError
        If an option or a setting has an impossible value.
    NotSupportedError
        On other systems than Linux and macOS.
    """
    with begun(cache_dir(os.environ)) as starter:
        from wrenml.executors import make_local  # noqa: PLC0415  # slow to load: the worker boots meanwhile

        return make_local(workers, options, starter)
