from __future__ import annotations

import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

import wrenml
from wrenml.errors import ConfigError
from wrenml.reporting.svg import picture
from wrenml.reporting.timeline import draw
from wrenml.reporting.times import CallTimes, running, thinned


def times(call: int, started: float, ended: float, *, failed: bool = False) -> CallTimes:
    return CallTimes(call, 0.0, started, ended, failed, cold=False, worker="w")


def shaky(number: int) -> int:
    if number % 3 == 0:
        raise ValueError(f"<b>{number}</b> & no more")
    return number


class TestTimes:
    def test_how_many_run_at_a_time(self) -> None:
        calls = [times(0, 1, 4), times(1, 2, 4), times(2, 4, 5)]
        assert running(calls) == [(1, 1), (2, 2), (4, 1), (5, 0)]

    def test_few_are_all_shown(self) -> None:
        calls = [times(number, 1, 2) for number in range(5)]
        assert thinned(calls, 5) == calls

    def test_of_many_the_failed_are_shown_and_others_evenly(self) -> None:
        calls = [times(number, 1, 2, failed=number in (7, 501)) for number in range(1000)]
        shown = thinned(calls, 100)
        assert len(shown) == 100
        assert {7, 501} < {each.call for each in shown}
        assert shown == sorted(shown)
        assert max(each.call for each in shown) > 950

    def test_of_many_failed_ones_some_are_shown(self) -> None:
        calls = [times(number, 1, 2, failed=True) for number in range(1000)]
        assert len(thinned(calls, 100)) == 100


class TestPicture:
    def test_a_line_for_each_call_by_what_became_of_it(self) -> None:
        svg = picture([times(0, 1, 2), times(1, 1, 4, failed=True), times(2, 2, 3)])
        lines = {name: d.count("M") for name, d in re.findall(r'class="(\w+)" stroke-width="[\d.]+" d="([^"]+)"', svg)}
        assert lines == {"sent": 3, "running": 2, "failed": 1}

    def test_calls_too_short_for_the_clock(self) -> None:
        svg = picture([times(0, 1, 1), times(1, 1, 1)])
        assert re.findall(r'class="running"[^>]*d="([^"]+)"', svg)[0].count("M") == 2

    def test_the_longest_reaches_the_end(self) -> None:
        svg = picture([times(0, 0, 1), times(1, 0, 10)])
        ends = [float(end) for end in re.findall(r"H([\d.]+)", re.findall(r'class="running"[^>]*d="([^"]+)"', svg)[0])]
        assert ends[1] - 60 == pytest.approx(10 * (ends[0] - 60), abs=1)

    @pytest.mark.parametrize("seconds", [1e-6, 0.03, 7, 100, 5000, 90_000])
    def test_there_are_a_few_times_on_the_axis_whatever_it_took(self, seconds: float) -> None:
        assert 2 <= picture([times(0, 0, seconds)]).count('class="axis"') <= 11

    def test_many_calls_stay_small(self) -> None:
        calls = [times(number, number / 10, number / 10 + 3) for number in range(50_000)]
        assert len(picture(calls)) < 200_000


class TestTimeline:
    @pytest.fixture(autouse=True)
    def _no_screen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("matplotlib").use("agg")
        monkeypatch.setenv("MPLBACKEND", "agg")

    def test_lines_and_counts(self) -> None:
        above, below = draw([times(0, 1, 2), times(1, 1, 4, failed=True)], "two").axes
        labels = [each.get_label() for each in above.collections]
        assert labels == ["waiting", "running", "failed"]
        assert above.get_title() == "two"
        assert list(below.lines[0].get_ydata()) == [2, 1, 0]

    def test_a_slice_is_drawn_by_its_own_numbers(self) -> None:
        with wrenml.inline_executor() as executor:
            futures = executor.map(abs, range(10))
            futures.results()
            above = futures[6:].timeline().axes[0]
        segments = above.collections[1].get_segments()
        assert sorted(segment[0][1] for segment in segments) == [0, 1, 2, 3]

    def test_calls_of_several_maps(self) -> None:
        with wrenml.inline_executor() as executor:
            first, second = executor.map(abs, range(3)), executor.map(len, ["a"])
            (first + second).results()
            above = (first + second).timeline().axes[0]
        assert len(above.collections[1].get_segments()) == 4
        assert above.get_title() == f"abs {first.id}, len {second.id}"

    def test_without_an_outcome_there_is_nothing_to_draw(self) -> None:
        with pytest.raises(ConfigError, match="no call has run"):
            wrenml.FutureList([]).timeline()


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects text and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.addresses: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


class TestReport:
    def test_it_stands_alone_and_says_what_became_of_the_calls(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        with wrenml.inline_executor(tags={"run": "<1>"}) as executor:
            futures = executor.map(shaky, range(7))
            futures.exceptions()
            futures.report(path)
        page = Page(path.read_text(encoding="utf-8"))
        assert page.addresses == []
        assert "url(" not in path.read_text(encoding="utf-8")
        for said in (
            "7: 4 succeeded, 3 failed",
            "call 3: ValueError: <b>3</b> & no more",
            "raise ValueError",
            "run=<1>",
        ):
            assert said in page.text
        assert f"job {futures.id}" in page.text

    def test_before_anything_ran(self, tmp_path: Path) -> None:
        with wrenml.local_executor(workers=1) as executor:
            futures = executor.map(time.sleep, [60] * 7)
            futures.cancel()
            futures.report(tmp_path / "report.html")
        assert "7 cancelled" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text

    def test_without_a_job(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no job"):
            wrenml.FutureList([]).report(tmp_path / "report.html")
        assert list(tmp_path.iterdir()) == []

    def test_writing_it_loads_no_matplotlib(self, tmp_path: Path) -> None:
        before = set(sys.modules)
        with wrenml.inline_executor() as executor:
            futures = executor.map(abs, [1])
            futures.results()
            futures.report(tmp_path / "report.html")
        assert not [name for name in set(sys.modules) - before if name.startswith("matplotlib")]
