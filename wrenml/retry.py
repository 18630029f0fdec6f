"""Policies of patience, as pure functions of the values passed in."""

from __future__ import annotations

__all__ = ["BATCH_SECONDS", "backoff", "backup_due", "batch_size", "is_short", "most_backups", "part_size"]

BATCH_SECONDS = 0.012
CALL_OVERHEAD = 3e-6
GROWTH = 4
PART_SECONDS = 2.0


def backoff(attempt: int, *, base: float, cap: float, random: float) -> float:
    """How long to wait before trying again: exponential, with full jitter.

    Parameters
    ----------
    attempt : int
        How many attempts have failed so far, from 1.
    base : float
        Seconds; the longest wait after the first failure.
    cap : float
        Seconds; the longest wait after any failure.
    random : float
        A number in [0, 1), drawn by the caller.

    Returns
    -------
    float
        Seconds, in [0, min(cap, base * 2 ** (attempt - 1))].
    """
    # The exponent is bounded because a float overflows long before patience ends.
    return random * min(cap, base * 2.0 ** min(attempt - 1, 64))


def batch_size(*, call_seconds: float | None, last: int, pending: int, workers: int, closed: bool) -> int:
    """How many calls to hand to a local worker at once.

    Batches last about 12 ms, so that handing over costs little beside them, grow fourfold, since the first
    measurements say little, and shrink at the end of a job, so that workers finish together.

    Parameters
    ----------
    call_seconds : float, optional
        How long a call takes, as far as is known.
    last : int
        Size of the batch before.
    pending : int
        Calls that wait.
    workers : int
        Workers that share them.
    closed : bool
        Whether no more calls will be added.
    """
    if call_seconds is None:
        return 1
    size = min(int(BATCH_SECONDS / (call_seconds + CALL_OVERHEAD)), last * GROWTH)
    share = pending // (2 * workers) if closed else pending // workers
    return max(1, min(size, share))


def part_size(count: int, call_seconds: float | None) -> int:
    """How many calls of an invocation share one outcome object: as many as run in about two seconds.

    Parameters
    ----------
    count : int
        Calls of the invocation.
    call_seconds : float, optional
        How long a call takes; while that is not known, there are four parts.
    """
    size = -(-count // 4) if call_seconds is None else int(PART_SECONDS / max(call_seconds, 1e-6))
    return max(1, min(size, count))


def is_short(*, call_seconds: float | None, batch: int) -> bool:
    """Whether a worker may have a second request waiting: its first is over before anybody else could be free."""
    return call_seconds is not None and call_seconds * batch < 2 * BATCH_SECONDS


def backup_due(waited: float, median: float, *, settled: int, total: int) -> bool:
    """Whether a call is so much slower than others that it is worth starting a second time.

    Parameters
    ----------
    waited : float
        Seconds since it was sent.
    median : float
        Of the calls that have ended, seconds.
    settled, total : int
        Calls of the job: nine in ten must have ended.
    """
    return settled * 10 >= total * 9 and waited > max(3 * median, 5.0)


def most_backups(total: int) -> int:
    """How many backup calls a job may have: one in twenty, at least one."""
    return max(1, total // 20)
