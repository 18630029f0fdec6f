"""Learning on map: scikit-learn's work over the executor's workers.

Importing it registers the joblib backend ``"wrenml"``, where joblib is installed.
"""

from __future__ import annotations

__all__: list[str] = []
