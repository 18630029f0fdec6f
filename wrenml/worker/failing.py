"""How a call's exception becomes the text and body of its outcome."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from wrenml.errors import CallExited, WrenmlError
from wrenml.failures import describe

__all__ = ["explain"]

_SHARING = {"multiprocessing.synchronize", "multiprocessing.shared_memory", "multiprocessing.heap"}


def explain(error: BaseException, argument: str | None = None) -> tuple[dict[str, object], bytes]:
    """Describe an exception as JSON-able text, and pickle it.

    Parameters
    ----------
    error : BaseException
        Raised by the user's code, or by wrenml on its behalf.
    argument : str, optional
        Short repr of the call's argument.
    """
    if isinstance(error, SystemExit | KeyboardInterrupt):
        error = _exited(error)
    elif isinstance(error, ImportError):
        _note_missing(error)
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _note_disk(error)
    elif isinstance(error, OSError) and _shares_memory(error):
        _note_shared_memory(error)
    elif isinstance(error, FileNotFoundError):
        _note_file(error)
    elif isinstance(error, EOFError) or type(error).__name__ == "BdbQuit":
        error.add_note(
            "wrenml: nobody can type into a worker. Run the script with WRENML_BACKEND=inline, or one call of it with "
            "`wrenml debug JOB INDEX --pdb`."
        )
    text, body = describe(error, skip=_own_frames(error.__traceback__))
    if isinstance(error, WrenmlError):
        text["kind"] = "wrenml"
    if argument is not None:
        text["argument"] = argument
    return text, body


def _own_frames(tb: TracebackType | None) -> int:
    """How many of the outermost frames are the worker's, or those of the event loop that it started."""
    count = 0
    while tb is not None:
        module = str(tb.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith("wrenml.worker.") and not (count and module.startswith("asyncio.")):
            break
        count += 1
        tb = tb.tb_next
    return count


def _exited(error: BaseException) -> CallExited:
    if isinstance(error, KeyboardInterrupt):
        return CallExited("the call raised KeyboardInterrupt: non-zero return code 130", 130)
    given = error.code if isinstance(error, SystemExit) else 1
    code = given if isinstance(given, int) else 0 if given is None else 1
    what = f"non-zero return code {code}" if code else "return code 0, but without a result"
    detail = f" ({given})" if isinstance(given, str) else ""
    ended = CallExited(f"the call ended itself by sys.exit: {what}{detail}", code)
    return ended.with_traceback(error.__traceback__)


def _note_missing(error: ImportError) -> None:
    if error.name and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        error.add_note(
            f"wrenml: on Lambda there is what the stack was deployed with, and the local modules that the function "
            f"names; {error.name.partition('.')[0]!r} is neither. Put it into a requirements file and run "
            "`wrenml deploy --requirements FILE`."
        )
    elif error.name:
        error.add_note(
            f"wrenml: workers see installed distributions and the local modules that the function names; "
            f"{error.name.partition('.')[0]!r} is neither. Install it, import it where the function is defined, "
            "or ship its file with files=."
        )


def _note_file(error: FileNotFoundError) -> None:
    if f"{os.sep}code{os.sep}" in str(error.filename):
        error.add_note(
            "wrenml: a module brings the files beside it along if it is in a package; files= puts files into the "
            "working directory of the calls."
        )


def _shares_memory(error: OSError) -> bool:
    """Whether multiprocessing found nowhere to put a lock or shared memory, as on Lambda."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    raised_in = "" if tb is None else str(tb.tb_frame.f_globals.get("__name__", ""))
    return raised_in in _SHARING and not os.access("/dev/shm", os.W_OK)  # noqa: S108 - where it would be


def _note_shared_memory(error: OSError) -> None:
    error.add_note(
        "wrenml: there is no /dev/shm here (Lambda has none), which multiprocessing's pools, locks and queues need. "
        "Use threads, or multiprocessing's Process and Pipe, or map over more elements instead."
    )


def _note_disk(error: OSError) -> None:
    folder = os.getcwd()
    left = os.statvfs(folder)
    free = left.f_bavail * left.f_frsize
    error.add_note(f"wrenml: the disk of the worker's folder {folder} is full ({free // 2**20} MB free).")
