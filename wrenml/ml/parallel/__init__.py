"""The joblib backend ``"wrenml"``: every ``n_jobs`` of scikit-learn on the executor's workers.

::

    Parallel ──submit──▶ backend ──▶ dispatcher ──pack──▶ sharing ──▶ Executor.submit ──▶ tasks.run_batches
        ▲                                │  ▲                                               │  (worker)
        └────callback, lowest first──────┘  └──────────────── envelopes ◀───────────────────┘
"""

from __future__ import annotations

from wrenml.ml.parallel.backend import WrenmlBackend, register

__all__ = ["WrenmlBackend", "register"]
