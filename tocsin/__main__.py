"""The command `tocsin`, also as `python -m tocsin`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a verb. Ctrl-C is an answer from the first moment: the imports take a second."""
    # NumPy starts a thread for each core, which takes 0.1 s, and nothing of ours multiplies large
    # matrices. Parts that do may set it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from tocsin.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("tocsin: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
