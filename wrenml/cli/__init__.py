"""The command ``wrenml``: run the demo, look at jobs, run a call again here, clean up."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wrenml.cli.exits import Exit
from wrenml.cli.parser import build_parser
from wrenml.errors import ConfigError, JobNotFoundError, WrenmlError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Default: the process's arguments.

    Returns
    -------
    int
        The exit code (`wrenml.cli.exits.Exit`).
    """
    arguments = build_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except JobNotFoundError as error:
        return _complain(error, Exit.NOT_FOUND)
    except ConfigError as error:
        return _complain(error, Exit.USAGE)
    except (WrenmlError, OSError) as error:
        return _complain(error, Exit.ERROR)
    return code


def _complain(error: Exception, code: Exit) -> Exit:
    sys.stderr.write(f"wrenml: {' '.join(str(error).split())}\n")
    return code
