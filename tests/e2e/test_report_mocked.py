from __future__ import annotations

from pathlib import Path

import pytest

import wrenml
from wrenml.cli import main
from wrenml.testing.mocked import MockedAWS


def test_a_report_of_calls_on_lambda_says_what_they_cost(
    wrenml_aws: MockedAWS, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with wrenml.default_executor() as executor:
        futures = executor.map(divmod, [7, 8, 9], [2, 0, 4], name="divided")
        futures.exceptions()
        futures.report(tmp_path / "here.html")
    assert wrenml_aws.requests["lambda.Invoke"] == 3
    assert main(["report", futures.id, "-o", str(tmp_path / "there.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "there.html")
    for name in ("here.html", "there.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "3: 2 succeeded, 1 failed" in text
        assert "ZeroDivisionError" in text
        assert "GB-s in us-east-1" in text
        assert "aws, Python" in text
