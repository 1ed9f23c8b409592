"""The splits of a live source: those that are there at the start, and then those that are added."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam import coders
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Duration

from tocsin.engines.beam.io.restrictions import SplitOf, clipped
from tocsin.parts.source import Source, Split

# Seconds between two looks for new splits. Readings of a split that nobody has seen yet hold the watermark back so long.
# Flink's runner takes the whole seconds of what is left of a pause when it hears of it: 1.0 would be none.
LOOK = 1.2


@dataclass(frozen=True)
class Known:
    """How many splits were given so far."""

    count: int


class KnownTracker(RestrictionTracker):  # type: ignore[misc]
    """Claims a number of known splits; never done."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._claimed = known.count
        self._ended = False

    def current_restriction(self) -> Known:
        """What is known."""
        return self.known

    def try_claim(self, position: int) -> bool:
        """Claim splits up to a number."""
        if self._ended:
            return False
        self._claimed = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Known, Known] | None:
        """A checkpoint."""
        if fraction_of_remainder != 0 or self._ended:
            return None
        self._ended = True
        return self.known, Known(self._claimed)

    def check_done(self) -> bool:
        """Looking ends at checkpoints only."""
        if not self._ended:
            raise ValueError("splits may be added for ever")
        return True

    def current_progress(self) -> RestrictionProgress:
        """There is no end."""
        return RestrictionProgress(fraction=0.0)

    def is_bounded(self) -> bool:
        """Never."""
        return False


class _KnownSplits(RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, element: list[Split]) -> Known:
        return Known(0)

    def create_tracker(self, restriction: Known) -> KnownTracker:
        return KnownTracker(restriction)

    def restriction_size(self, element: list[Split], restriction: Known) -> int:
        return 1

    def restriction_coder(self) -> Any:
        return coders.registry.get_coder(object)

    def truncate(self, element: list[Split], restriction: Known) -> None:
        return None


class Discover(beam.DoFn):  # type: ignore[misc]
    """From the list of splits at the start: those, and whatever is added.

    A split that was not there a moment ago holds no reading older than that moment less `out_of_orderness`. That is the
    watermark until then, and the timestamp of a new split; a reading behind it would be late.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        splits: list[Split],
        tracker: Any = beam.DoFn.RestrictionParam(_KnownSplits()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Look once, and ask to be called again."""
        known = tracker.current_restriction().count
        moment = clipped(int(time.time() * 1000) * 1000 - self.source.out_of_orderness)
        found = self.source.added(known) if known else splits
        if not tracker.try_claim(known + len(found)):
            return
        since = watermark.current_watermark() or MIN_TIMESTAMP
        for split in found:
            yield beam.transforms.window.TimestampedValue(SplitOf(split, len(splits)), since)
        if moment > since:
            watermark.set_watermark(moment)
        tracker.defer_remainder(Duration.of(LOOK))
