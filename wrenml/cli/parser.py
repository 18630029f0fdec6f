"""What can be typed after ``wrenml``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import wrenml
from wrenml.cli.clean import run_clean
from wrenml.cli.cost import run_cost
from wrenml.cli.debug import run_debug
from wrenml.cli.demo import run_demo
from wrenml.cli.deploy_arguments import add_deploy_arguments, add_place_arguments, run_deploy, run_destroy
from wrenml.cli.doctor import run_doctor
from wrenml.cli.emulate import add_emulate_arguments, run_emulate
from wrenml.cli.jobs import run_jobs, run_logs, run_show
from wrenml.cli.report import run_report
from wrenml.cli.steering import run_cancel, run_retry
from wrenml.cli.verify import run_verify

__all__ = ["build_parser"]

_EPILOG = """\
JOB is a job's id, the beginning of one, or "last".

exit codes:
  0    done; of show: all calls succeeded; of debug: the call succeeded
  1    of show, retry: calls failed, were cancelled or lost; of debug: the call failed;
       of doctor, verify: something is wrong
  2    the command line or a setting cannot be meant
  3    there is no such job or call
  4    of show, cancel, retry: the job is still running
  5    something else went wrong; standard error says what, in one line
  130  interrupted

examples:
  wrenml demo                   cross-validation and a parameter sweep, in parallel
  wrenml show last              what became of the last map
  wrenml debug 3f5f 12 --pdb    run call 12 of job 3f5f… here, in the debugger
  wrenml jobs --json | jq '.[].id'
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def build_parser() -> argparse.ArgumentParser:
    """Make the parser; `run` of what it returns is the command's function."""
    parser = argparse.ArgumentParser(
        prog="wrenml",
        description="Map Python functions over local processes or AWS Lambda: look at jobs, run calls again, clean up.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wrenml {wrenml.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = _command(commands, "demo", run_demo, "cross-validate and sweep scikit-learn models on real data")
    command.add_argument("--quick", action="store_true", help="fewer models; seconds instead of half a minute")

    command = _command(commands, "jobs", run_jobs, "list jobs, the newest first", reads=True)
    command.add_argument("-n", "--limit", type=_count, default=20, metavar="N", help="at most so many (20)")

    command = _command(commands, "show", run_show, "say what became of a job, or of one call", reads=True)
    _takes_job(command)
    _takes_call(command, "?")

    command = _command(commands, "logs", run_logs, "show what calls printed, and their tracebacks", reads=True)
    _takes_job(command)
    _takes_call(command, "?")

    command = _command(commands, "debug", run_debug, "run a call here, from its stored function and arguments")
    _takes_job(command)
    _takes_call(command, None)
    command.add_argument(
        "--pdb", action="store_true", help="stop at the function's start, and where an exception was raised"
    )

    command = _command(commands, "report", run_report, "write all that is known of a job to one HTML file")
    _takes_job(command)
    command.add_argument("-o", "--output", metavar="FILE", help="where to (wrenml-<job>.html)")

    command = _command(commands, "cancel", run_cancel, "cancel the calls of a job that have no outcome yet")
    _takes_job(command)

    command = _command(commands, "retry", run_retry, "run calls again that failed, were cancelled or lost")
    _takes_job(command)

    command = _command(commands, "clean", run_clean, "remove old local jobs and what only they needed", reads=True)
    command.add_argument(
        "--older-than", type=_age, default=_age("7d"), metavar="AGE", help="as 90s, 30m, 12h, 7d or 2w (7d)"
    )
    command.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    command = _command(
        commands, "deploy", run_deploy, "put wrenml into your AWS account, or bring it up to date", reads=True
    )
    add_deploy_arguments(command)

    command = _command(
        commands, "destroy", run_destroy, "take wrenml and all its jobs out of your AWS account", reads=True
    )
    add_place_arguments(command)

    command = _command(commands, "doctor", run_doctor, "look for what keeps maps from running", reads=True)
    _takes_stack(command)

    command = _command(commands, "cost", run_cost, "say what jobs have cost on AWS", reads=True)
    command.add_argument("job", metavar="JOB", nargs="?", help='id of a job, the beginning of one, or "last"')
    command.add_argument(
        "--since", type=_age, default=_age("7d"), metavar="AGE", help="all jobs of so long, without JOB (7d)"
    )

    command = _command(commands, "verify", run_verify, "run 20 calls on Lambda whose outcomes are known", reads=True)
    _takes_stack(command)

    command = _command(
        commands, "emulate", run_emulate, "serve an AWS on this machine, to deploy to and to test with", reads=True
    )
    add_emulate_arguments(command)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *,
    reads: bool = False,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(run=run)
    if reads:
        command.add_argument("--json", action="store_true", help="for programs")
    return command


def _takes_job(command: argparse.ArgumentParser) -> None:
    command.add_argument("job", metavar="JOB", help='id of a job, the beginning of one, or "last"')


def _takes_call(command: argparse.ArgumentParser, call: str | None) -> None:
    command.add_argument("call", metavar="I", type=_index, nargs=call, help="number of the call, from 0")


def _takes_stack(command: argparse.ArgumentParser) -> None:
    command.add_argument("--stack", metavar="NAME", help="the stack (that of your settings, or wrenml)")
    command.add_argument("--region", metavar="REGION", help="as eu-west-1 (that of your AWS configuration)")
    command.add_argument("--profile", metavar="NAME", help="of your AWS configuration")


def _index(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no call: give its number, 0 for the first")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give 1 or more")
    return int(text)


def _age(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: give a number and s, m, h, d or w, as in 7d")
    return float(match[1]) * _UNITS[match[2]]
