"""`tocsin workers`."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from tocsin.cli.console import DONE, note
from tocsin.foundation.failure import Failure


def workers(*, port: int = 8100, host: str = "127.0.0.1", folder: Path | None = None) -> int:
    """Run the pool of Python workers for Flink's TaskManagers on this machine, until interrupted.

    The workers of a job run the code that was submitted with it. The pool runs all code that it
    receives: keep it on loopback, or on a network that only TaskManagers reach.

    Parameters
    ----------
    port
        Port to listen on.
    host
        Address to listen on.
    folder
        Folder for the code of jobs. By default one for this user among temporary files.
    """
    from tocsin.engines.beam.workers.pool import WorkerPool, default_folder

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    where = folder or default_folder()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = where.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        # The pool runs the code in this folder, so no other user may write to it.
        raise Failure(
            f"others may write to {where}; use --folder with a folder that only you can write to"
        )
    pool = WorkerPool(where)
    server = pool.serve(host, port)
    note(f"workers: listening on {host}:{port}")
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    signal.signal(signal.SIGINT, lambda *_: done.set())
    done.wait()
    server.stop(0)
    pool.end()
    return DONE
