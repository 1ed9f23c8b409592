"""Discovers the splits of a live source: those of the start, then those that are added."""

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

# Seconds between two searches for new splits. For that time, unseen splits hold the watermark back.
# Flink's runner rounds the rest of a pause down to whole seconds: 1.0 would mean no pause.
DISCOVERY_INTERVAL = 1.2


@dataclass(frozen=True)
class DiscoveredSplits:
    """The splits that were emitted so far.

    count: their number, of the present topic. topic_id: its id, None if unknown. former: the ids of
    topics that had its name before, which a broker may still name for a moment.
    """

    count: int
    topic_id: str | None = None
    former: tuple[str, ...] = ()

    def and_these(self, found: list[Split]) -> DiscoveredSplits:
        """These and more splits; only the new ones where they are of another topic."""
        if not found:
            return self
        if self.topic_id is None or self.topic_id == found[0].topic_id:
            return DiscoveredSplits(self.count + len(found), found[0].topic_id, self.former)
        return DiscoveredSplits(len(found), found[0].topic_id, (*self.former, self.topic_id))


class DiscoveryTracker(RestrictionTracker):  # type: ignore[misc]
    """Claims discovered splits. It is never done."""

    def __init__(self, discovered: DiscoveredSplits) -> None:
        self.discovered = discovered
        self._claimed = discovered
        self._ended = False

    def current_restriction(self) -> DiscoveredSplits:
        """The splits that were emitted before this call."""
        return self.discovered

    def try_claim(self, position: DiscoveredSplits) -> bool:
        """Claim all splits that are known now. False after a checkpoint."""
        if self._ended:
            return False
        self._claimed = position
        return True

    def try_split(
        self, fraction_of_remainder: float
    ) -> tuple[DiscoveredSplits, DiscoveredSplits] | None:
        """The old and the new splits, at a checkpoint. None for any other fraction than 0."""
        if fraction_of_remainder != 0 or self._ended:
            return None
        self._ended = True
        return self.discovered, self._claimed

    def check_done(self) -> bool:
        """True after a checkpoint. Raises ValueError before: discovery has no other end."""
        if not self._ended:
            raise ValueError("splits may be added for ever")
        return True

    def current_progress(self) -> RestrictionProgress:
        """Always zero, because discovery has no end."""
        return RestrictionProgress(fraction=0.0)

    def is_bounded(self) -> bool:
        """Always False."""
        return False


class _DiscoveryRestrictions(RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, element: list[Split]) -> DiscoveredSplits:
        return DiscoveredSplits(0)

    def create_tracker(self, restriction: DiscoveredSplits) -> DiscoveryTracker:
        return DiscoveryTracker(restriction)

    def restriction_size(self, element: list[Split], restriction: DiscoveredSplits) -> int:
        return 1

    def restriction_coder(self) -> Any:
        return coders.registry.get_coder(object)

    def truncate(self, element: list[Split], restriction: DiscoveredSplits) -> None:
        return None


class Discover(beam.DoFn):  # type: ignore[misc]
    """Emits the splits of the start, and later each split that is added.

    A split that did not exist a moment ago holds no reading older than that moment minus
    `out_of_orderness`. This time is the watermark and the timestamp of a new split. A reading
    behind it would be late.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        splits: list[Split],
        tracker: Any = beam.DoFn.RestrictionParam(_DiscoveryRestrictions()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Emit the new splits, then ask to be called again after `DISCOVERY_INTERVAL`."""
        known: DiscoveredSplits = tracker.current_restriction()
        moment = clipped(int(time.time() * 1000) * 1000 - self.source.out_of_orderness)
        found = self.source.added(known.count, known.topic_id) if known.count else splits
        if found is None:
            # Unseen splits hold the watermark.
            tracker.defer_remainder(Duration.of(DISCOVERY_INTERVAL))
            return
        found = [split for split in found if split.topic_id not in known.former]
        if not tracker.try_claim(known.and_these(found)):
            return
        since = watermark.current_watermark() or MIN_TIMESTAMP
        for split in found:
            yield beam.transforms.window.TimestampedValue(SplitOf(split, len(splits)), since)
        if moment > since:
            watermark.set_watermark(moment)
        tracker.defer_remainder(Duration.of(DISCOVERY_INTERVAL))
