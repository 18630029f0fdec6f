"""Map Python functions and scikit-learn work over local processes or AWS Lambda."""

from __future__ import annotations

import importlib

__all__ = [
    "ALL_COMPLETED",
    "ALWAYS",
    "ANY_COMPLETED",
    "Executor",
    "Future",
    "FutureList",
    "MapOptions",
    "Options",
    "Ref",
    "__version__",
    "as_completed",
    "aws_executor",
    "default_executor",
    "dummy_executor",
    "errors",
    "get_all_results",
    "inline_executor",
    "lambda_executor",
    "local_executor",
    "wait",
]

__version__ = "0.1.0"

_HOMES = {
    "ALL_COMPLETED": "waiting",
    "ALWAYS": "waiting",
    "ANY_COMPLETED": "waiting",
    "Executor": "executor",
    "Future": "futures",
    "FutureList": "futurelist",
    "MapOptions": "options",
    "Options": "options",
    "Ref": "references",
    "as_completed": "waiting",
    "aws_executor": "executors",
    "default_executor": "executors",
    "dummy_executor": "executors",
    "get_all_results": "waiting",
    "inline_executor": "executors",
    "lambda_executor": "executors",
    "local_executor": "local",
    "wait": "waiting",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("wrenml.errors")
    if name == "wren":  # the module that PyWren's documentation gives for all of these names
        return importlib.import_module(__name__)
    home = _HOMES.get(name)
    if home is None:
        why = importlib.import_module("wrenml.compat").ABSENT.get(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f": {why}" if why else ""))
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
