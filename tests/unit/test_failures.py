from __future__ import annotations

import dataclasses
import errno
import gc
import importlib.util
import json
import linecache
import pickle
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

import pytest

import wrenml
from wrenml.errors import RemoteError, SerializationError
from wrenml.failures import annotate, describe, rebuild


def caught(function: Callable[..., object], *args: object) -> BaseException:
    try:
        function(*args)
    except BaseException as exc:  # noqa: BLE001
        return exc
    raise AssertionError("did not raise")


def raised(exc: BaseException) -> BaseException:
    def thrower() -> None:
        raise exc

    return caught(thrower)


def travel(exc: BaseException, *, skip: int = 1) -> BaseException:
    text, body = describe(exc, skip=skip)
    return rebuild(json.loads(json.dumps(text)), memoryview(body))


def printed(exc: BaseException) -> str:
    return "".join(traceback.format_exception(exc))


class TwoArguments(Exception):
    def __init__(self, item: str, limit: int) -> None:
        super().__init__(f"{item} over {limit}")
        self.limit = limit


class KeywordOnly(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__()
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class NeverCallsSuper(UnicodeDecodeError):
    def __init__(self, reason_: str) -> None:
        self.reason_ = reason_

    def __str__(self) -> str:
        return self.reason_


class OwnFileError(OSError):
    def __init__(self, name: str) -> None:
        super().__init__(errno.ENOENT, "gone", name)


class OwnImportError(ImportError):
    def __init__(self, package: str) -> None:
        super().__init__(f"install {package}", name=package)


class Slotted(Exception):
    __slots__ = ("__hidden", "level")

    def __init__(self, level: int) -> None:
        self.level = level
        self.__hidden = level + 1

    def hidden(self) -> int:
        return self.__hidden


class OwnNew(Exception):
    def __new__(cls, first: int, second: int) -> Self:
        exc = super().__new__(cls, first)
        exc.second = second
        return exc

    second: int


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class ReducesItself(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a)
        self.b = b
        self.way = "init"

    def __reduce__(self) -> tuple[object, ...]:
        return ReducesItself, (self.args[0], self.b), {"way": "reduce"}


class ReduceBreaks(Exception):
    def __reduce__(self) -> tuple[object, ...]:
        raise SystemExit(3)


class LoadBreaks(Exception):
    def __reduce__(self) -> tuple[object, ...]:
        return ReduceBreaks.__reduce__, (1,)


class CodedGroup(ExceptionGroup[Exception]):
    def __new__(cls, errors: list[Exception], code: int) -> Self:
        group = super().__new__(cls, "coded", errors)
        group.code = code
        return group

    code: int


class NoText(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)

    __repr__ = __str__


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("plain", 3),
        KeyError("k"),
        TwoArguments("tea", 3),
        KeywordOnly(code=4),
        NeverCallsSuper("because"),
        OwnFileError("x.csv"),
        FileNotFoundError(errno.ENOENT, "gone", "a", None, "b"),
        OwnImportError("torch"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad byte"),
        SyntaxError("bad", ("f.py", 1, 2, "a b", 1, 4)),
        Slotted(5),
        OwnNew(1, 2),
        Frozen(7),
        ReducesItself(1, 2),
        ReduceBreaks("kept"),
        LoadBreaks("kept"),
        RecursionError("deep"),
        SystemExit(5),
        KeyboardInterrupt(),
        StopIteration(9),
        RemoteError("m", type_name="T", remote_traceback="tb"),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_comes_back_as_its_own_type(exc: BaseException) -> None:
    text, type_, args, known = str(exc), type(exc), exc.args, dict(vars(exc))
    known |= {"way": "reduce"} if isinstance(exc, ReducesItself) else {}
    back = travel(raised(exc))
    assert type(back) is type_
    assert str(back) == text
    assert back.args == args
    assert vars(back) == known


def test_members_that_live_outside_the_dict_come_back() -> None:
    slotted = travel(raised(Slotted(5)))
    assert isinstance(slotted, Slotted)
    assert (slotted.level, slotted.hidden()) == (5, 6)
    file = travel(raised(OwnFileError("x.csv")))
    assert isinstance(file, OwnFileError)
    assert (file.errno, file.filename) == (errno.ENOENT, "x.csv")
    module = travel(raised(OwnImportError("torch")))
    assert isinstance(module, OwnImportError)
    assert module.name == "torch"
    leaving = travel(raised(SystemExit(5)))
    assert isinstance(leaving, SystemExit)
    assert leaving.code == 5


def chained() -> None:
    prices: dict[str, int] = {}

    def first() -> int:
        return [1, prices["missing"]][0]

    try:
        first()
    except KeyError as error:
        error.add_note("looked everywhere")
        try:
            int("x")
        except ValueError:
            raise TwoArguments("tea", 3) from error


def grouped() -> None:
    errors: list[Exception] = []
    for text in ("x", "y"):
        try:
            int(text)
        except ValueError as error:
            errors.append(error)
    errors.append(CodedGroup([TwoArguments("tea", 1)], 4))
    raise ExceptionGroup("several", errors)


@pytest.mark.parametrize("function", [chained, grouped])
def test_prints_here_as_it_printed_there(function: Callable[[], None]) -> None:
    exc = caught(function)
    there = printed(exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next))
    back = travel(exc, skip=0)
    assert printed(back) == there
    assert "Traceback" in there


def test_groups_of_ones_own_keep_their_attributes_and_members() -> None:
    back = travel(raised(CodedGroup([TwoArguments("tea", 1)], 4)))
    assert isinstance(back, CodedGroup)
    assert back.code == 4
    assert back.message == "coded"
    assert isinstance(back.exceptions[0], TwoArguments)


def test_the_traceback_starts_at_the_users_function() -> None:
    text, body = describe(caught(chained), skip=1)
    back = rebuild(text, body)
    assert back.__traceback__ is not None
    assert back.__traceback__.tb_frame.f_code.co_name == "chained"
    assert "in caught" not in str(text["traceback"])


def test_an_exception_can_travel_twice() -> None:
    once = travel(caught(chained))
    there = printed(once)
    assert printed(travel(once, skip=0)) == there


@pytest.mark.parametrize(("file", "line"), [("a\0b.py", 3), ("<template>", 1), ("x.py", 10**6), ("", 0)])
def test_tracebacks_that_others_made_up_come_back(file: str, line: int) -> None:
    tb = caught(chained).__traceback__
    assert tb is not None
    code = compile("raise ValueError('x')", "made_up.py", "exec").replace(co_filename=file)
    own = caught(exec, code).__traceback__
    assert own is not None
    assert own.tb_next is not None
    frame = own.tb_next.tb_frame
    exc = ValueError("made up").with_traceback(TracebackType(tb, frame, own.tb_next.tb_lasti, line))
    back = travel(exc, skip=0)
    assert type(back) is ValueError
    assert back.__traceback__ is not None
    assert back.__traceback__.tb_frame.f_code.co_filename == file
    assert back.__traceback__.tb_lineno == line or not line


def test_skipping_more_frames_than_there_are_leaves_none() -> None:
    assert travel(ValueError("never raised"), skip=3).__traceback__ is None


def test_the_text_says_everything() -> None:
    text, _ = describe(caught(chained), skip=1)
    assert text["kind"] == "user"
    assert text["type"] == f"{__name__}.TwoArguments"
    assert text["message"] == "tea over 3"
    assert text["notes"] == []
    for part in ("KeyError: 'missing'", "looked everywhere", "TwoArguments: tea over 3", "direct cause"):
        assert part in str(text["traceback"])
    assert describe(ValueError())[0]["type"] == "ValueError"


def test_notes_are_in_the_text_and_in_the_body() -> None:
    exc = ValueError("x")
    exc.add_note("first")
    text, body = describe(exc)
    assert text["notes"] == ["first"]
    assert rebuild(text, body).__notes__ == ["first"]


def test_circles_of_causes_come_back() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    back = travel(one)
    assert back.__cause__ is not None
    assert back.__cause__.__cause__ is back


def test_long_chains_and_deep_recursion_come_back() -> None:
    exc: BaseException = ValueError("innermost")
    for number in range(5000):
        outer = ValueError(number)
        outer.__cause__ = exc
        exc = outer
    back, length = travel(exc), 0
    while back.__cause__ is not None:
        back, length = back.__cause__, length + 1
    assert length == 5000

    def endless(n: int) -> int:
        return endless(n + 1)

    deep = travel(caught(endless, 0))
    assert type(deep) is RecursionError
    assert printed(deep).count("endless") > 3


def test_huge_tracebacks_and_messages_are_bounded() -> None:
    text, _ = describe(raised(ValueError("x\n" * 10**6)))
    assert len(str(text["traceback"])) < 13 * 1024
    assert len(str(text["message"])) <= 2000
    assert str(text["traceback"]).startswith("Traceback")
    assert "left out" in str(text["traceback"])


def test_lone_surrogates_do_not_break_the_text() -> None:
    text, body = describe(ValueError("\ud800 é"))
    json.dumps(text, ensure_ascii=False).encode()
    assert rebuild(text, body).args == ("\ud800 é",)


def test_what_cannot_be_pickled_arrives_as_words() -> None:
    exc = TwoArguments("tea", 3)
    exc.lock = threading.Lock()  # type: ignore[attr-defined]
    text, body = describe(raised(exc), skip=1)
    assert body == b""
    back = rebuild(text, body)
    assert isinstance(back, RemoteError)
    assert back.type_name.endswith("TwoArguments")
    assert "in thrower" in back.remote_traceback
    for part in ("tea over 3", "in thrower", "lock"):
        assert part in str(back)


def test_more_than_a_megabyte_stays_behind() -> None:
    text, body = describe(ValueError(bytes(2 << 20)))
    assert body == b""
    assert "1 MB" in str(text["unpicklable"])
    assert "1 MB" in str(rebuild(text, body))


def test_an_unpicklable_cause_is_replaced_and_the_rest_kept() -> None:
    cause = KeyError("inner")
    cause.lock = threading.Lock()  # type: ignore[attr-defined]
    cause.__cause__ = ValueError("innermost")
    outer = TwoArguments("tea", 3)
    outer.__cause__ = raised(cause)
    back = travel(outer)
    assert type(back) is TwoArguments
    assert isinstance(back.__cause__, RemoteError)
    assert "KeyError: 'inner'" in str(back.__cause__)
    assert back.__cause__.__traceback__ is not None
    assert type(back.__cause__.__cause__) is ValueError


def test_broken_text_is_survived() -> None:
    text, body = describe(raised(NoText()))
    assert "SystemExit" in str(text["message"])
    assert type(rebuild(text, body)) is NoText


def test_a_body_that_is_nonsense_or_no_exception_gives_the_words() -> None:
    text, _ = describe(raised(ValueError("words")))
    for body in (b"nonsense", pickle.dumps([3])):
        back = rebuild(text, body)
        assert isinstance(back, RemoteError)
        assert "ValueError: words" in str(back)
    assert SerializationError.__name__ not in printed(rebuild(text, b""))


class Big:
    pass


def test_the_calls_memory_is_free_afterwards() -> None:
    seen: list[weakref.ref[Big]] = []

    def holder() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        try:
            int("x")
        except ValueError as error:
            raise KeyError("x") from error

    exc = caught(holder)
    assert seen[0]() is not None
    describe(exc)
    gc.collect()
    assert seen[0]() is None


def test_a_rebuilt_exception_keeps_nothing_here_alive() -> None:
    text, body = describe(caught(chained))

    def rebuilding() -> tuple[BaseException, weakref.ref[Big]]:
        big = Big()
        return rebuild(text, body), weakref.ref(big)

    exc, big = rebuilding()
    gc.collect()
    assert exc.__traceback__ is not None
    assert exc.__traceback__.tb_frame.f_back is None
    assert big() is None


@pytest.fixture
def far_module(tmp_path: Path) -> Iterator[ModuleType]:
    """A module whose file and class do not exist any more after the test deleted them."""
    file = tmp_path / "far_away.py"
    file.write_text(
        "class FarError(Exception):\n    pass\n\n\ndef inner(d):\n    return [1, d['k'] + 1]\n\n\n"
        "def plain():\n    return inner({})\n\n\ndef typed():\n    raise FarError('far')\n"
    )
    spec = importlib.util.spec_from_file_location("far_away", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["far_away"] = module
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("far_away", None)


def leave(module: ModuleType) -> str:
    file = str(module.__file__)
    sys.modules.pop(module.__name__)
    Path(file).unlink()
    linecache.checkcache(file)
    return file


def test_source_lines_show_where_the_file_is_missing(far_module: ModuleType) -> None:
    text, body = describe(caught(far_module.plain), skip=1)
    there = str(text["traceback"])
    file = leave(far_module)
    assert file not in linecache.cache
    back = rebuild(json.loads(json.dumps(text)), body)
    assert printed(back) == there
    assert "d['k'] + 1" in there
    linecache.checkcache()
    assert "d['k'] + 1" in printed(back)


def test_lines_of_two_failures_in_one_missing_file_both_show(far_module: ModuleType) -> None:
    first = describe(caught(far_module.inner, {"k": ""}), skip=1)
    second = describe(caught(far_module.plain), skip=1)
    leave(far_module)
    backs = [rebuild(*each) for each in (first, second)]
    assert all("d['k'] + 1" in printed(back) for back in backs)
    assert "inner({})" in printed(backs[1])


def test_lines_known_here_are_not_overridden(far_module: ModuleType) -> None:
    text, body = describe(caught(far_module.plain), skip=1)
    file = leave(far_module)
    mine = ["mine\n"] * 20
    linecache.cache[file] = (1, None, mine, file)
    rebuild(text, body)
    assert linecache.getlines(file) is mine
    del linecache.cache[file]


def test_a_class_that_does_not_exist_here_gives_the_words(far_module: ModuleType) -> None:
    text, body = describe(caught(far_module.typed), skip=1)
    leave(far_module)
    back = rebuild(text, body)
    assert isinstance(back, RemoteError)
    assert back.type_name == "far_away.FarError"
    assert "No module named 'far_away'" in str(back)
    assert "raise FarError('far')" in str(back)


def note(exc: BaseException, tail: str | None = None) -> list[str]:
    annotate(exc, job="ab12", index=3, attempt=2, argument="'tea'", output_tail=tail)
    return list(getattr(exc, "__notes__", []))


def test_notes_say_which_call_and_how_to_run_it_again() -> None:
    assert note(ValueError("x"), tail="one\ntwo\n") == [
        "wrenml: call 3 of job ab12, attempt 2; argument: 'tea'",
        "its last output:\n  one\n  two",
        "reproduce it here: wrenml debug ab12 3",
    ]


def test_notes_are_not_added_twice() -> None:
    exc = ValueError("x")
    exc.add_note("mine")
    assert note(exc) == note(exc)
    assert exc.__notes__[0] == "mine"
    annotate(exc, job="other", index=3, attempt=1, argument=None, output_tail=None)
    assert any(each == "wrenml: call 3 of job other, attempt 1" for each in exc.__notes__)


def test_the_output_tail_is_bounded() -> None:
    notes = note(ValueError("x"), tail="line\n" * 10**5 + "x" * 10**5)
    assert len(notes[1]) < 2500
    assert note(ValueError("x"), tail=" \n")[1].startswith("reproduce")


class Refuses(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class RefusesNotes(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise RuntimeError("no notes")


def test_exceptions_that_refuse_attributes_get_their_notes_or_none() -> None:
    assert len(note(Frozen(3))) == 2
    assert len(note(Refuses("x"))) == 2
    annotate(RefusesNotes(), job="j", index=0, attempt=1, argument=None, output_tail=None)
    odd = ValueError("x")
    odd.__notes__ = 5  # type: ignore[assignment]
    annotate(odd, job="j", index=0, attempt=1, argument=None, output_tail=None)


def test_importing_it_loads_nothing_that_only_failures_need() -> None:
    code = (
        "import sys, wrenml.errors; before = set(sys.modules); import wrenml.failures;"
        "new = set(sys.modules) - before;"
        "print(sorted(new & {'traceback', 'linecache', 'cloudpickle', 'tblib', 'ast', 'pickle', 'inspect'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(wrenml.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
