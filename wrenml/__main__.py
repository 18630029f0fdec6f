"""``python -m wrenml``: the same as the command ``wrenml``."""

from __future__ import annotations

import sys

from wrenml.cli import main

if __name__ == "__main__":
    sys.exit(main())
