from __future__ import annotations

import json

import pytest

from wrenml.cli import main
from wrenml.testing.mocked import MockedAWS


@pytest.mark.slow
@pytest.mark.thorough
def test_what_comes_out_wrong_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    # The mocked Lambda does not watch how much memory a call uses.
    with MockedAWS(memory_mb=(128,)):
        assert main(["verify", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["calls"]) == (False, 20)
    [wrong] = [probe for probe in report["probes"] if not probe["ok"]]
    assert (wrong["name"], wrong["wrong"]) == ("a call over its memory", "'256 MB, and alive' was returned")
    assert report["cost"]["requests"]["invoke"] >= 20
    assert 0 < report["cost"]["dollars"] < 0.01
