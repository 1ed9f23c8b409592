"""A live job that ends with its topics: `python -m benchmarks.programs.live JOB ROWS`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tocsin.compiler.checker import check_file
from tocsin.engines.embedded.running import LiveJob


def main() -> None:
    """Read in rounds of ROWS rows, with checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        job = LiveJob(check_file(sys.argv[1])[0], Path(folder), rows=int(sys.argv[2]))

        def has_read_all() -> bool:
            readers = [one for reader in job.readers for one in reader.readers]
            return all(one.next > 0 and one.lag == 0 for one in readers)

        job.run(has_read_all)


if __name__ == "__main__":
    main()
