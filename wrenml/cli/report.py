"""``wrenml report``."""

from __future__ import annotations

import argparse
import sys

from wrenml.cli.exits import Exit
from wrenml.cli.reading import Jobs
from wrenml.reporting.page import page

__all__ = ["run_report"]


def run_report(arguments: argparse.Namespace) -> int:
    """Write all that is known of a job to one HTML file."""
    record = Jobs().read(arguments.job)
    path = arguments.output or f"wrenml-{record.manifest.job}.html"
    with open(path, "w", encoding="utf-8") as file:
        file.write(page([record], alive=[None]))
    sys.stdout.write(f"{path}\n")
    return Exit.DONE
