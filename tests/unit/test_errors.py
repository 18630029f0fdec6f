from __future__ import annotations

import copy
import pickle
import re

import pytest

from wrenml import errors

ALL = [getattr(errors, name) for name in errors.__all__]


def drawn_tree() -> dict[str, tuple[str, str | None]]:
    """Name of each class drawn in the module's docstring: its parent, and its other bases."""
    tree: dict[str, tuple[str, str | None]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+)(?: \(([\w, ]+)\))?(?:  |$)", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            tree[found[2]] = (above[depth - 1] if depth else "Exception", found[3])
    return tree


def test_the_drawing_is_the_tree() -> None:
    defined = {
        cls.__name__: (cls.__bases__[0].__name__, ", ".join(base.__name__ for base in cls.__bases__[1:]) or None)
        for cls in ALL
    }
    assert drawn_tree() == defined


def test_every_error_defined_is_exported() -> None:
    defined = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert defined == set(errors.__all__)


@pytest.mark.parametrize("cls", ALL)
class TestEveryError:
    def test_docstring_is_the_default_message(self, cls: type[errors.WrenmlError]) -> None:
        assert cls.__doc__
        assert str(cls()) == cls.__doc__.splitlines()[0]

    def test_message_is_shown_as_given(self, cls: type[errors.WrenmlError]) -> None:
        assert str(cls("out of 'tea'")) == "out of 'tea'"

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_survives_pickling(self, cls: type[errors.WrenmlError], protocol: int) -> None:
        error = cls("out of tea")
        error.add_note("a note")
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is cls
        assert (str(again), vars(again)) == (str(error), vars(error))

    def test_survives_copying(self, cls: type[errors.WrenmlError]) -> None:
        assert str(copy.copy(cls("out of tea"))) == "out of tea"


@pytest.mark.parametrize(
    ("error", "attribute", "value"),
    [
        (errors.CallExited("x", code=3), "code", 3),
        (errors.RemoteError("x", type_name="m.E"), "type_name", "m.E"),
        (errors.RemoteError("x", remote_traceback="Traceback"), "remote_traceback", "Traceback"),
        (errors.WorkerCrashed("x", signal=9), "signal", 9),
        (errors.WorkerOutOfMemory("x", memory_mb=128), "memory_mb", 128),
        (errors.WorkerOutOfMemory("x", peak_mb=130), "peak_mb", 130),
    ],
)
def test_details_survive_pickling(error: errors.WrenmlError, attribute: str, value: object) -> None:
    assert getattr(pickle.loads(pickle.dumps(error)), attribute) == value
