"""``wrenml emulate``."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import signal
import sys
from threading import Event

from wrenml.cli.exits import Exit
from wrenml.errors import ConfigError

__all__ = ["add_emulate_arguments", "run_emulate"]

_LAST_PORT = 65_535
_HELP = """\
# An AWS on loopback, until you interrupt it: nothing leaves this machine, nothing costs anything, nothing is kept.
# In another shell, evaluate these lines, then run: wrenml deploy
"""


def add_emulate_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("--port", type=_port, default=0, metavar="N", help="on 127.0.0.1 (a free one)")
    command.add_argument(
        "--latency",
        type=_latency,
        action="append",
        default=[],
        metavar="WHAT=SECONDS",
        help="more time for each request to a service or of an operation, as s3=0.02 or Invoke=0.03; repeatable",
    )
    command.add_argument(
        "--user", default="deployer", metavar="NAME", help="whose credentials to print: any name (deployer)"
    )


def run_emulate(arguments: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises
    ------
    ConfigError
        What it needs is not installed, or the port is taken.
    """
    try:
        from wrenml.testing.emulator import Emulator  # noqa: PLC0415 - takes a while, and needs the testing extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the emulated AWS needs {error.name}, which is not installed. Run: pip install 'wrenml[testing]'"
        ) from error
    try:
        emulator = Emulator(arguments.port)
    except OSError as error:
        raise ConfigError(f"port {arguments.port} cannot be taken: {error}. Give another --port, or none.") from error
    with emulator as aws:
        aws.latency.update(arguments.latency)
        _tell(aws.url, aws.environment_of(arguments.user), as_json=arguments.json)
        _wait()
    return Exit.DONE


def _tell(url: str, variables: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"url": url, "environment": variables})
    else:
        text = _HELP + "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    sys.stdout.write(f"{text}\n")
    # Whoever reads a pipe waits for this.
    sys.stdout.flush()


def _wait() -> None:
    over = Event()
    before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        over.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 0 to {_LAST_PORT}")
    return int(text)


def _latency(text: str) -> tuple[str, float]:
    name, equals, seconds = text.partition("=")
    try:
        value = float(seconds)
    except ValueError:
        value = math.nan
    if not equals or not name or not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: give a service or an operation, =, and seconds, as s3=0.02")
    return name, value
