"""The greatest event time that counts in a split: the source's rule, between two batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import BEGINNING, Int64s
from tocsin.kernels.time.lateness import behind, running_watermarks
from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.parts.source import Source


@dataclass(frozen=True)
class SplitClock:
    """What the watermark of a split depends on. Times are microseconds.

    Attributes:
        greatest: the greatest event time that counts, or BEGINNING.
        consensus: how messages agree on it; None if every row counts.
        out_of_orderness, max_ahead: of the source.
    """

    greatest: int
    consensus: PartitionClock | None
    out_of_orderness: int
    max_ahead: int

    @classmethod
    def of(
        cls, source: Source, greatest: int = BEGINNING, consensus: PartitionClock | None = None
    ) -> SplitClock:
        """The clock of a split, by default at its beginning; else what a checkpoint has of it.

        A checkpoint of a source without `max_ahead` has a greatest event time only: it counts.
        """
        if source.max_ahead is None:
            return cls(greatest, None, source.out_of_orderness, 0)
        if consensus is None:
            consensus = PartitionClock.at(greatest) if greatest > BEGINNING else PartitionClock()
        return cls(greatest, consensus, source.out_of_orderness, source.max_ahead)

    def follow(self, times: Int64s, offsets: Int64s) -> tuple[Int64s, int, SplitClock]:
        """The watermark before each row, how many rows are ahead, and the clock afterwards.

        times, offsets: of accepted rows in offset order.
        """
        if self.consensus is None:
            watermarks, greatest = running_watermarks(times, self.greatest, self.out_of_orderness)
            return watermarks, 0, SplitClock(greatest, None, self.out_of_orderness, 0)
        before, ahead, consensus = self.consensus.follow(times, offsets, self.max_ahead)
        after = SplitClock(consensus.time, consensus, self.out_of_orderness, self.max_ahead)
        return behind(before, self.out_of_orderness), int(np.count_nonzero(ahead)), after

    def best(self) -> int:
        """The greatest event time that counts if no more rows come, or BEGINNING without rows."""
        return self.greatest if self.consensus is None else self.consensus.best(self.max_ahead)

    @property
    def is_contested(self) -> bool:
        """Whether the last messages are ahead of it."""
        return self.consensus is not None and self.consensus.is_contested

    def claim(self, position: int) -> tuple[int, int, PartitionClock | None]:
        """What a tracker claims with the rows before a position."""
        return position, self.greatest, self.consensus
