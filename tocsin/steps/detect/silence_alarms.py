"""Alarms of sensors that send nothing, and of a feed that sends nothing, on a block of state."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.alarms import lifecycle
from tocsin.kernels.batch import BEGINNING, Floats, Int64s
from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.parts.tables import read_table
from tocsin.steps.detect.evidence import Found
from tocsin.steps.detect.scorer import Run, Scored, Scorer
from tocsin.steps.detect.silence import (
    FEED_SILENCE,
    KINDS,
    NEVER,
    NEVER_SEEN,
    SENSOR,
    Feed,
    Outage,
    Silence,
)
from tocsin.steps.state.release_times import release_after

_ALL_SENSORS = np.array([-1])


class SilenceAlarms:
    """Finds silence by event time alone.

    base: the base of the feed before the last rows. outages: those that the last rows ended.
    """

    def __init__(self, scorer: Scorer, silence: Silence) -> None:
        self.scorer, self.silence = scorer, silence

    def rows_arrive(
        self, block: KeyedBlock, run: Run, feed: Feed
    ) -> tuple[list[Found], Int64s, int, list[Outage]]:
        """Alarm events that rows cause, and slots of newly registered sensors.

        Also the base of the feed before these rows, and the outages that they end.
        """
        base, raised = feed.base, feed.raised
        reporting = run.times[~np.isnan(run.x)]
        if base <= BEGINNING and len(reporting):
            # The base of the feed itself may be the end of an outage among these rows.
            base = int(reporting.min())
        registered = self._register(block, feed, bool(len(reporting)))
        outages = self.silence.outages(feed, reporting)
        found = [*self._feed_events(outages, raised), self._follow(block, run, base, outages)]
        return found, registered, base, outages

    def time_passes(
        self, block: KeyedBlock, feed: Feed, horizon: int, base: int, outages: list[Outage]
    ) -> list[Found]:
        """Alarms of the feed and the sensors that are silent at `horizon` and have no alarm yet."""
        found = []
        start = self.silence.starts_silent(feed, horizon)
        if start is not None:
            moment = np.array([start])
            found.append(_of_feed(lifecycle.RAISE, moment, moment))
        states, last_seen = self.scorer.alarms(block), self.scorer.last_seen(block)
        slots, moments = self.silence.silent(
            last_seen, lifecycle.is_active(states), feed, horizon, base, outages
        )
        lifecycle.raise_without_score(states, slots, moments)
        never = last_seen[slots] == NEVER
        kinds = [KINDS[NEVER_SEEN] if one else self.scorer.detection.name for one in never]
        found.append(Found.of_silence(kinds, slots, lifecycle.RAISE, moments, moments))
        return found

    def next_time(self, block: KeyedBlock, feed: Feed) -> int | None:
        """When the next alarm is due if nothing arrives, or None."""
        active = lifecycle.is_active(self.scorer.alarms(block))
        moment = self.silence.next(self.scorer.last_seen(block), active, feed)
        return None if moment is None else release_after(moment)

    def _register(self, block: KeyedBlock, feed: Feed, is_reporting: bool) -> Int64s:
        """Slots of the sensors that ought to report and have not, added with the first reading."""
        sensors = self.scorer.detection.sensors
        if sensors is None or feed.base > BEGINNING or not is_reporting:
            return np.zeros(0, np.int64)
        schema = self.scorer.key_schema
        types = tuple((field.name, field.type) for field in schema)
        table = read_table(sensors, types).select(schema.names).cast(schema).combine_chunks()
        if not table.num_rows:
            return np.zeros(0, np.int64)
        slots = np.unique(block.slots(table.to_batches()[0], self.scorer.start))
        last_seen = self.scorer.last_seen(block)
        new: Int64s = slots[last_seen[slots] == BEGINNING]
        last_seen[new] = NEVER
        return new

    @staticmethod
    def _feed_events(outages: list[Outage], raised: int) -> list[Found]:
        """Events of outages that have ended. raised: start of the one that has an alarm already."""
        found = []
        for outage in outages:
            start, end = np.array([outage.start]), np.array([outage.end])
            if outage.start != raised:
                found.append(_of_feed(lifecycle.RAISE, start, start))
            found.append(_of_feed(lifecycle.CLEAR, end, start))
        return found

    def _follow(self, block: KeyedBlock, run: Run, base: int, outages: list[Outage]) -> Found:
        """Events of the sensors with rows: a gap that became silence counts as a row."""
        here = np.flatnonzero(~np.isnan(run.x))
        slots, times, rows, kinds, gaps = self._with_gaps(
            block, run.slots[here], run.times[here], base, outages
        )
        nan, at = np.full(len(rows), np.nan), here[rows]

        def in_gaps(value: Any, column: Floats) -> Floats:
            filled: Floats = np.where(gaps, value, column[at])
            return filled

        scored = Scored(
            slots, times, in_gaps(nan, run.x), in_gaps(1.0, run.scores), in_gaps(nan, run.expected),
            np.where(gaps, -1, run.order[at]), kinds, run.which, _places(run, at, gaps),
        )  # fmt: skip
        return self.scorer.followed(block, scored)

    def _with_gaps(
        self, block: KeyedBlock, slots: Int64s, times: Int64s, base: int, outages: list[Outage]
    ) -> tuple[Int64s, Int64s, Int64s, Int64s, Any]:
        """Slots, times, rows, kinds and whether each is a gap.

        slots, times: of readings. A position is inserted before a reading for the silence that it
        ends. Changes the times of last readings.
        """
        rows = np.arange(len(slots))
        if not len(slots):
            return slots, times, rows, rows, np.zeros(0, bool)
        first = np.r_[True, slots[1:] != slots[:-1]]
        last_seen = self.scorer.last_seen(block)
        before = np.where(first, last_seen[slots], np.r_[0, times[:-1]].astype(np.float64))
        kinds = np.where(before == NEVER, NEVER_SEEN, SENSOR)
        gaps, moments = self.silence.gaps(before, times, base, outages)
        last = np.r_[np.flatnonzero(first)[1:], len(slots)] - 1
        last_seen[slots[last]] = times[last]
        with_gaps = [np.insert(column, gaps, column[gaps]) for column in (slots, rows, kinds)]
        is_gap = np.insert(np.zeros(len(slots), bool), gaps, True)
        return (
            with_gaps[0], np.insert(times, gaps, moments), with_gaps[1], with_gaps[2], is_gap,
        )  # fmt: skip


def _places(run: Run, at: Int64s, gaps: Any) -> Floats | None:
    """Where sensors were at some rows; in a gap before a row, where they were before that row."""
    if run.places is None:
        return None
    at_rows, before_all = run.places
    is_first = np.r_[True, run.slots[1:] != run.slots[:-1]][at]
    owner = np.searchsorted(run.keys, run.slots[at])
    before = np.where(is_first[:, None], before_all[owner], at_rows[at - 1])
    return np.where(gaps[:, None], before, at_rows[at])


def _of_feed(what: int, times: Int64s, starts: Int64s) -> Found:
    return Found.of_silence([KINDS[FEED_SILENCE]], _ALL_SENSORS, what, times, starts)
