"""Local code on its way to workers: found, packed as an archive in the client, importable in the worker.

::

    names ──▶ sources (which are local, where) ──▶ archive (files, what they import, zip) ──▶ blob
                                                                                              │
    worker: sys.path ◀── activate ◀── <folder>/<digest>/ ◀── install ◀────────────────────────┘

Local is what is neither in the standard library nor installed: modules beside the script, packages in the
project, editable installs. It travels under its own names, so that an exception's class has one name on both
sides. Modules that have no file are no matter of this package: `wrenml.pickling.Packer` pickles by value what
is in them.
"""

from __future__ import annotations

from wrenml.modules.archive import MAX_BYTES, Archive, collect
from wrenml.modules.installed import activate, install

__all__ = ["MAX_BYTES", "Archive", "activate", "collect", "install"]
