"""Silence by event time: of a sensor, of one that never reported, and of the whole feed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tocsin.kernels.batch import BEGINNING, Floats, Int64s

NEVER = BEGINNING // 2
"""Time of the last reading of a registered sensor that has never reported."""
SENSOR, NEVER_SEEN, FEED_SILENCE = range(3)
KINDS = ("", "never_seen", "feed_silence")
"""Detectors in alarms of silence; '' for the name of the configured detector."""


@dataclass
class Feed:
    """All sensors together. Times are microseconds; BEGINNING for a missing one.

    last: the latest reading. base: the first reading, or the first since the last outage. raised:
    start of the current outage.
    """

    last: int = BEGINNING
    base: int = BEGINNING
    raised: int = BEGINNING

    def as_note(self) -> dict[str, int]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Outage:
    """The feed was silent from `start` until a reading at `end`."""

    start: int
    end: int


class Silence:
    """When sensors and the feed become silent.

    after: time without a reading after which a sensor is missing, microseconds. feed_after: the
    same for the whole feed. While the feed is silent, no sensor becomes silent. When the feed
    returns, each sensor has the whole time again.
    """

    def __init__(self, after: int, feed_after: int | None) -> None:
        self.after = after
        self.feed_after = feed_after

    def outages(self, feed: Feed, times: Int64s) -> list[Outage]:
        """The outages that readings at these times end. Updates the feed."""
        if not len(times):
            return []
        known = np.sort(times)
        if feed.base <= BEGINNING:
            feed.base = int(known[0])
        found = []
        if self.feed_after is not None:
            line = known if feed.last <= BEGINNING else np.r_[feed.last, known]
            found = [
                Outage(int(line[at]) + self.feed_after, int(line[at + 1]))
                for at in np.flatnonzero(np.diff(line) > self.feed_after)
            ]
        if found:
            feed.base, feed.raised = found[-1].end, BEGINNING
        feed.last = max(feed.last, int(known[-1]))
        return found

    def starts_silent(self, feed: Feed, horizon: int) -> int | None:
        """When the feed became silent: by `horizon`, and without an alarm. Updates the feed."""
        if self.feed_after is None or feed.last <= BEGINNING or feed.raised > BEGINNING:
            return None
        moment = feed.last + self.feed_after
        if moment >= horizon:
            return None
        feed.raised = moment
        return moment

    def moments(self, last_seen: Floats, base: int, outages: list[Outage]) -> Floats:
        """When sensors become silent. base: of the feed, before the outages."""
        counted = np.where(last_seen == NEVER, base, last_seen)
        if self.feed_after is not None:
            counted = np.where(last_seen > BEGINNING, np.maximum(counted, base), counted)
        for outage in outages:
            counted = np.where(
                (counted < outage.end) & (outage.start < counted + self.after), outage.end, counted
            )
        return counted + self.after

    def gaps(
        self, before: Floats, times: Int64s, base: int, outages: list[Outage]
    ) -> tuple[Int64s, Int64s]:
        """Readings that end the silence of their sensor, and when that silence began.

        before: time of the sensor's reading before each.
        """
        moments = self.moments(before, base, outages)
        rows = np.flatnonzero((before > BEGINNING) & (times > moments)).astype(np.int64)
        return rows, moments[rows].astype(np.int64)

    def silent(
        self,
        last_seen: Floats,
        raised: Floats,
        feed: Feed,
        horizon: int,
        base: int,
        outages: list[Outage],
    ) -> tuple[Int64s, Int64s]:
        """Slots that are silent at `horizon` and have no alarm, and since when."""
        moments = self.moments(last_seen, base, outages)
        latest = horizon if feed.raised <= BEGINNING else min(horizon, feed.raised + 1)
        slots = np.flatnonzero(
            (last_seen > BEGINNING) & (raised == 0.0) & (moments < latest)
        ).astype(np.int64)
        return slots, moments[slots].astype(np.int64)

    def next(self, last_seen: Floats, raised: Floats, feed: Feed) -> int | None:
        """When the next sensor or the feed becomes silent if no reading arrives, or None."""
        if feed.raised > BEGINNING:
            return None
        moments = self.moments(last_seen, feed.base, [])[(last_seen > BEGINNING) & (raised == 0.0)]
        due = [int(moments.min())] if len(moments) else []
        if self.feed_after is not None and feed.last > BEGINNING:
            due.append(feed.last + self.feed_after)
        return min(due, default=None)
