"""Tests of a program that runs calls on Lambda, with AWS mocked inside this process: ``pytest 08_test_on_aws.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from wrenml import default_executor
from wrenml.testing.mocked import MockedAWS

# The program, which knows nothing of tests


def mean(numbers: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(numbers) / len(numbers)


def means(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each row, each in a call of its own."""
    with default_executor() as executor:
        return executor.map(mean, rows).results()


# Its tests: the fixture is all they need


def test_each_row_is_a_call_on_lambda(wrenml_aws: MockedAWS) -> None:
    """Results are right and in order, and each row costs one invocation."""
    rows = [[1, 2, 3], [4], [5, 7]]
    assert means(rows) == [2, 4, 6]
    assert wrenml_aws.requests["lambda.Invoke"] == len(rows)


def test_an_empty_row_is_an_error_of_its_own_type(wrenml_aws: MockedAWS) -> None:
    """What the function raises arrives here."""
    with pytest.raises(ZeroDivisionError):
        means([[1], []])
    assert wrenml_aws.requests_of("worker")["s3.PutObject"] == len(["a result", "an exception"])


def test_an_environment_that_crashes_costs_a_second_invocation(wrenml_aws: MockedAWS) -> None:
    """Lambda's own failures are retried."""
    wrenml_aws.fail_next(by="crash")
    assert means([[1, 2, 3]]) == [2]
    assert wrenml_aws.requests["lambda.Invoke"] == len(["the one that crashed", "the one that did not"])


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", __file__, "-v", "-p", "no:cacheprovider"]))
