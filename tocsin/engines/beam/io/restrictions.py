"""The unread rest of a split, in the form that Beam checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp

from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.parts.source import Split

ENDED = 2**63 - 1
"""The position after the last one of a split without end whose input is gone for ever."""


@dataclass(frozen=True)
class SplitOf:
    """A split of a source.

    split: the split. of: number of splits of the source, which operators compare with the end
    markers that they receive.
    """

    split: Split
    of: int


@dataclass(frozen=True)
class OffsetRestriction:
    """The unread positions of a split.

    start: first position to read. stop: position after the last, None for a split without end.
    greatest: greatest event time of the rows before `start`, microseconds; it is part of the
    restriction so that a restored split continues with the right watermark.
    clock: what else that time depends on, for a source with `max_ahead`.
    """

    start: int
    stop: int | None
    greatest: int
    clock: PartitionClock | None = None


class OffsetRestrictionTracker(RestrictionTracker):  # type: ignore[misc]
    """Claims triples (position, greatest event time, clock), as in `OffsetRestriction`.

    A split is read in order, so the tracker divides it only into the read part and the rest.
    """

    def __init__(self, restriction: OffsetRestriction) -> None:
        self.restriction = restriction
        self._position = restriction.start
        self._greatest, self._clock = restriction.greatest, restriction.clock
        self._ended = False

    def current_restriction(self) -> OffsetRestriction:
        """The restriction that this tracker may claim."""
        return self.restriction

    def try_claim(self, position: tuple[int, int, PartitionClock | None]) -> bool:
        """Claim all rows before a position. False after a checkpoint."""
        if self._ended:
            return False
        self._position, self._greatest, self._clock = position
        return True

    def try_split(
        self, fraction_of_remainder: float
    ) -> tuple[OffsetRestriction, OffsetRestriction] | None:
        """The claimed part and the rest, at a checkpoint. None for any other fraction than 0."""
        if fraction_of_remainder != 0 or self._ended or self._is_done():
            return None
        self._ended = True
        rest = OffsetRestriction(self._position, self.restriction.stop, self._greatest, self._clock)
        self.restriction = replace(self.restriction, stop=self._position)
        return self.restriction, rest

    def _is_done(self) -> bool:
        stop = self.restriction.stop if self.restriction.stop is not None else ENDED
        return self._position >= stop

    def check_done(self) -> bool:
        """True once all positions are claimed. Raises ValueError where rows would be lost."""
        if not (self._ended or self._is_done()):
            raise ValueError(f"read up to {self._position} of {self.restriction}")
        return True

    def current_progress(self) -> RestrictionProgress:
        """The fraction of a bounded split that has been read."""
        start, stop = self.restriction.start, self.restriction.stop
        size = max((stop if stop is not None else self._position + 1) - start, 1)
        return RestrictionProgress(fraction=min((self._position - start) / size, 1.0))

    def is_bounded(self) -> bool:
        """Whether the split has an end."""
        return self.restriction.stop is not None


def clipped(micros: int) -> Timestamp:
    """A Beam timestamp of microseconds since 1970, clipped to the range that Beam can hold."""
    return Timestamp(
        micros=min(max(micros, MIN_TIMESTAMP.micros), MAX_TIMESTAMP.micros - 86_400_000_000)
    )
