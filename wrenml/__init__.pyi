from wrenml import errors as errors
from wrenml.executor import Executor as Executor
from wrenml.executors import aws_executor as aws_executor
from wrenml.executors import default_executor as default_executor
from wrenml.executors import dummy_executor as dummy_executor
from wrenml.executors import inline_executor as inline_executor
from wrenml.executors import lambda_executor as lambda_executor
from wrenml.futurelist import FutureList as FutureList
from wrenml.futures import Future as Future
from wrenml.local import local_executor as local_executor
from wrenml.options import MapOptions as MapOptions
from wrenml.options import Options as Options
from wrenml.references import Ref as Ref
from wrenml.waiting import ALL_COMPLETED as ALL_COMPLETED
from wrenml.waiting import ALWAYS as ALWAYS
from wrenml.waiting import ANY_COMPLETED as ANY_COMPLETED
from wrenml.waiting import as_completed as as_completed
from wrenml.waiting import get_all_results as get_all_results
from wrenml.waiting import wait as wait

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

__version__: str
