"""The CloudFormation template, rendered for what was chosen."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import wrenml
from wrenml.deploy.choices import Choices
from wrenml.errors import ConfigError

__all__ = ["bundled", "choices_of", "parameters", "render"]

_SIZE: Final = "1769"
_BLOCK: Final = re.compile(r"(?ms)^  # ---- one of these for each memory size ----\n(.*?)^  # ---- end ----\n")
_CHOSEN: Final = re.compile(r"(?m)^  wrenml: (\{.*\})$")
_FUNCTIONS: Final = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-*"


def bundled(name: str) -> str:
    """Find a file that comes with wrenml, in an installed one or in its source tree.

    Parameters
    ----------
    name : str
        Such as ``infra/template.yaml``.

    Raises
    ------
    ConfigError
        The installation lacks it.
    """
    package = os.path.dirname(os.path.abspath(wrenml.__file__))
    for folder in (os.path.join(package, "_bundled"), os.path.dirname(package)):
        path = os.path.join(folder, *name.split("/"))
        if os.path.isfile(path):
            return path
    raise ConfigError(f"this installation of wrenml lacks {name}, which deploying needs: install wrenml again.")


def render(choices: Choices) -> str:
    """Make the template of a stack: YAML, with what was chosen in its metadata."""
    with open(bundled("infra/template.yaml"), encoding="utf-8") as file:
        text = file.read()
    # Replacements are given as functions, since texts would have their backslashes read.
    text = _CHOSEN.sub(lambda _: f"  wrenml: {choices.to_json()}", text)
    for name, value in parameters(choices).items():
        # So that a pipeline that applies the template needs no parameters.
        text = re.sub(rf"(?m)^(  {name}:\n    Type: .*\n    Default: ).*", _default(value), text)
    return _BLOCK.sub(lambda found: "".join([*_functions(found[1], choices), _grants(choices)]), text)


def _default(value: str) -> Callable[[re.Match[str]], str]:
    return lambda found: found[1] + json.dumps(value)


def _functions(block: str, choices: Choices) -> Iterable[str]:
    return (block.replace(_SIZE, str(size)) for size in choices.memory_mb)


def _grants(choices: Choices) -> str:
    statements = [
        *(statement for url in choices.read for statement in _reading(url)),
        *(_allow(["s3:PutObject", "s3:AbortMultipartUpload"], _objects(url)) for url in choices.write),
    ]
    if not statements:
        return ""
    document = {"Version": "2012-10-17", "Statement": statements}
    properties = {"PolicyName": "grants", "Roles": [{"Ref": "Worker"}], "PolicyDocument": document}
    return f"  Grants: {json.dumps({'Type': 'AWS::IAM::Policy', 'Properties': properties})}\n"


def _reading(url: str) -> Iterable[dict[str, Any]]:
    bucket, prefix = _split(url)
    yield _allow(["s3:GetObject"], _objects(url))
    listing = _allow(["s3:ListBucket"], [_arn(bucket)])
    if prefix:
        listing["Condition"]["StringLike"] = {"s3:prefix": [prefix, f"{prefix}/*"]}
    yield listing


def _allow(actions: list[str], resources: list[dict[str, str]]) -> dict[str, Any]:
    condition = {"ArnLike": {"lambda:SourceFunctionArn": {"Fn::Sub": _FUNCTIONS}}}
    return {"Effect": "Allow", "Action": actions, "Resource": resources, "Condition": condition}


def _objects(url: str) -> list[dict[str, str]]:
    bucket, prefix = _split(url)
    return [_arn(f"{bucket}/{prefix}"), _arn(f"{bucket}/{prefix}/*")] if prefix else [_arn(f"{bucket}/*")]


def _arn(path: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{path}"}


def _split(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix.rstrip("/")


def parameters(choices: Choices) -> dict[str, str]:
    """The template's parameters for what was chosen."""
    limit = choices.max_concurrency
    return {
        "Python": f"python{choices.python}",
        "Architecture": choices.arch,
        "MaxConcurrency": "" if limit is None else str(limit),
        "Policies": ",".join(choices.policies),
        "AlarmTopic": choices.alarms,
    }


def choices_of(template: str) -> Choices:
    """Read what a template was rendered from.

    Raises
    ------
    ConfigError
        `render` did not make it.
    """
    found = _CHOSEN.search(template)
    return Choices.from_json(found[1] if found else "null")
