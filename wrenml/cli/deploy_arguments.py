"""What can be typed after ``wrenml deploy`` and ``wrenml destroy``."""

from __future__ import annotations

import argparse

__all__ = ["add_deploy_arguments", "add_place_arguments", "run_deploy", "run_destroy"]


def run_deploy(arguments: argparse.Namespace) -> int:
    """Bring the stack to what the arguments say."""
    from wrenml.cli import deploy  # noqa: PLC0415 - what it loads is of no use to other commands

    return deploy.run_deploy(arguments)


def run_destroy(arguments: argparse.Namespace) -> int:
    """Take the stack out of the account."""
    from wrenml.cli import deploy  # noqa: PLC0415 - the same

    return deploy.run_destroy(arguments)


def add_place_arguments(command: argparse.ArgumentParser) -> None:
    """Which stack, where, and whether to ask."""
    command.add_argument("--stack", metavar="NAME", help="the stack (that of your settings, or wrenml)")
    command.add_argument("--region", metavar="REGION", help="as eu-west-1 (that of your AWS configuration)")
    command.add_argument("--profile", metavar="NAME", help="of your AWS configuration")
    command.add_argument("--yes", action="store_true", help="go ahead without asking")


def add_deploy_arguments(command: argparse.ArgumentParser) -> None:
    """What to deploy; what is not given stays as it is deployed, but for Python and the package."""
    add_place_arguments(command)
    command.add_argument(
        "--memory",
        dest="memory_mb",
        type=_sizes,
        metavar="MB[,MB]",
        help="a function for each size (1769, which has one whole CPU)",
    )
    command.add_argument("--arch", metavar="ARCH", help="x86_64 or arm64 (this machine's)")
    command.add_argument("--python", metavar="3.N", help="of the functions, and so of their clients (this one)")
    command.add_argument(
        "--requirements", metavar="FILE", help="what calls import beside numpy, scipy and scikit-learn, as for pip"
    )
    command.add_argument(
        "--read",
        action="append",
        metavar="URL",
        help="s3://bucket[/prefix] that calls may read; '' for none; repeatable",
    )
    command.add_argument(
        "--write", action="append", metavar="URL", help="s3://bucket[/prefix] that calls may write; repeatable"
    )
    command.add_argument(
        "--policy", dest="policies", action="append", metavar="ARN", help="managed policy that calls have; repeatable"
    )
    command.add_argument(
        "--max-concurrency",
        type=_limit,
        metavar="N",
        help="reserve so many environments for each function, which then has no more; none for no reservation",
    )
    command.add_argument("--alarms", metavar="ARN", help="SNS topic that is told of dropped requests; '' for none")
    command.add_argument("--dry-run", action="store_true", help="only say what would change")
    command.add_argument("--template-only", action="store_true", help="print the CloudFormation template, do nothing")


def _sizes(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: give MB, as 1769, or several, as 1769,3008")
    return tuple(sorted({int(part) for part in parts}))


def _limit(text: str) -> int:
    if text == "none":
        return -1
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, or none")
    return int(text)
