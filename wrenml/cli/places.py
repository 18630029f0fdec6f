"""Which stack a command is about."""

from __future__ import annotations

import argparse
import os

from wrenml.config import load_settings
from wrenml.folders import working_dir

__all__ = ["place_of"]


def place_of(arguments: argparse.Namespace) -> tuple[str, str | None, str | None]:
    """The stack, region and profile that were typed, else those of the settings."""
    settings = load_settings(os.environ, working_dir())
    stack, region, profile = arguments.stack, arguments.region, arguments.profile
    return stack or settings.stack, region or settings.region, profile or settings.profile
