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
    """Start Python workers for Flink's TaskManagers on this machine, until interrupted.

    Each job's workers run the code that the job was submitted with. The pool runs what it is sent: keep it on loopback, or
    on a network that only TaskManagers reach.

    Parameters
    ----------
    port
        Port to listen at.
    host
        Address to listen at.
    folder
        Where the code of jobs is kept.
    """
    from tocsin.engines.beam.workers.pool import WorkerPool, default_folder

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    where = folder or default_folder()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = where.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        # What lies there is run: nobody else may have put it there.
        raise Failure(
            f"others may write to {where}; name a folder of this user's own with --folder"
        )
    pool = WorkerPool(where)
    server = pool.serve(host, port)
    note(f"workers: listening at {host}:{port}")
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    signal.signal(signal.SIGINT, lambda *_: done.set())
    done.wait()
    server.stop(0)
    pool.end()
    return DONE
