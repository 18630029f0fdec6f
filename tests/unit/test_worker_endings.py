from __future__ import annotations

import signal

from wrenml.errors import WorkerOutOfMemory
from wrenml.worker.endings import Limits, Reason, ending
from wrenml.worker.supervisor import Death


def test_who_used_more_than_a_limit_is_said_to_have_used_more() -> None:
    killed = Death(signal.SIGKILL, None, "")

    error, final = ending(Reason.out_of_memory(150 * 1024 + 4), killed, Limits(memory_mb=150))

    assert isinstance(error, WorkerOutOfMemory)
    assert final
    assert error.peak_mb == 151
    assert "used 151 MB, more than its limit of 150 MB" in str(error)
