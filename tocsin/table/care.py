"""The care of a table by the job that writes it: checkpoints of the log, and a daily vacuum.

A table opens fast only if few commits came since its last checkpoint. Whoever makes a commit with a
round number cares for the table, so one writer does at a time. It works in a thread: a flush does
not wait, and a failure is logged and counted while the job runs on. Compaction reads and writes as
many bytes as the job did, so it is left to `tocsin lake maintain`, which may run elsewhere.
"""

from __future__ import annotations

import logging
import threading

from tocsin.foundation.failure import Failure
from tocsin.table.checkpoints import checkpoint
from tocsin.table.history import committed_at
from tocsin.table.leftovers import vacuum

EVERY = 100
"""Commits between two checkpoints."""
DELAY = 7 * 86_400
"""Seconds for which removed files and commits stay, and with them the older versions."""
_DAY = 86_400_000
_LOG = logging.getLogger("tocsin.lake")


class TableCare:
    """Cares for a table after commits. failures: how often it could not."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._thread: threading.Thread | None = None
        self.failures = 0

    def after(self, version: int) -> None:
        """Note a commit of this writer. A round number starts the care in a thread."""
        if version % EVERY or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._care, args=(version,), name="lake-care")
        self._thread.start()

    def wait(self) -> None:
        """Wait for the care that has begun."""
        if self._thread is not None:
            self._thread.join()

    def _care(self, version: int) -> None:
        try:
            is_new_day = self._is_first_of_day(version)
            checkpoint(self._place, keep=DELAY)
            if is_new_day:
                vacuum(self._place, DELAY)
        except (Failure, OSError, ValueError) as error:
            self.failures += 1
            reason = error.sentence if isinstance(error, Failure) else str(error)
            _LOG.warning("the care of %s failed, and is tried again later: %s", self._place, reason)

    def _is_first_of_day(self, version: int) -> bool:
        """Whether midnight in UTC has passed since the care before."""
        try:
            before = committed_at(self._place, version - EVERY)
        except OSError:
            return True
        return committed_at(self._place, version) // _DAY != before // _DAY
