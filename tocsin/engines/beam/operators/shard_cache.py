"""A worker's cache of a shard: decoded batches, memory and progress."""

from __future__ import annotations

import pyarrow as pa

from tocsin.engines.beam.io.batch_coder import BatchCoder
from tocsin.parts.operator import Memory
from tocsin.steps.state.progress import RESULTS, noted_progress

MILLISECOND, SECOND = 1_000, 1_000_000


class ShardCache:
    """Batches by the bytes that they were decoded from, memory, and the progress of partitions."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        # When the timer fires, if that is later than the shard wants.
        self.fires: int | None = None
        self._progress: dict[str, int] = {}
        self._batches: dict[int, tuple[bytes, pa.RecordBatch]] = {}

    def note(self, batch: pa.RecordBatch) -> None:
        """Keep the progress that is noted on a batch."""
        for partition, watermark in noted_progress(batch).items():
            self._progress[partition] = max(self._progress.get(partition, watermark), watermark)

    def soon(self, due: int, hold: int) -> int:
        """When to advance a shard that wants it at `due`: the last whole second that all passed.

        So a shard that is far behind is advanced once, not second by second. hold: how much later
        a timer fires. A timer fires when the watermark has passed its time.
        """
        passed = (
            time if of == RESULTS else time - hold - MILLISECOND
            for of, time in self._progress.items()
        )
        return max(due, min(passed, default=due) // SECOND * SECOND)

    def known(self, encoded: bytes, batch: pa.RecordBatch) -> None:
        """Keep a batch whose bytes will be in the log."""
        self._batches[id(encoded)] = encoded, batch

    def decoded(self, log: list[bytes], coder: BatchCoder) -> list[pa.RecordBatch]:
        """The batches of a log. A runner's cache returns the same objects, so most are known."""
        known, self._batches = self._batches, {}
        for encoded in log:
            self._batches[id(encoded)] = known.get(id(encoded)) or (encoded, coder.decode(encoded))
        return [self._batches[id(encoded)][1] for encoded in log]

    def encoded(self, log: list[pa.RecordBatch], coder: BatchCoder) -> list[bytes]:
        """The batches of a log as bytes."""
        known = {id(batch): encoded for encoded, batch in self._batches.values()}
        pieces = [known.get(id(batch)) or coder.encode(batch) for batch in log]
        self._batches = {
            id(encoded): (encoded, batch) for encoded, batch in zip(pieces, log, strict=True)
        }
        return pieces
