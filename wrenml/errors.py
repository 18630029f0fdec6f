"""Every error wrenml raises on its own account.

::

    WrenmlError
    ├── ConfigError (ValueError)            a setting, option or argument that cannot be meant
    │   └── UnknownOptionError (TypeError)
    ├── DataError (ValueError)              data that is malformed, changed or does not fit together
    ├── StorageError
    │   ├── KeyNotFoundError (FileNotFoundError)
    │   ├── AccessDeniedError (PermissionError)
    │   │   └── CredentialsExpiredError
    │   └── StorageUnavailableError (ConnectionError)
    ├── SerializationError (TypeError, PicklingError)
    │   ├── FunctionNotSerializable
    │   ├── ArgumentNotSerializable
    │   └── ResultNotSerializable
    ├── WireError (ValueError)              bytes that are not what the protocol says
    │   ├── AuthenticationError             a tag or digest that does not match: never unpickled
    │   └── VersionMismatchError            made by another Python, cloudpickle or wrenml
    ├── CallError                           a call that ended without a result of its own
    │   ├── CallTimeout (TimeoutError)
    │   ├── CallExited
    │   ├── CallCancelled (CancelledError)
    │   ├── CostLimitReached
    │   ├── InputFailed
    │   ├── InitializerFailed (BrokenExecutor)
    │   ├── RemoteError                     the user's exception, where it cannot be rebuilt here
    │   └── WorkerLost (BrokenExecutor)
    │       ├── WorkerCrashed
    │       └── WorkerOutOfMemory
    ├── JobBusyError (RuntimeError)
    ├── JobNotFoundError (LookupError)
    ├── ExecutorClosedError (RuntimeError)
    └── NotSupportedError (RuntimeError)

The user's own exceptions are never wrapped: they are raised as their own type.
A class's docstring is its default message.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, CancelledError
from pickle import PicklingError

__all__ = [
    "AccessDeniedError",
    "ArgumentNotSerializable",
    "AuthenticationError",
    "CallCancelled",
    "CallError",
    "CallExited",
    "CallTimeout",
    "ConfigError",
    "CostLimitReached",
    "CredentialsExpiredError",
    "DataError",
    "ExecutorClosedError",
    "FunctionNotSerializable",
    "InitializerFailed",
    "InputFailed",
    "JobBusyError",
    "JobNotFoundError",
    "KeyNotFoundError",
    "NotSupportedError",
    "RemoteError",
    "ResultNotSerializable",
    "SerializationError",
    "StorageError",
    "StorageUnavailableError",
    "UnknownOptionError",
    "VersionMismatchError",
    "WireError",
    "WorkerCrashed",
    "WorkerLost",
    "WorkerOutOfMemory",
    "WrenmlError",
]


class WrenmlError(Exception):
    """Something went wrong in wrenml."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])

    def __str__(self) -> str:
        # Built-in bases such as OSError and KeyError would print the message in their own way.
        return str(self.args[0]) if self.args else ""


class ConfigError(WrenmlError, ValueError):
    """A setting or argument has a value that wrenml cannot use."""


class UnknownOptionError(ConfigError, TypeError):
    """There is no option of that name."""


class DataError(WrenmlError, ValueError):
    """A file or shard of data is not what it should be."""


class StorageError(WrenmlError):
    """The storage did not do what was asked."""


class KeyNotFoundError(StorageError, FileNotFoundError):
    """There is no object under that key."""


class AccessDeniedError(StorageError, PermissionError):
    """The storage refused the request; check the permissions on the folder or bucket."""


class CredentialsExpiredError(AccessDeniedError):
    """The AWS credentials have expired; sign in again."""


class StorageUnavailableError(StorageError, ConnectionError):
    """The storage could not be reached."""


class SerializationError(WrenmlError, TypeError, PicklingError):
    """An object cannot be pickled."""


class FunctionNotSerializable(SerializationError):
    """The function cannot be pickled."""


class ArgumentNotSerializable(SerializationError):
    """An argument cannot be pickled."""


class ResultNotSerializable(SerializationError):
    """The call ran, but its result cannot be pickled."""


class WireError(WrenmlError, ValueError):
    """The bytes are not what wrenml's protocol says they should be."""


class AuthenticationError(WireError):
    """The bytes were changed, truncated or not written by this job's workers; they were not read further."""


class VersionMismatchError(WireError):
    """The other side runs another version of Python, cloudpickle or wrenml."""


class CallError(WrenmlError):
    """The call ended without a result."""


class CallTimeout(CallError, TimeoutError):
    """The call was out of time: it ran longer than its limit."""


class CallExited(CallError):
    """The call ended its process with a non-zero return code.

    Parameters
    ----------
    message : str, optional
        What happened.
    code : int
        The exit code.
    """

    def __init__(self, message: str | None = None, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class CallCancelled(CallError, CancelledError):
    """The call was cancelled."""


class CostLimitReached(CallError):
    """The job has cost what max_cost allows, so the call was not started."""


class InputFailed(CallError):
    """A future given as an argument failed, so the call was not started."""


class InitializerFailed(CallError, BrokenExecutor):
    """The initializer raised in the worker, so the call was not started."""


class RemoteError(CallError):
    """The call raised an exception that cannot be rebuilt in this process; its text follows.

    Parameters
    ----------
    message : str, optional
        The type and text of the original exception.
    type_name : str
        Qualified name of the original type.
    remote_traceback : str
        The traceback as formatted on the worker, cause chain and notes included.
    """

    def __init__(self, message: str | None = None, type_name: str = "", remote_traceback: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.remote_traceback = remote_traceback


class WorkerLost(CallError, BrokenExecutor):
    """The worker ended before the call did."""


class WorkerCrashed(WorkerLost):
    """The worker process was killed while it ran the call.

    Parameters
    ----------
    message : str, optional
        What happened.
    signal : int, optional
        The signal that ended the process, if known.
    """

    def __init__(self, message: str | None = None, signal: int | None = None) -> None:
        super().__init__(message)
        self.signal = signal


class WorkerOutOfMemory(WorkerLost):
    """The call used more memory than the worker has.

    Parameters
    ----------
    message : str, optional
        What happened.
    memory_mb : int, optional
        The limit, MB.
    peak_mb : int, optional
        The most that was seen in use, MB.
    """

    def __init__(self, message: str | None = None, memory_mb: int | None = None, peak_mb: int | None = None) -> None:
        super().__init__(message)
        self.memory_mb = memory_mb
        self.peak_mb = peak_mb


class JobBusyError(WrenmlError, RuntimeError):
    """Another client is running these calls again."""


class JobNotFoundError(WrenmlError, LookupError):
    """There is no job of that id in this storage."""


class ExecutorClosedError(WrenmlError, RuntimeError):
    """The executor has been shut down; make a new one."""


class NotSupportedError(WrenmlError, RuntimeError):
    """This backend or platform cannot do that."""
