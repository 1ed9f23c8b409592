"""What a worker remembers of a shard besides its state, to save work."""

from __future__ import annotations

import pyarrow as pa

from tocsin.engines.beam.io.batch_coder import BatchCoder
from tocsin.parts.operator import Memory
from tocsin.steps.state.progress import RESULTS, noted_progress

MILLISECOND, SECOND = 1_000, 1_000_000


class ShardCache:
    """What a worker knows of a shard besides its state: batches by the bytes that they were decoded from, and memory."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        # When the timer fires, where that is later than the shard wants.
        self.fires: int | None = None
        self._progress: dict[str, int] = {}
        self._batches: dict[int, tuple[bytes, pa.RecordBatch]] = {}

    def note(self, batch: pa.RecordBatch) -> None:
        """How far the partitions of its rows have come."""
        for partition, watermark in noted_progress(batch).items():
            self._progress[partition] = max(self._progress.get(partition, watermark), watermark)

    def soon(self, due: int, hold: int) -> int:
        """When a shard that wants to be advanced at `due` had better be: once, at the last whole second that all have passed.

        hold: how much later a timer fires. It does when the watermark is behind it, which at the very time it is not.
        """
        passed = (
            time if of == RESULTS else time - hold - MILLISECOND
            for of, time in self._progress.items()
        )
        return max(due, min(passed, default=due) // SECOND * SECOND)

    def known(self, encoded: bytes, batch: pa.RecordBatch) -> None:
        """These bytes will be in the log."""
        self._batches[id(encoded)] = encoded, batch

    def decoded(self, log: list[bytes], coder: BatchCoder) -> list[pa.RecordBatch]:
        """The log's batches. The runner's cache gives the same objects again, so that most are known."""
        known, self._batches = self._batches, {}
        for encoded in log:
            self._batches[id(encoded)] = known.get(id(encoded)) or (encoded, coder.decode(encoded))
        return [self._batches[id(encoded)][1] for encoded in log]

    def encoded(self, log: list[pa.RecordBatch], coder: BatchCoder) -> list[bytes]:
        """The log's batches as bytes."""
        known = {id(batch): encoded for encoded, batch in self._batches.values()}
        pieces = [known.get(id(batch)) or coder.encode(batch) for batch in log]
        self._batches = {
            id(encoded): (encoded, batch) for encoded, batch in zip(pieces, log, strict=True)
        }
        return pieces
