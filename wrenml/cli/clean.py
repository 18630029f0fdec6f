"""``wrenml clean``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from wrenml.cli.exits import Exit
from wrenml.config import load_settings
from wrenml.folders import working_dir
from wrenml.monitor.expiry import expire
from wrenml.observe.text import plural, span

__all__ = ["run_clean"]

_MB = 1e6


def run_clean(arguments: argparse.Namespace) -> int:
    """Remove old local jobs and what only they needed."""
    folder = load_settings(os.environ, working_dir()).cache_dir
    removed = expire(folder, arguments.older_than, dry_run=arguments.dry_run)
    if arguments.json:
        sys.stdout.write(f"{json.dumps(asdict(removed))}\n")
        return Exit.DONE
    what = "would remove" if arguments.dry_run else "removed"
    parts = [
        plural(removed.jobs, "job"),
        plural(removed.blobs, "blob"),
        plural(removed.archives, "unpacked archive"),
        plural(removed.workers, "folder") + " of dead workers",
    ]
    age = span(arguments.older_than)
    sys.stdout.write(f"{what} {', '.join(parts)}: {removed.bytes / _MB:,.1f} MB older than {age} in {folder}\n")
    if removed.busy:
        sys.stdout.write(f"{plural(removed.busy, 'old job')} of clients that still run: kept\n")
    return Exit.DONE
