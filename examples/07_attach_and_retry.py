"""Attach: a job outlives the process that started it; what failed is run again, the rest is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from wrenml import local_executor


def measure(path: str, number: int) -> int:
    """Fail for every third number until a file exists."""
    if number % 3 == 0 and not Path(path).exists():
        raise FileNotFoundError(f"no calibration for {number}")
    return number**2


def start(path: str) -> None:
    """Start the job in a process of its own, which says its id and ends."""
    with local_executor() as executor:
        futures = executor.starmap(measure, [(path, number) for number in range(9)], name="measure")
        futures.exceptions()
        print(futures.id)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        start(sys.argv[1])
        sys.exit()

    with TemporaryDirectory() as folder, local_executor() as executor:
        path = Path(folder, "calibration")
        done = subprocess.run([sys.executable, __file__, str(path)], check=True, text=True, stdout=subprocess.PIPE)
        job = done.stdout.strip()

        futures = executor.attach(job)
        print(f"another process ran job {job}:", futures)
        print("failed:", [index for index, error in enumerate(futures.exceptions()) if error])

        path.touch()
        mended = futures.retry_failed()
        print("after a retry of those only:", mended.results())
        assert mended.results() == [number**2 for number in range(9)]
