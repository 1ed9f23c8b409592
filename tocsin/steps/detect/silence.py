"""Silence by event time: of a sensor that spoke before, of one that never did, and of the whole feed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tocsin.kernels.batch import BEGINNING, Floats, Int64s

NEVER = BEGINNING // 2
"""Last heard of, for a sensor that ought to speak and never has."""
SENSOR, NEVER_SEEN, FEED_SILENCE = range(3)
KINDS = ("", "never_seen", "feed_silence")
"""What an alarm of silence is called; a sensor's own has its detector's name."""


@dataclass
class Feed:
    """All sensors together. last: the latest reading; base: the first one, or the first since the feed was silent last;
    raised: when the silence that goes on began. Microseconds; BEGINNING: there is none."""

    last: int = BEGINNING
    base: int = BEGINNING
    raised: int = BEGINNING

    def as_note(self) -> dict[str, int]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Outage:
    """The feed was silent from `start` on until, at `end`, a reading came."""

    start: int
    end: int


class Silence:
    """after: microseconds without a reading after which a sensor is missing. feed_after: the same of the whole feed.

    While the feed is silent, no sensor of it falls silent: when it returns, each has the whole time again.
    """

    def __init__(self, after: int, feed_after: int | None) -> None:
        self.after = after
        self.feed_after = feed_after

    def outages(self, feed: Feed, times: Int64s) -> list[Outage]:
        """The silences of the feed that readings at these times end; the feed is brought up to date."""
        if not len(times):
            return []
        known = np.sort(times)
        if feed.base <= BEGINNING:
            feed.base = int(known[0])
        found = []
        if self.feed_after is not None:
            line = known if feed.last <= BEGINNING else np.r_[feed.last, known]
            for at in np.flatnonzero(np.diff(line) > self.feed_after):
                found.append(Outage(int(line[at]) + self.feed_after, int(line[at + 1])))
        if found:
            feed.base, feed.raised = found[-1].end, BEGINNING
        feed.last = max(feed.last, int(known[-1]))
        return found

    def starts_silent(self, feed: Feed, horizon: int) -> int | None:
        """When the feed fell silent, if it has by `horizon` and nobody was told."""
        if self.feed_after is None or feed.last <= BEGINNING or feed.raised > BEGINNING:
            return None
        moment = feed.last + self.feed_after
        if moment >= horizon:
            return None
        feed.raised = moment
        return moment

    def moments(self, last_seen: Floats, base: int, outages: list[Outage]) -> Floats:
        """When sensors last heard then become silent. base: the feed's, before the outages."""
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
        """Rows before which their sensor had become silent, and when."""
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
        """Slots that are silent at `horizon` and of which no alarm tells, and since when."""
        moments = self.moments(last_seen, base, outages)
        latest = horizon if feed.raised <= BEGINNING else min(horizon, feed.raised + 1)
        slots = np.flatnonzero(
            (last_seen > BEGINNING) & (raised == 0.0) & (moments < latest)
        ).astype(np.int64)
        return slots, moments[slots].astype(np.int64)

    def next(self, last_seen: Floats, raised: Floats, feed: Feed) -> int | None:
        """When the next sensor, or the feed, will be silent if nothing comes."""
        if feed.raised > BEGINNING:
            return None
        moments = self.moments(last_seen, feed.base, [])[(last_seen > BEGINNING) & (raised == 0.0)]
        due = [int(moments.min())] if len(moments) else []
        if self.feed_after is not None and feed.last > BEGINNING:
            due.append(feed.last + self.feed_after)
        return min(due, default=None)
