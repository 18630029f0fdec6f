"""The client's side: the exception again, and the notes that say where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from wrenml.errors import ArgumentNotSerializable, RemoteError
from wrenml.failures.guarding import clip, survive
from wrenml.failures.sources import remember_sources

__all__ = ["annotate", "rebuild"]

_TAIL_LINES = 20
_TAIL_CHARS = 2000


def rebuild(text: Mapping[str, object], body: bytes | memoryview) -> BaseException:
    """Return the exception that `describe` was given, ready to be raised.

    It is of the user's own type, with its attributes, notes, causes and groups, and with a traceback of real
    frames that shows the worker's files, lines and functions. Source lines of files that do not exist here
    are made known to `linecache`, so that `traceback` and debuggers show them.

    Parameters
    ----------
    text : mapping
        As returned by `describe`, perhaps by way of JSON.
    body : bytes or memoryview
        The pickled exception; must have been authenticated. May be empty.

    Returns
    -------
    BaseException
        A `RemoteError` that shows the traceback as text when `body` is empty or cannot be unpickled here.
    """
    if not body:
        return _remote_error(text, str(text.get("unpicklable", "it was not pickled")))
    exc = survive(lambda: _unpickle(body), lambda error: _remote_error(text, f"{type(error).__name__}: {error}"))
    sources = cast("Mapping[str, Mapping[str, str]]", text.get("sources", {}))
    survive(lambda: remember_sources(sources), lambda _: None)
    return exc


def _unpickle(body: bytes | memoryview) -> BaseException:
    # cloudpickle is slow to import and only needed where something failed.
    from wrenml.failures.pickled import loads  # noqa: PLC0415

    return loads(body)


def _remote_error(text: Mapping[str, object], why: str) -> RemoteError:
    name, remote = str(text.get("type", "")), str(text.get("traceback", ""))
    message = (
        f"{name}: {text.get('message', '')}\n\n"
        f"The exception itself cannot be rebuilt in this process ({why}), so this is its text only.\n"
        f"On the worker it was:\n\n{remote.rstrip()}"
    )
    return RemoteError(message, type_name=name, remote_traceback=remote)


def annotate(  # the parts of a note
    exc: BaseException, *, job: str, index: int, attempt: int, argument: str | None, output_tail: str | None
) -> None:
    """Add notes that say which call raised this, with what, what it printed and how to run it again here.

    Does nothing where the notes are there already, or where the exception does not take any.

    Parameters
    ----------
    exc : BaseException
        The exception that the call's future will raise.
    job : str
        The job's id.
    index : int
        The call's position in its job.
    attempt : int
        Which attempt raised it, from 1.
    argument : str or None
        Short text of the call's argument, as from `short_repr`.
    output_tail : str or None
        What the call printed; its last lines are shown.
    """
    start = f"wrenml: call {index} of job {job},"
    notes = [f"{start} attempt {attempt}" + (f"; argument: {argument}" if argument else "")]
    if output_tail and output_tail.strip():
        notes.append(_output_note(output_tail))
    if not isinstance(exc, ArgumentNotSerializable):  # there is nothing to run it with
        notes.append(f"reproduce it here: wrenml debug {job} {index}")
    survive(lambda: _add_notes(exc, start, notes), lambda _: None)


def _output_note(output: str) -> str:
    lines = output.rstrip()[-_TAIL_CHARS:].splitlines()[-_TAIL_LINES:]
    return "\n".join(["its last output:", *(f"  {clip(line, 300)}" for line in lines)])


def _add_notes(exc: BaseException, start: str, notes: list[str]) -> None:
    present = list(getattr(exc, "__notes__", ()))
    if not any(str(note).startswith(start) for note in present):
        # Past any __setattr__ of the class: frozen dataclasses are raised too.
        BaseException.__setattr__(exc, "__notes__", present + notes)
