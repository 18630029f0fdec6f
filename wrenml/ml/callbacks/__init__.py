"""scikit-learn's callbacks, for fits in workers: what happens there is noted, and they are told of it here.

scikit-learn's own way is a socket of the caller's machine, which workers elsewhere do not reach, and a copy of each
callback in each worker. Here callbacks stay with the caller.

::

    caller                                                worker
    Callbacks: callbacks ─▶ proxies ───estimator, scene──▶ fit; proxies note each hook they are called with
    replay: the callbacks' hooks, in that order  ◀──────── Noted
"""

from __future__ import annotations

from wrenml.ml.callbacks.notes import NOTHING, Noted, Path, Quiet, Scene, Task, Watched, path_of
from wrenml.ml.callbacks.replaying import Callbacks, replay

__all__ = ["NOTHING", "Callbacks", "Noted", "Path", "Quiet", "Scene", "Task", "Watched", "path_of", "replay"]
