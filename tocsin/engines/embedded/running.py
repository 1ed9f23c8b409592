"""Runs a checked job in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from tocsin.compiler.job import Job
from tocsin.engines.embedded.assembly import assemble, leave_out_unread
from tocsin.engines.embedded.checkpoints import Checkpoints
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.progress import Progress
from tocsin.engines.embedded.rounds import Rounds, pause
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.engines.targets import check_targets
from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.ledger import Ledger
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.source import Source

ROUND = 100_000
"""Rows of a round with an end. Memory grows with it, and so does speed."""
_SLOW = 0.5
"""Seconds that a live round may take: a longer one makes the next ones smaller."""
_LEAST, _MOST = 1_000, 200_000


def _never() -> bool:
    return False


def run_bounded(
    job: Job,
    *,
    is_stopping: Callable[[], bool] = _never,
    show: Callable[[Progress], None] | None = None,
    rows: int = ROUND,
) -> Ledger:
    """Read the present content of the inputs to its end; return the ledger.

    is_stopping: end after the round, as an interrupt. show: gets the progress after each round.
    rows: about how many rows a round has. Raises Failure with one sentence where the cause is
    outside the job, such as a broker or disk, Mistake for a step that only Beam can run, and
    KeyboardInterrupt if it was to stop.
    """
    counts = Counts()
    assembly = assemble(job, counts, run=uuid4().hex[:16])
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
        if show is not None:
            show(Progress.of(rounds, readers))
        if is_stopping():
            raise KeyboardInterrupt
    return counts.ledger(job.counted())


class LiveJob:
    """A job that reads until somebody stops it.

    folder: of its checkpoints; None: a restart begins again. every: the least number of seconds
    between two of them. rows: the most of a round. Raises as `run_bounded`, and Failure or Mistake
    where it cannot continue from the folder.
    """

    def __init__(
        self, job: Job, folder: Path | None = None, *, every: float = 1.0, rows: int = _MOST
    ) -> None:
        check_targets(job, live=True)
        self.job = job
        self.checkpoints = None if folder is None else Checkpoints(folder, job)
        self.counts = Counts() if self.checkpoints is None else self.checkpoints.counts()
        assembly = assemble(job, self.counts)
        leave_out_unread(assembly, set())
        self.readers = [self._reader(name, source) for name, source in assembly.sources.items()]
        self.rounds = Rounds(assembly, self.readers, self.counts)
        if self.checkpoints is not None:
            self.checkpoints.restore(self.rounds)
        self._most = rows
        self._rows = min(_LEAST, rows)
        self._every = every
        self._linger = min(reader.source.linger for reader in self.readers) / 1e6
        self._due = time.monotonic() + every

    def _reader(self, name: str, source: Source) -> SourceReader:
        known = self.checkpoints
        return SourceReader(
            name,
            source,
            self.counts,
            live=True,
            positions=[] if known is None else known.positions(name),
            discovered=BEGINNING if known is None else known.discovered(name),
        )

    def run(
        self, is_stopping: Callable[[], bool], show: Callable[[Progress], None] | None = None
    ) -> Ledger:
        """Read on until `is_stopping`, and end with a checkpoint. show: as in `run_bounded`."""
        while not is_stopping():
            self._round()
            if show is not None:
                show(Progress.of(self.rounds, self.readers))
        if self.checkpoints is not None:
            self.checkpoints.write(self.rounds, self.readers)
        return self.counts.ledger(self.job.counted())

    def close(self) -> None:
        """Let go of the sources, and of the folder: another process may use it from now on."""
        self.rounds.close()
        if self.checkpoints is not None:
            self.checkpoints.close()

    def _round(self) -> None:
        began = time.monotonic()
        for reader in self.readers:
            reader.limit(self._rows, self._linger)
        read = self.rounds.play(self._rows)
        failpoint("round.played")
        self.rounds.flush()
        failpoint("round.flushed")
        seconds = time.monotonic() - began
        # A round that is slower than its time reads less next: so a slow sink slows reading down.
        factor = min(_SLOW / max(seconds, 0.05), 2.0)
        self._rows = int(min(max(self._rows * factor, _LEAST), self._most))
        self._checkpoint()
        if not read:
            pause(began, self._linger)

    def _checkpoint(self) -> None:
        """Write a checkpoint if one is due. At most a twentieth of the time goes to them."""
        if self.checkpoints is None or time.monotonic() < self._due:
            return
        began = time.monotonic()
        self.checkpoints.write(self.rounds, self.readers)
        self._due = time.monotonic() + max(self._every, 20 * (time.monotonic() - began))
