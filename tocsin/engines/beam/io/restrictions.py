"""What is left of a split, as Beam checkpoints it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp

from tocsin.parts.source import Split


@dataclass(frozen=True)
class SplitOf:
    """A split and how many there are."""

    split: Split
    of: int


@dataclass(frozen=True)
class Span:
    """What is left of a split: positions from `start` up to `stop` (None: without end), and the greatest event time before."""

    start: int
    stop: int | None
    greatest: int


class SpanTracker(RestrictionTracker):  # type: ignore[misc]
    """Claims (position, greatest event time); splits only into what is done and what is left, as a split is in order."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._position = span.start
        self._greatest = span.greatest
        self._ended = False

    def current_restriction(self) -> Span:
        """What this tracker may claim."""
        return self.span

    def try_claim(self, position: tuple[int, int]) -> bool:
        """Claim everything before a position."""
        if self._ended:
            return False
        self._position, self._greatest = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Span, Span] | None:
        """A checkpoint; a fraction of the rest is never given away."""
        if fraction_of_remainder != 0 or self._ended or self._is_done():
            return None
        self._ended = True
        rest = Span(self._position, self.span.stop, self._greatest)
        self.span = replace(self.span, stop=self._position)
        return self.span, rest

    def _is_done(self) -> bool:
        return self.span.stop is not None and self._position >= self.span.stop

    def check_done(self) -> bool:
        """Raises where rows would be lost."""
        if not (self._ended or self._is_done()):
            raise ValueError(f"read up to {self._position} of {self.span}")
        return True

    def current_progress(self) -> RestrictionProgress:
        """Share of a bounded split that was read."""
        stop = self.span.stop if self.span.stop is not None else self._position + 1
        size = max(stop - self.span.start, 1)
        return RestrictionProgress(fraction=min((self._position - self.span.start) / size, 1.0))

    def is_bounded(self) -> bool:
        """Whether the split ends."""
        return self.span.stop is not None


def clipped(micros: int) -> Timestamp:
    """A Beam timestamp, within what Beam can hold."""
    return Timestamp(
        micros=min(max(micros, MIN_TIMESTAMP.micros), MAX_TIMESTAMP.micros - 86_400_000_000)
    )
