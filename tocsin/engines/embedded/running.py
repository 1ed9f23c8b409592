"""Runs a checked job in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from tocsin.compiler.job import Job
from tocsin.engines.embedded.assembly import assemble, leave_out_unread
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.rounds import Rounds, pause
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.engines.targets import check_targets
from tocsin.foundation.ledger import Ledger

ROUND = 100_000
"""Rows of a round with an end. Memory grows with it, and so does speed."""


def run_bounded(job: Job, *, rows: int = ROUND) -> Ledger:
    """Read the present content of the inputs to its end; return the ledger.

    rows: about how many rows a round has. Raises Failure with one sentence where the cause is
    outside the job, such as a broker or disk, and Mistake for a step that only Beam can run.
    """
    counts = Counts()
    assembly = assemble(job, counts, run=uuid4().hex[:16], sources={})
    leave_out_unread(assembly, set())
    check_targets(job)
    readers = [
        SourceReader(name, source, counts, live=False, positions=[])
        for name, source in assembly.sources.items()
    ]
    rounds = Rounds(assembly, readers, counts)
    while not rounds.has_ended:
        rounds.play(rows)
        rounds.flush()
    return counts.ledger(job.counted())


def run_live(job: Job, *, is_stopping: Callable[[], bool], rows: int = ROUND) -> Ledger:
    """Read on until `is_stopping`; return the ledger."""
    counts = Counts()
    assembly = assemble(job, counts, run="", sources={})
    leave_out_unread(assembly, set())
    check_targets(job, live=True)
    readers = [
        SourceReader(name, source, counts, live=True, positions=[])
        for name, source in assembly.sources.items()
    ]
    rounds = Rounds(assembly, readers, counts)
    linger = min(reader.source.linger for reader in readers) / 1e6
    try:
        while not is_stopping():
            began = time.monotonic()
            for reader in readers:
                reader.limit(rows, linger)
            read = rounds.play(rows)
            rounds.flush()
            if not read:
                pause(began, linger)
    finally:
        rounds.close()
    return counts.ledger(job.counted())
