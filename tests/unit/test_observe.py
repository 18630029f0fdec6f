from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml.costs import Place, Usage, cost_of
from wrenml.events import CallsRetried, CallsSettled, CallsThrottled, Event, JobEnded, JobStarted
from wrenml.executors import inline_executor
from wrenml.observe import Log, Progress, Screen, say_backend, standard_hooks, warn_large_function
from wrenml.observe.text import Counts, bar_line, count_line, last_line, rate, span

JOB = "0123456789abcdef"


class Stream(io.StringIO):
    """A text stream that may be a terminal."""

    encoding = "utf-8"

    def __init__(self, *, terminal: bool = True) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class Notebook(Stream):
    """A stream as ipykernel has it: no terminal, but `\\r` starts a line over."""

    __module__ = "ipykernel.iostream"


class Glass:
    """What a terminal shows after what was written to it: just the control sequences that progress uses."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = self.column = 0
        self.saved = (0, 0)

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[K|\x1b.|[\s\S]", text):
            self._take(part)

    def _take(self, part: str) -> None:
        if part in ("\n", "\x1bD"):
            self.row += 1
            self.column = 0 if part == "\n" else self.column
            self.rows += [""] * (self.row + 1 - len(self.rows))
        elif part == "\x1bM":
            self.row -= 1
        elif part == "\x1b7":
            self.saved = self.row, self.column
        elif part == "\x1b8":
            self.row, self.column = self.saved
        elif part == "\r":
            self.column = 0
        elif part == "\x1b[K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        else:
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + part + line[self.column + 1 :]
            self.column += 1

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).rstrip("\n")


def started(
    job: str = JOB,
    *,
    total: int = 40,
    progress: bool | None = True,
    closed: bool = True,
    backend: str = "local",
    single: bool = False,
) -> JobStarted:
    return JobStarted(job, "score", backend, total, 2, closed, progress, single)


def settled(job: str = JOB, *, succeeded: int = 0, failed: int = 0, cancelled: int = 0, seconds: float = 0.0) -> Event:
    return CallsSettled(job, succeeded, failed, cancelled, seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 ms"),
        (0.0123, "12.3 ms"),
        (0.42, "0.42 s"),
        (12.34, "12.3 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (604_800, "7 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "seconds", "text"),
    [(0, 0, "0/s"), (12_340, 10, "1,234/s"), (34, 10, "3.4/s"), (2, 10, "12/min"), (1, 120, "30/h")],
)
def test_rates(count: int, seconds: float, text: str) -> None:
    assert rate(count, seconds) == text


def test_the_bar_says_everything_where_there_is_room() -> None:
    counts = Counts(total=300, succeeded=134, failed=1, retried=2, workers=2, elapsed=13.5)
    line = bar_line(counts, 200)
    bar = "█" * 13 + "░" * 17
    text = "45 % · 135/300 done · 2 running · 163 queued · 1 failed · 2 retried · 10/s · ETA 16 s"
    assert line == f"{bar}  {text}"
    assert bar_line(counts, 200, label="3 jobs").split(" · ")[0].endswith("3 jobs")
    assert count_line(counts) == text


@given(
    st.integers(5, 200),
    st.one_of(st.none(), st.integers(0, 10**6)),
    st.lists(st.integers(0, 10**5), min_size=4, max_size=4),
    st.floats(0, 1e6),
    st.booleans(),
)
def test_the_bar_never_wraps(
    columns: int,
    more: int | None,
    numbers: list[int],
    elapsed: float,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    succeeded, failed, cancelled, retried = numbers
    total = None if more is None else succeeded + failed + cancelled + more
    counts = Counts(total, succeeded, failed, cancelled, retried, 2, 0.0, elapsed)
    line = bar_line(counts, columns, ascii_only=ascii_only)
    assert len(line) <= columns
    assert line.isascii() or not ascii_only
    if columns >= 60:
        assert f"{counts.done:,}" in line


def test_narrow_bars_keep_what_matters() -> None:
    counts = Counts(total=300, succeeded=134, failed=1, workers=2, elapsed=13.5)
    assert bar_line(counts, 45) == "█████░░░░░░░░  45 % · 135/300 done · 1 failed"
    assert bar_line(counts, 32) == "████░░░░░░░  45 % · 135/300 done"


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (Counts(3, 3, seconds=4.0, elapsed=2.0), "score done in 2.00 s · 3 calls · 2.0× serial (4.00 s) · no failures"),
        (Counts(1, 0, 1, elapsed=2.0), "score done in 2.00 s · 1 call · 1 failed: wrenml show 01234567"),
        (Counts(9, 3, 0, 6, elapsed=2.0), "score cancelled after 2.00 s · 3 of 9 calls done: wrenml show 01234567"),
        (Counts(9, 9, retried=2, elapsed=2.0), "score done in 2.00 s · 9 calls · 2 run again · no failures"),
    ],
)  # fmt: skip
def test_the_last_line(counts: Counts, text: str) -> None:
    assert last_line(JOB, "score", counts) == f"wrenml: {text}"


def test_the_last_line_has_the_cost() -> None:
    cost = cost_of(Usage(gb_seconds=1234.5, invocations=3), Place("us-east-1", "x86_64", 1024))
    line = last_line(JOB, "score", Counts(3, 3, elapsed=2.0), cost)
    assert line.endswith("3 calls · $0.021 (1,234 GB-s) · no failures")


class TestProgress:
    def test_costs_are_shown_before_meanwhile_and_after(self, eventually: Callable[..., None]) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(JobStarted(JOB, "score", "aws", 40, 2, closed=True, progress=True, estimate="at most $2.04"))
        assert stream.getvalue().endswith("aws, 2 workers · at most $2.04\n")
        progress(CallsSettled(JOB, 10, 0, 0, 5.0, spent=0.0123))
        eventually(lambda: "25 % · 10/40 done · 2 running · 28 queued · $0.012" in stream.getvalue())
        progress(CallsSettled(JOB, 30, 0, 0, 5.0, spent=0.05))
        progress(JobEnded(JOB, 4.0, cost=cost_of(Usage(gb_seconds=3000), Place("us-east-1", "x86_64", 1024))))
        glass = Glass()
        glass.feed(stream.getvalue())
        assert glass.text.endswith("(10.0 s) · $0.050 (3,000 GB-s) · no failures")

    def test_a_bar_between_two_lines(self, eventually: Callable[..., None]) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started())
        assert stream.getvalue() == f"wrenml: job {JOB} · score · 40 calls · local, 2 workers\n"
        progress(settled(succeeded=10, failed=1, seconds=6.0))
        progress(CallsRetried(JOB, 2, "killed"))
        eventually(lambda: "27 % · 11/40 done · 2 running · 27 queued · 1 failed" in stream.getvalue())
        eventually(lambda: "2 retried" in stream.getvalue())
        progress(CallsThrottled(JOB, 7))
        eventually(lambda: "2 retried · throttled" in stream.getvalue())
        progress(settled(succeeded=29, seconds=6.0))
        progress(JobEnded(JOB, 4.0))
        glass = Glass()
        glass.feed(stream.getvalue())
        first, last = glass.text.split("\n")
        assert first.startswith(f"wrenml: job {JOB}")
        assert last.startswith("wrenml: score done in 4.00 s · 40 calls · 3.0× serial (12.0 s) · ")
        assert last.endswith(" · 2 run again · 1 failed: wrenml show 01234567")

    def test_lines_that_are_printed_meanwhile_stay_whole(self) -> None:
        stream = Stream()
        screen = Screen(stream)
        screen.draw("a bar that is much longer than what is printed")
        stream.write("one\n")
        screen.draw("a bar that is much longer than what is printed")
        stream.write("two ")
        screen.draw("another bar")
        stream.write("and a half\n")
        screen.draw("another bar")
        screen.say("the end")
        glass = Glass()
        glass.feed(stream.getvalue())
        assert glass.text == "one\ntwo and a half\nthe end"

    def test_a_notebook_has_a_bar_too(self) -> None:
        stream = Notebook(terminal=False)
        screen = Screen(stream)
        assert screen.live
        screen.draw("a long bar")
        screen.draw("a bar")
        screen.say("the end")
        assert "\x1b" not in stream.getvalue()
        glass = Glass()
        glass.feed(stream.getvalue())
        assert glass.text == "the end"

    def test_a_short_job_is_not_worth_a_word(self) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started(progress=None))
        progress(settled(succeeded=40))
        progress(JobEnded(JOB, 0.1))
        assert stream.getvalue() == ""

    def test_a_longer_one_is_shown_by_itself(self, eventually: Callable[..., None]) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started(progress=None))
        eventually(lambda: "0/40 done" in stream.getvalue())
        progress(JobEnded(JOB, 1.0))

    @pytest.mark.parametrize("event", [started(progress=False), started(progress=None, single=True)])
    def test_not_shown(self, event: JobStarted) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(event)
        progress(settled(succeeded=40))
        progress(JobEnded(JOB, 9.0))
        assert stream.getvalue() == ""

    def test_several_jobs_share_the_bar(self, eventually: Callable[..., None]) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started("a" * 16))
        progress(started("b" * 16, total=60))
        progress(settled("b" * 16, succeeded=50))
        eventually(lambda: "2 jobs ·  50 % · 50/100 done" in stream.getvalue())
        progress(JobEnded("a" * 16, 1.0))
        eventually(lambda: "83 % · 50/60 done" in stream.getvalue())
        progress(JobEnded("b" * 16, 1.0))

    def test_a_stream_of_calls_has_no_end_to_count_to(self, eventually: Callable[..., None]) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started(closed=False, total=1))
        progress(settled(succeeded=1234))
        eventually(lambda: "1,234 done" in stream.getvalue())
        assert "%" not in stream.getvalue()
        assert "a stream of calls" in stream.getvalue()
        progress(JobEnded(JOB, 1.0))

    def test_without_a_terminal_it_is_silent_unless_asked(self) -> None:
        stream = Stream(terminal=False)
        progress = Progress(Screen(stream))
        progress(started(progress=None))
        progress(settled(succeeded=40))
        progress(JobEnded(JOB, 9.0))
        assert stream.getvalue() == ""

    def test_asked_without_a_terminal_it_says_a_line_every_tenth(self) -> None:
        stream = Stream(terminal=False)
        progress = Progress(Screen(stream))
        progress(started(total=1000))
        for _ in range(1000):
            progress(settled(succeeded=1))
        progress(JobEnded(JOB, 9.0))
        lines = stream.getvalue().splitlines()
        assert "\x1b" not in stream.getvalue()
        assert [line.split()[2] for line in lines[1:-1]] == [f"{tenth}0" for tenth in range(1, 10)]
        assert lines[-1] == "wrenml: score done in 9.00 s · 1,000 calls · no failures"

    def test_streams_that_know_ascii_only(self) -> None:
        stream = Stream(terminal=False)
        stream.encoding = "ascii"
        progress = Progress(Screen(stream))
        progress(started())
        progress(settled(succeeded=40, seconds=3.0))
        progress(JobEnded(JOB, 1.0))
        assert stream.getvalue().isascii()
        assert stream.getvalue().endswith("- 3.0x serial (3.00 s) - no failures\n")

    def test_a_stream_that_is_gone_is_no_reason_to_fail(self) -> None:
        stream = Stream()
        progress = Progress(Screen(stream))
        progress(started())
        stream.close()
        progress(settled(succeeded=40))
        progress(JobEnded(JOB, 1.0))

    def test_a_map_tells_it(self) -> None:
        stream = Stream(terminal=False)
        with inline_executor() as executor:
            executor.observe(Progress(Screen(stream)))
            executor.map(lambda x: 1 / x, [0, 1, 2, 3], progress=True, name="reciprocals")
        lines = stream.getvalue().splitlines()
        assert re.fullmatch(r"wrenml: job \w{16} · reciprocals · 4 calls · inline", lines[0])
        assert re.fullmatch(r"wrenml: reciprocals done in .* · 4 calls · .*1 failed: wrenml show \w{8}", lines[-1])


def test_standard_hooks() -> None:
    assert [type(hook) for hook in standard_hooks({})] == [Log, Progress]
    assert [type(hook) for hook in standard_hooks({"WRENML_PROGRESS": "1"})] == [Log, Progress]
    assert [type(hook) for hook in standard_hooks({"WRENML_PROGRESS": "0"})] == [Log]


def test_the_backend_is_said_in_a_terminal_only() -> None:
    stream, file = Stream(), Stream(terminal=False)
    say_backend({}, "local", "the default", 2, stream)
    say_backend({}, "local", "the default", 2, file)
    say_backend({"WRENML_PROGRESS": "0"}, "local", "the default", 2, stream)
    assert stream.getvalue() == "wrenml: backend local (the default): 2 workers\n"
    assert file.getvalue() == ""


class TestLog:
    def test_records(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "wrenml")
        log = Log()
        log(started())
        log(settled(succeeded=39, failed=1))
        log(CallsRetried(JOB, 2, "killed"))
        log(CallsThrottled(JOB, 7))
        log(JobEnded(JOB, 1.5))
        assert [record.getMessage() for record in caplog.records] == [
            f"job {JOB}: score starts: 40 calls on local",
            f"job {JOB}: 39 succeeded, 1 failed, 0 cancelled",
            f"job {JOB}: 2 run again: killed",
            f"job {JOB}: Lambda takes no more for the moment; at most 7 invocations are on their way",
            f"job {JOB}: over after 1.50 s",
        ]
        actions = [record.__dict__["action"] for record in caplog.records]
        assert actions == ["job_started", "calls_settled", "calls_retried", "calls_throttled", "job_ended"]
        assert {record.__dict__["job"] for record in caplog.records} == {JOB}

    @pytest.mark.parametrize(("backend", "seconds", "warned"), [("aws", 2.0, 1), ("aws", 20.0, 0), ("local", 2.0, 0)])
    def test_short_calls_are_worth_a_warning_where_starting_them_costs(
        self, caplog: pytest.LogCaptureFixture, backend: str, seconds: float, warned: int
    ) -> None:
        caplog.set_level(logging.WARNING, "wrenml")
        log = Log()
        log(started(backend=backend))
        log(settled(succeeded=40, seconds=seconds))
        log(JobEnded(JOB, 1.5))
        assert len(caplog.records) == warned
        assert all("50 ms on average" in text and "chunksize=20" in text for text in caplog.messages)

    def test_large_functions(self, caplog: pytest.LogCaptureFixture) -> None:
        warn_large_function("score", 10_000_000)
        assert caplog.messages == []
        warn_large_function("score", 12_000_000)
        assert caplog.messages[0].startswith("wrenml: score is 12 MB when pickled")
        assert "executor.put(data)" in caplog.messages[0]
