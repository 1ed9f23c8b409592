"""A live job in a process of its own: `python -m tests.engines.embedded.live_process JOB FOLDER`.

It ends when it has read everything, or with SIGTERM.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tocsin.compiler.checker import check_file
from tocsin.engines.embedded.running import LiveJob


def main() -> None:
    """Run the job with small rounds and a checkpoint after each."""
    job = LiveJob(check_file(sys.argv[1])[0], Path(sys.argv[2]), every=0.0, rows=1_000)
    rounds = 0

    def has_read_all() -> bool:
        nonlocal rounds
        readers = [one for reader in job.readers for one in reader.readers]
        is_done = all(one.lag == 0 for one in readers if one.next or one.lag)
        rounds = rounds + 1 if is_done and any(one.next for one in readers) else 0
        return rounds > 20

    job.run(has_read_all)


if __name__ == "__main__":
    main()
