"""A live job in a process of its own: `… tests.engines.embedded.live_process JOB FOLDER PAUSE`.

It ends when it has read everything, or with SIGTERM. PAUSE: seconds after each round.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tocsin.compiler.checker import check_file
from tocsin.engines.embedded.running import LiveJob


def main() -> None:
    """Run the job with small rounds and a checkpoint after each."""
    job = LiveJob(check_file(sys.argv[1])[0], Path(sys.argv[2]), every=0.0, rows=200)
    rounds = 0

    def has_read_all() -> bool:
        nonlocal rounds
        time.sleep(float(sys.argv[3]))
        readers = [one for reader in job.readers for one in reader.readers]
        # After a restart, nobody knows the end of a partition before its next message.
        is_done = all(not one.is_behind and one.lag in (0, None) for one in readers)
        rounds = rounds + 1 if is_done else 0
        return rounds > 20

    job.run(has_read_all)


if __name__ == "__main__":
    main()
