"""Reads one split: its position, its clock and its watermark."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.engines.reading.judged_rows import Judge, Judged
from tocsin.engines.reading.split_clock import SplitClock
from tocsin.kernels.batch import BEGINNING, EVENT_TIME, FOREVER, micros
from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.parts.source import Fetched, Split

BEHIND = 20_000
"""A split is behind if more readings than this are available and unread."""
_MILLISECOND = 1_000


@dataclass(frozen=True)
class Position:
    """What a checkpoint has of a split.

    next: the next position to read. greatest, clock: as in `SplitClock`. watermark: the last one
    that was passed on, or BEGINNING.
    """

    split: Split
    next: int
    greatest: int = BEGINNING
    clock: PartitionClock | None = None
    watermark: int = BEGINNING


class SplitReader:
    """A split that is being read. idle_after: microseconds, or None: it never counts as idle."""

    def __init__(self, judge: Judge, position: Position, *, idle_after: int | None) -> None:
        self.split = position.split
        self._passed = position.watermark
        # The split is read when the others have come to its first reading, if that is known.
        is_new = position.next == position.split.start
        self._floor = (judge.source.earliest(position.split) if is_new else None) or BEGINNING
        self.next = position.next
        self.end: int | None = None
        self.is_behind = True
        self.has_ended = False
        self._judge = judge
        self._source = judge.source
        self._clock = SplitClock.of(self._source, position.greatest, position.clock)
        self._idle_after = idle_after
        self._last_read = self._waited = time.monotonic()
        self._answered = FOREVER
        # The watermark after the last reading.
        self._at_reading = position.watermark
        self._fetched: Iterator[Fetched | None] | None = None

    def position(self) -> Position:
        """Where it is."""
        clock = self._clock
        return Position(self.split, self.next, clock.greatest, clock.consensus, self._passed)

    @property
    def watermark(self) -> int:
        """No row that follows is behind it, except late ones. FOREVER at the end."""
        return max(self._passed, self._floor // _MILLISECOND * _MILLISECOND)

    @property
    def lag(self) -> int | None:
        """The number of unread messages, if it is known."""
        return None if self.end is None else max(self.end - self.next, 0)

    @property
    def reached(self) -> int | None:
        """The watermark at the end of a bounded split; None without rows."""
        best = self._clock.best()
        return None if best <= BEGINNING else best - self._source.out_of_orderness

    def heed(self, answered: int, is_away: bool) -> None:
        """Do not count it as idle while the broker is away, which alone knows of more readings.

        answered: the watermark at its last answer. An idle split is not ahead of it, so readings
        that arrive while the broker does not answer are not late.
        """
        self._answered = answered
        if is_away:
            self._waited = time.monotonic()

    def read(self) -> Judged | None:
        """The next batch; None if there is nothing at present, or if the split has ended."""
        if self._fetched is None:
            self._fetched = self._source.read(self.split, self.next)
        try:
            fetched = next(self._fetched)
        except StopIteration:
            self._ended()
            return None
        if fetched is None:
            self.is_behind = self.split.stop is not None
            self._advance_idle()
            return None
        judged = self._judged(fetched)
        self._clock, self.next, self.end = judged.clock, fetched.position, fetched.end
        self._last_read = time.monotonic()
        self.is_behind = _is_behind(fetched)
        if self._clock.greatest > BEGINNING:
            self._advance(self._clock.greatest - self._source.out_of_orderness)
        self._at_reading = self._passed
        return judged

    def _judged(self, fetched: Fetched) -> Judged:
        """The rows of a batch. If one is before the split's first time, all meet that watermark."""
        judged = self._judge.judge(fetched, self.split, self._clock, self._passed)
        times = micros(judged.rows.column(EVENT_TIME))
        if len(times) and times.min() < self._floor:
            self._advance(self._floor)
            judged = self._judge.judge(fetched, self.split, self._clock, self._passed)
        return judged

    def _ended(self) -> None:
        """The split has no more rows: it was read to its end, or another topic took its place."""
        self.has_ended = True
        self._passed = FOREVER
        self._fetched = None
        if self.split.stop is not None:
            self.next = max(self.next, self.split.stop)
            self._judge.end()

    def _advance(self, moment: int) -> None:
        self._passed = max(self._passed, moment // _MILLISECOND * _MILLISECOND)

    def _advance_idle(self) -> None:
        """Let the watermark follow the clock on the wall after `idle_after` without a reading."""
        now = time.monotonic()
        quiet = int((now - self._last_read) * 1_000_000)
        waiting = (now - max(self._last_read, self._waited)) * 1_000_000
        if self._idle_after is None or waiting <= self._idle_after:
            return
        behind = self._source.out_of_orderness
        greatest = self._clock.best()
        if self._clock.is_contested and self._at_reading > BEGINNING:
            # Where messages are far apart, each may be ahead of the clock. The watermark then
            # continues from where it was at the last message.
            greatest = max(greatest, self._at_reading + behind)
        moment = (
            greatest - behind + quiet
            if greatest > BEGINNING
            else int(time.time() * 1_000_000) - behind - self._idle_after
        )
        self._advance(min(moment, self._answered))


def _is_behind(fetched: Fetched) -> bool:
    """Whether large batches matter more than early ones. Some readings always wait."""
    if fetched.end is None:
        return True
    waiting: int = (fetched.end - fetched.position) * max(fetched.batch.num_rows, 1)
    return waiting > BEHIND * max(fetched.messages, 1)
