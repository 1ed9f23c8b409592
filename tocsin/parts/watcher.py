"""Detection state of a shard as a pure object: readings put in order, scored, and turned into alarm events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.columns import alarms
from tocsin.columns.blocks import Block
from tocsin.columns.contract import (
    BEGINNING,
    EVENT_TIME,
    SYSTEM_FIELDS,
    WATERMARK,
    Floats,
    Int64s,
    micros,
    no_rows,
    timestamps,
    traits,
)
from tocsin.columns.segments import arrival, segments
from tocsin.columns.tallies import numbers
from tocsin.parts.detect import ALARM_FIELDS, Detect, alarm_id
from tocsin.parts.detector import width_of
from tocsin.parts.journal import Journal
from tocsin.parts.keyed import FOREVER, Advanced, Memory, Routed, same_pieces, split_by_key
from tocsin.parts.late import set_apart

# Readings are released in steps of event time, so that one timer serves many of them.
RELEASE = 1_000_000
# Released rows that may stay in the log in any case.
_SPENT = 4_000


@dataclass(frozen=True)
class _Events:
    """Alarm events by position: which key (slot), what, when, and the numbers that explain it."""

    slots: Int64s
    what: Int64s
    times: Int64s
    starts: Int64s
    peaks: Floats
    scores: Floats
    observed: Floats
    expected: Floats


class Watcher:
    """Puts rows in order of (key, event time), scores them and follows each key's alarm. Times are microseconds."""

    eager = False

    def __init__(self, step: Detect, schema: pa.Schema, rule: str = "") -> None:
        self.step = step
        self.shards = step.shards
        self.detector = step.made()
        self.shard_schema = schema
        self.schema = step.output_schema(schema)
        self.alarm_schema = step.alarm_schema(schema)
        self.outputs = {"output": self.schema, "alarms": self.alarm_schema, "late": schema}
        self.is_aggregated = traits(schema).aggregated
        self.key_schema = pa.schema([schema.field(key).with_metadata(None) for key in step.by])
        name = next(iter(step.detector))
        self.rule = step.rule or rule or f"{name}({step.of})"
        self.detector_name = name
        self.width = width_of(self.detector)
        self.silence = self.detector.silence_after()
        self.start = np.r_[np.array(self.detector.start_state(), np.float64), np.zeros(alarms.WIDTH), float(BEGINNING)]

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard; rows behind their partition's watermark to `late`; revisions of aggregates are not judged."""
        rows, revised = batch.num_rows, 0
        if self.is_aggregated:
            batch = batch.filter(pc.equal(batch.column("revision"), 0))
            revised = rows - batch.num_rows
        late = micros(batch.column(EVENT_TIME)) < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        counts = {"kept": batch.num_rows, "late": int(late.sum()), "filtered": revised}
        return Routed(split_by_key(batch, self.step.by, self.shards), outputs, counts)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be released."""
        return self._release_after(int(micros(batch.column(EVENT_TIME)).min())) if batch.num_rows else None

    @staticmethod
    def _release_after(time: int) -> int:
        return (time // RELEASE + 1) * RELEASE

    def advance(
        self, state: list[bytes], log: list[pa.RecordBatch], time: int, end: int | None, memory: Memory | None = None
    ) -> Advanced:
        """Release, score and follow the rows before `time`; judge silence up to `time`, or to the end of the input.

        A row stays in the log when it has been released: the log is written anew when more of it is spent than not.
        """
        memory = {} if memory is None else memory
        # Not there while the block is being changed: were that to end half-way, nobody would know.
        journal: Journal | None = memory.pop("journal", None)
        if journal is None or not same_pieces(journal.pieces, state):
            journal = Journal.read(state, self.key_schema, len(self.start))
        ready, waiting = self._parted(log, journal.note, time)
        known = journal.block.keys.num_rows
        rows = pa.concat_batches(ready) if ready else no_rows(self.shard_schema)
        outputs, changed = self._judge(journal.block, rows, time if time < FOREVER else end)
        left = sum(len(at) for _, at, _ in waiting)
        due = self._release_after(min(first for _, _, first in waiting)) if left else None
        if self.silence is not None:
            due = self._earlier(due, self._next_silence(journal.block))
        if time >= FOREVER:
            return Advanced(outputs, [], due)
        kept = None
        if sum(batch.num_rows for batch in log) > max(2 * left, _SPENT if left else 0):
            kept = [batch.take(pa.array(at)) for batch, at, _ in waiting]
        note = {"released": time, "seen": len(log if kept is None else kept)}
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

    def _judge(self, block: Block, rows: pa.RecordBatch, horizon: int | None) -> tuple[list[tuple[str, pa.RecordBatch]], Int64s]:
        """Outputs, and the slots of the block that are not as they were."""
        outputs: list[tuple[str, pa.RecordBatch]] = []
        found: list[_Events] = []
        changed = [np.zeros(0, np.int64)]
        if rows.num_rows:
            keys = rows.select(self.step.by)
            slots = block.slots(keys, self.start)
            times = micros(rows.column(EVENT_TIME))
            run = segments(slots, times, *arrival(rows))
            x, when, slot = numbers(rows.column(self.step.of))[run.order], times[run.order], slots[run.order]
            states = np.ascontiguousarray(block.values[run.keys, : self.width])
            scores, expected = self.detector.score_many(x, when / 1e6, run.starts, states)
            block.values[run.keys, : self.width] = states
            changed.append(run.keys)
            outputs.append(("output", self._scored(rows.take(pa.array(run.order)), scores)))
            found.append(self._follow(block, slot, when, x, scores, expected))
        if self.silence is not None and horizon is not None:
            found.append(self._fall_silent(block, horizon))
            changed.append(found[-1].slots)
        events = self._alarm_rows(block, found)
        if events is not None:
            outputs.append(("alarms", events))
        return outputs, np.unique(np.concatenate(changed))

    def _scored(self, rows: pa.RecordBatch, scores: Floats) -> pa.RecordBatch:
        at = self.schema.get_field_index(self.step.score)
        column = pa.array(scores, mask=np.isnan(scores))
        added = rows.add_column(at, self.schema.field(at), column)
        return pa.RecordBatch.from_arrays(added.columns, schema=self.schema)

    def _follow(self, block: Block, slots: Int64s, times: Int64s, x: Floats, scores: Floats, expected: Floats) -> _Events:
        """Run the alarm recurrence; for a detector that judges silence, gaps between rows are put in as rows."""
        rule = self.step.alarm
        raise_after, within, clear_after = rule.raise_after, rule.within or rule.raise_after, rule.clear_after
        clear_below = rule.clear_below or self.detector.clear_below
        if self.silence is not None:
            raise_after = within = clear_after = 1
            slots, times, x, scores, expected = self._with_gaps(block, slots, times, x, scores, expected)
        starts = np.flatnonzero(np.r_[np.ones(min(len(slots), 1), bool), slots[1:] != slots[:-1]])
        bounds = np.r_[starts, len(slots)].astype(np.int64)
        owners = slots[starts]
        states = np.ascontiguousarray(block.values[owners, self.width : self.width + alarms.WIDTH])
        what = np.zeros(len(slots), np.int64)
        begun, peaks = np.zeros(len(slots)), np.zeros(len(slots))
        alarms.alarm_events(
            scores, times.astype(np.float64), bounds, states, raise_after, within, clear_after, clear_below, rule.levels(), what,
            begun, peaks,
        )  # fmt: skip
        block.values[owners, self.width : self.width + alarms.WIDTH] = states
        at = np.flatnonzero(what)
        return _Events(slots[at], what[at], times[at], begun[at].astype(np.int64), peaks[at], scores[at], x[at], expected[at])

    def _with_gaps(self, block: Block, slots: Any, times: Any, x: Any, scores: Any, expected: Any) -> Any:
        """Rows that hold a value, with one row of score 1 put in at the moment at which each gap became silence."""
        assert self.silence is not None
        here = ~np.isnan(x)
        slots, times, x, scores, expected = (column[here] for column in (slots, times, x, scores, expected))
        if not len(slots):
            return slots, times, x, scores, expected
        first = np.r_[True, slots[1:] != slots[:-1]]
        last_seen = block.values[:, -1]
        before = np.where(first, last_seen[slots], np.r_[0, times[:-1]].astype(np.float64))
        known = before > BEGINNING
        gaps = np.flatnonzero(known & (times > before + self.silence))
        moments = (before[gaps] + self.silence).astype(np.int64)
        ends = np.r_[np.flatnonzero(first)[1:], len(slots)] - 1
        last_seen[slots[ends]] = np.maximum(last_seen[slots[ends]], times[ends])
        put = (np.insert(slots, gaps, slots[gaps]), np.insert(times, gaps, moments))
        nans, ones = np.full(len(gaps), np.nan), np.ones(len(gaps))
        return *put, np.insert(x, gaps, nans), np.insert(scores, gaps, ones), np.insert(expected, gaps, nans)

    def _fall_silent(self, block: Block, horizon: int) -> _Events:
        """Keys whose last reading is too long ago at `horizon` and that no alarm tells of yet."""
        assert self.silence is not None
        last_seen, raised = block.values[:, -1], block.values[:, self.width + alarms.RAISED]
        at = np.flatnonzero((last_seen > BEGINNING) & (last_seen + self.silence < horizon) & (raised == 0.0))
        moments = (last_seen[at] + self.silence).astype(np.int64)
        state = block.values[:, self.width :]
        state[at, alarms.RAISED], state[at, alarms.ABOVE] = 1.0, 1.0
        state[at, alarms.START] = state[at, alarms.FIRST_ABOVE] = moments
        state[at, alarms.PEAK] = state[at, alarms.REPORTED] = 1.0
        ones, nans = np.ones(len(at)), np.full(len(at), np.nan)
        return _Events(at, np.full(len(at), alarms.RAISE), moments, moments, ones, ones, nans, nans)

    def _next_silence(self, block: Block) -> int | None:
        assert self.silence is not None
        last_seen, raised = block.values[:, -1], block.values[:, self.width + alarms.RAISED]
        open_ = last_seen[(last_seen > BEGINNING) & (raised == 0.0)]
        return self._release_after(int(open_.min()) + self.silence) if len(open_) else None

    @staticmethod
    def _earlier(one: int | None, other: int | None) -> int | None:
        return min((time for time in (one, other) if time is not None), default=None)

    def _alarm_rows(self, block: Block, found: list[_Events]) -> pa.RecordBatch | None:
        """Alarm events as rows, in the order of (time, key). Alarms are few: each is written out on its own."""
        rows = [self._alarm(block, events, at) for events in found for at in range(len(events.slots))]
        if not rows:
            return None
        rows.sort(key=lambda row: (row["time"], row["key"], row["event"] != "raise"))
        columns = [pa.array([row[field.name] for row in rows], field.type) for field in ALARM_FIELDS]
        # The last moment of the step of event time in which the alarm is given out: so it is never behind a watermark.
        moments = [self._release_after(row["time"] - int(self.is_aggregated)) - 1 for row in rows]
        times = timestamps(np.array(moments, np.int64))
        empty = [pa.nulls(len(rows), field.type) for field in SYSTEM_FIELDS[1:]]
        return pa.RecordBatch.from_arrays([*columns, times, *empty], schema=self.alarm_schema)

    def _alarm(self, block: Block, events: _Events, at: int) -> dict[str, Any]:
        slot = int(events.slots[at])
        labels = [(name, block.keys.column(i)[slot].as_py()) for i, name in enumerate(self.step.by)]
        key = ",".join(f"{name}={value}" for name, value in labels)
        event = alarms.EVENTS[int(events.what[at])]
        observed, score = float(events.observed[at]), float(events.scores[at])
        expected = self.detector.expectation(float(events.expected[at]))
        # A window's event time is its last microsecond; its result is known, and its alarm begins, at its end.
        shown = int(self.is_aggregated)
        started = int(events.starts[at]) + shown
        return {
            "alarm_id": alarm_id(self.rule, labels, started),
            "event": event,
            "rule": self.rule,
            "detector": self.detector_name,
            "severity": self.step.alarm.severity_at(float(events.peaks[at])),
            "key": key,
            "labels": [(name, str(value)) for name, value in labels],
            "time": int(events.times[at]) + shown,
            "started_at": started,
            "of": self.step.of,
            "observed": None if np.isnan(observed) else observed,
            "expected": expected,
            "score": score,
            "peak_score": float(events.peaks[at]),
            "message": self._sentence(event, key, observed, expected, score),
        }

    def _sentence(self, event: str, key: str, observed: float, expected: str, score: float) -> str:
        seen = "nothing" if np.isnan(observed) else f"{observed:.4g}"
        normal = f", expected {expected}" if expected else ""
        if event == "clear":
            return f"{self.step.of} of {key} is normal again: {seen}{normal}"
        grade = "" if np.isnan(observed) else f" (score {score:.3g}, alarm from 1)"
        return f"{self.step.of} of {key} was {seen}{normal}{grade}"
