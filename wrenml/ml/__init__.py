"""Learning on map: scikit-learn's work over the executor's workers.

Importing it registers the joblib backend ``"wrenml"``, where joblib is installed; scikit-learn is not loaded.
"""

from __future__ import annotations

from importlib.util import find_spec

__all__: list[str] = []

if find_spec("joblib") is not None:
    # joblib finds backends by what was imported, in workers too.
    from wrenml.ml.parallel import register

    register()
