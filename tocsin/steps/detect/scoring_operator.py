"""Detection state of a shard as a pure object: readings put in order, scored, and turned into alarm events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.alarms import lifecycle
from tocsin.kernels.batch import (
    BEGINNING,
    EVENT_TIME,
    FOREVER,
    WATERMARK,
    Floats,
    Int64s,
    micros,
    no_rows,
    traits,
)
from tocsin.kernels.segments import arrival, segments
from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.parts.detector import width_of
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.parts.tables import read_table
from tocsin.steps.detect.detection import PLACE, Detection
from tocsin.steps.detect.evidence import Evidence, Found
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
from tocsin.steps.state.incremental_block import IncrementalBlock
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import release_after
from tocsin.steps.state.row_log import is_spent, same_pieces


@dataclass(frozen=True)
class Run:
    """Rows, and in their order by (key, event time) slot, time, value, score and what was expected. keys: slots with rows."""

    rows: pa.RecordBatch
    order: Int64s
    slots: Int64s
    times: Int64s
    x: Floats
    scores: Floats
    expected: Floats
    keys: Int64s
    which: Int64s | None = None


class ScoringOperator(Operator):
    """Puts rows in order of (key, event time), scores them and follows each key's alarm. Times are microseconds."""

    def __init__(
        self, detection: Detection, schema: pa.Schema, outputs: dict[str, pa.Schema], shards: int
    ) -> None:
        self.detection = detection
        self.detector = detection.detector
        self.schema = outputs["output"]
        self.alarm_schema = outputs["alarms"]
        self.is_aggregated = traits(schema).aggregated
        self.key_schema = pa.schema([schema.field(key).with_metadata(None) for key in detection.by])
        self.width = width_of(self.detector)
        self.has_place = set(PLACE) <= set(schema.names)
        after, feed_after = self.detector.silence_after(), self.detector.feed_silence_after()
        self.silence = None if after is None else Silence(after, feed_after)
        # What concerns all sensors together needs them in one shard.
        together = detection.sensors is not None or feed_after is not None
        super().__init__(schema, outputs, by=detection.by, shards=1 if together else shards)
        self.evidence = Evidence(detection, schema, self.alarm_schema)
        place = np.full(len(PLACE) if self.has_place else 0, np.nan)
        start = np.array(self.detector.start_state(), np.float64)
        # Detector, alarm, place, last heard of.
        self.start = np.r_[start, np.zeros(lifecycle.WIDTH), place, float(BEGINNING)]

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard; rows behind their partition's watermark to `late`; revisions of aggregates are not judged."""
        rows, revised = batch.num_rows, 0
        if self.is_aggregated:
            batch = batch.filter(pc.equal(batch.column("revision"), 0))
            revised = rows - batch.num_rows
        late = micros(batch.column(EVENT_TIME)) < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        counts = {"kept": batch.num_rows, "late": int(late.sum()), "filtered": revised}
        return Routed(self.split(batch), outputs, counts)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be released."""
        return (
            release_after(int(micros(batch.column(EVENT_TIME)).min())) if batch.num_rows else None
        )

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Release, score and follow the rows before `time`; judge silence up to `time`, or to the end of the input.

        A row stays in the log when it has been released: the log is written anew when more of it is spent than not.
        """
        memory = {} if memory is None else memory
        # Not there while the block is being changed: were that to end half-way, nobody would know.
        journal: IncrementalBlock | None = memory.pop("journal", None)
        if journal is None or not same_pieces(journal.pieces, state):
            journal = IncrementalBlock.read(state, self.key_schema, len(self.start))
        ready, waiting = self._parted(log, journal.note, time)
        known = journal.block.keys.num_rows
        rows = pa.concat_batches(ready) if ready else no_rows(self.shard_schema)
        feed = Feed(**journal.note.get("feed", {}))
        outputs, changed = self._judge(journal.block, rows, feed, time if time < FOREVER else end)
        left = sum(len(at) for _, at, _ in waiting)
        due = release_after(min(first for _, _, first in waiting)) if left else None
        if self.silence is not None:
            due = self._earlier(due, self._next_silence(journal.block, feed))
        if time >= FOREVER:
            return Advanced(outputs, [], due)
        kept = None
        if is_spent(sum(batch.num_rows for batch in log), left):
            kept = [batch.take(pa.array(at)) for batch, at, _ in waiting]
        note: dict[str, Any] = {"released": time, "seen": len(log if kept is None else kept)}
        if self.silence is not None:
            note["feed"] = feed.as_note()
        pieces = journal.write(known, changed, note)
        memory["journal"] = journal
        return Advanced(outputs, pieces, due, log=kept)

    def _parted(
        self, log: list[pa.RecordBatch], note: dict[str, Any], time: int
    ) -> tuple[list[pa.RecordBatch], list[tuple[pa.RecordBatch, Int64s, int]]]:
        """The log's rows that are released now; and of each batch those that wait, with the earliest of their times."""
        released, seen = note.get("released", -FOREVER), note.get("seen", 0)
        ready: list[pa.RecordBatch] = []
        waiting: list[tuple[pa.RecordBatch, Int64s, int]] = []
        for number, batch in enumerate(log):
            times = micros(batch.column(EVENT_TIME))
            now = times < time
            later = np.flatnonzero(~now)
            if len(later):
                waiting.append((batch, later, int(times[later].min())))
            if number < seen:
                now &= times >= released
            if now.any():
                rows = batch if now.all() else batch.filter(pa.array(now))
                ready.append(rows.replace_schema_metadata(self.shard_schema.metadata))
        return ready, waiting

    def _judge(
        self, block: KeyedBlock, rows: pa.RecordBatch, feed: Feed, horizon: int | None
    ) -> tuple[list[tuple[str, pa.RecordBatch]], Int64s]:
        """Outputs, and the slots of the block that are not as they were."""
        outputs: list[tuple[str, pa.RecordBatch]] = []
        found: list[Found] = []
        changed = [np.zeros(0, np.int64)]
        base, outages = feed.base, list[Outage]()
        judged = rows
        if rows.num_rows:
            run = self.judge(block, rows)
            judged = run.rows
            changed.append(run.keys)
            if "output" not in self.unread:
                outputs.append(("output", self.scored(run)))
            if self.silence is not None:
                told, speaks = feed.raised, ~np.isnan(run.x)
                if base <= BEGINNING and speaks.any():
                    # The feed's own may be that after an outage of which this tells.
                    base = int(run.times[speaks].min())
                changed.append(self._enrol(block, feed, bool(speaks.any())))
                outages = self.silence.outages(feed, run.times[speaks])
                found += self._feed_events(outages, told)
            found.append(self.follow(block, run, base, outages))
        if self.silence is not None and horizon is not None:
            silent = self._fall_silent(block, feed, horizon, base, outages)
            found += silent
            changed += [one.slots for one in silent]
        events = self.events(block, judged, found)
        if events is not None:
            outputs.append(("alarms", events))
        touched = np.unique(np.concatenate(changed))
        return outputs, touched[touched >= 0]

    def judge(self, block: KeyedBlock, rows: pa.RecordBatch) -> Run:
        """Score rows, of which there is one at least, in order of (key, event time); the block is changed."""
        slots = block.slots(rows.select(self.by), self.start)
        times = micros(rows.column(EVENT_TIME))
        run = segments(slots, times, *arrival(rows))
        x, when = self._judged(rows)[run.order], times[run.order]
        states = np.ascontiguousarray(block.values[run.keys, : self.width])
        scores, expected = self.detector.score_many(x, when / 1e6, run.starts, states)
        block.values[run.keys, : self.width] = states
        self._note_places(block, rows.take(pa.array(run.order[run.starts[1:] - 1])), run.keys)
        if x.ndim == 1:
            return Run(rows, run.order, slots[run.order], when, x, scores, expected, run.keys)
        # Of several columns, `expected` is the number of the one that stands out.
        which = np.nan_to_num(expected, nan=0.0).astype(np.int64)
        shown = x[np.arange(len(x)), which]
        return Run(
            rows,
            run.order,
            slots[run.order],
            when,
            shown,
            scores,
            np.full(len(x), np.nan),
            run.keys,
            which,
        )

    def _judged(self, rows: pa.RecordBatch) -> Floats:
        columns = [numbers(rows.column(name)) for name in self.detection.columns]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def events(
        self, block: KeyedBlock, judged: pa.RecordBatch, found: list[Found]
    ) -> pa.RecordBatch | None:
        """Alarm events as rows. judged: the rows that `found` counts."""
        places = block.values[:, -3:-1] if self.has_place else None
        return self.evidence.rows(block.keys, places, judged, found)

    def _note_places(self, block: KeyedBlock, last: pa.RecordBatch, slots: Int64s) -> None:
        """Where each sensor's last row says that it is."""
        if self.has_place:
            for column, name in zip((-3, -2), PLACE, strict=True):
                here = numbers(last.column(name))
                block.values[slots, column] = np.where(
                    np.isnan(here), block.values[slots, column], here
                )

    def _enrol(self, block: KeyedBlock, feed: Feed, speaks: bool) -> Int64s:
        """With the first reading of all, the sensors that ought to speak and have not yet. Gives their slots."""
        if self.detection.sensors is None or feed.base > BEGINNING or not speaks:
            return np.zeros(0, np.int64)
        table = (
            read_table(self.detection.sensors)
            .select(self.by)
            .cast(self.key_schema)
            .combine_chunks()
        )
        slots = (
            np.unique(block.slots(table.to_batches()[0], self.start))
            if table.num_rows
            else np.zeros(0, np.int64)
        )
        new: Int64s = slots[block.values[slots, -1] == BEGINNING]
        block.values[new, -1] = NEVER
        return new

    def _feed_events(self, outages: list[Outage], told: int) -> list[Found]:
        """The silences of the feed that have ended. told: when the last of which somebody knows began."""
        none = np.array([-1])
        found = []
        for outage in outages:
            start, end = np.array([outage.start]), np.array([outage.end])
            if outage.start != told:
                found.append(
                    Found.of_silence([KINDS[FEED_SILENCE]], none, lifecycle.RAISE, start, start)
                )
            found.append(Found.of_silence([KINDS[FEED_SILENCE]], none, lifecycle.CLEAR, end, start))
        return found

    def scored(self, run: Run) -> pa.RecordBatch:
        """The rows with their score."""
        rows, scores = run.rows.take(pa.array(run.order)), run.scores
        at = self.schema.get_field_index(self.detection.score)
        column = pa.array(scores, mask=np.isnan(scores))
        added = rows.add_column(at, self.schema.field(at), column)
        return pa.RecordBatch.from_arrays(added.columns, schema=self.schema)

    def follow(self, block: KeyedBlock, run: Run, base: int, outages: list[Outage]) -> Found:
        """Run the alarm recurrence; for a detector that judges silence, gaps between rows are put in as rows."""
        slots, times, x, scores, expected = run.slots, run.times, run.x, run.scores, run.expected
        rule = self.detection.alarm
        rows, kinds = run.order, np.zeros(len(slots), np.int64)
        if self.silence is None:
            delays: dict[str, Any] = {
                "raise_after": rule.raise_after, "within": rule.within, "raise_for": rule.raise_for,
                "clear_after": rule.clear_after, "clear_for": rule.clear_for,
                "clear_below": rule.clear_below or self.detector.clear_below, "levels": rule.levels(),
            }  # fmt: skip
        else:
            delays = {}
            here = np.flatnonzero(~np.isnan(x))
            slots, times, rows, kinds, gaps = self._with_gaps(
                block, self.silence, slots[here], times[here], base, outages
            )
            nan = np.full(len(rows), np.nan)
            put = here[rows]
            x, scores, expected = (
                np.where(gaps, nan, x[put]),
                np.where(gaps, 1.0, scores[put]),
                np.where(gaps, nan, expected[put]),
            )
            rows = np.where(gaps, -1, run.order[put])
        starts = np.flatnonzero(np.r_[np.ones(min(len(slots), 1), bool), slots[1:] != slots[:-1]])
        bounds = np.r_[starts, len(slots)].astype(np.int64)
        owners = slots[starts]
        states = np.ascontiguousarray(
            block.values[owners, self.width : self.width + lifecycle.WIDTH]
        )
        lives = lifecycle.follow(scores, times.astype(np.float64), bounds, states, **delays)
        block.values[owners, self.width : self.width + lifecycle.WIDTH] = states
        at = np.flatnonzero(lives.events)
        return Found(
            [KINDS[kind] or self.detection.name for kind in kinds[at]], slots[at], lives.events[at], times[at],
            lives.starts[at].astype(np.int64), lives.peaks[at], lives.levels[at], scores[at], x[at], expected[at], rows[at],
            None if run.which is None else run.which[at],
        )  # fmt: skip

    def _with_gaps(
        self,
        block: KeyedBlock,
        silence: Silence,
        slots: Int64s,
        times: Int64s,
        base: int,
        outages: list[Outage],
    ) -> tuple[Int64s, Int64s, Int64s, Int64s, Any]:
        """Slots, times, row numbers and kinds of rows that hold a value, with a row put in where each gap became silence."""
        rows = np.arange(len(slots))
        if not len(slots):
            return slots, times, rows, rows, np.zeros(0, bool)
        first = np.r_[True, slots[1:] != slots[:-1]]
        last_seen = block.values[:, -1]
        before = np.where(first, last_seen[slots], np.r_[0, times[:-1]].astype(np.float64))
        kinds = np.where(before == NEVER, NEVER_SEEN, SENSOR)
        gaps, moments = silence.gaps(before, times, base, outages)
        last = np.r_[np.flatnonzero(first)[1:], len(slots)] - 1
        last_seen[slots[last]] = times[last]
        put = [np.insert(column, gaps, column[gaps]) for column in (slots, rows, kinds)]
        is_gap = np.insert(np.zeros(len(slots), bool), gaps, True)
        return put[0], np.insert(times, gaps, moments), put[1], put[2], is_gap

    def _fall_silent(
        self, block: KeyedBlock, feed: Feed, horizon: int, base: int, outages: list[Outage]
    ) -> list[Found]:
        """The feed, and the sensors whose last reading is too long ago at `horizon`, and that no alarm tells of yet."""
        assert self.silence is not None
        found = []
        start = self.silence.starts_silent(feed, horizon)
        if start is not None:
            moment = np.array([start])
            found.append(
                Found.of_silence(
                    [KINDS[FEED_SILENCE]], np.array([-1]), lifecycle.RAISE, moment, moment
                )
            )
        states = block.values[:, self.width : self.width + lifecycle.WIDTH]
        slots, moments = self.silence.silent(
            block.values[:, -1], lifecycle.is_active(states), feed, horizon, base, outages
        )
        lifecycle.raise_without_score(states, slots, moments)
        never = block.values[slots, -1] == NEVER
        kinds = [KINDS[NEVER_SEEN] if one else self.detection.name for one in never]
        found.append(Found.of_silence(kinds, slots, lifecycle.RAISE, moments, moments))
        return found

    def _next_silence(self, block: KeyedBlock, feed: Feed) -> int | None:
        assert self.silence is not None
        states = block.values[:, self.width : self.width + lifecycle.WIDTH]
        moment = self.silence.next(block.values[:, -1], lifecycle.is_active(states), feed)
        return None if moment is None else release_after(moment)

    @staticmethod
    def _earlier(one: int | None, other: int | None) -> int | None:
        return min((time for time in (one, other) if time is not None), default=None)
