from __future__ import annotations

import json

import pytest

from wrenml.aws.deployment import Deployment
from wrenml.errors import ConfigError

RECORD = {
    "format": 1,
    "stack": "s",
    "account": "1" * 12,
    "region": "eu-west-1",
    "bucket": "b",
    "failures": "f",
    "alias": "v1",
    "python": "3.13",
    "arch": "arm64",
    "memory_mb": [512, 1769],
}


def test_what_a_newer_version_added_is_passed_over() -> None:
    read = Deployment.from_json(json.dumps({**RECORD, "colour": "red"}))

    assert read.memory_mb == (512, 1769)
    assert Deployment.from_json(read.to_json()) == read


def test_a_record_of_a_newer_format_says_to_upgrade() -> None:
    with pytest.raises(ConfigError, match=r"^the stack was deployed by a newer wrenml; upgrade this one"):
        Deployment.from_json(json.dumps({**RECORD, "format": 2}))


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"format": 1}), json.dumps({**RECORD, "memory_mb": 5})])
def test_a_damaged_record_says_so(text: str) -> None:
    with pytest.raises(ConfigError, match="record is damaged"):
        Deployment.from_json(text)
