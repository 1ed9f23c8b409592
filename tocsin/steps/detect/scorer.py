"""Scores rows in order of (key, event time), and follows the alarm of each key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.alarms import lifecycle
from tocsin.kernels.batch import BEGINNING, EVENT_TIME, Floats, Int64s, micros
from tocsin.kernels.segments import Segments, arrival, segments
from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.parts.detector import width_of
from tocsin.steps.detect.detection import PLACE, Detection
from tocsin.steps.detect.evidence import Evidence, Found
from tocsin.steps.detect.positions import last_known
from tocsin.steps.detect.silence import KINDS

# Columns of the state behind those of the detector and of the alarm.
_PLACES, _LAST_SEEN = slice(-3, -1), -1


@dataclass(frozen=True)
class Run:
    """Rows, and columns in their order by (key, event time). Times are microseconds.

    order: the row of each position. keys: the slots that have rows. which: for a detector of
    several columns, the column that stands out. places: where the sensor was at each row, and
    before the first one of each key; None if the input has no positions.
    """

    rows: pa.RecordBatch
    order: Int64s
    slots: Int64s
    times: Int64s
    x: Floats
    scores: Floats
    expected: Floats
    keys: Int64s
    which: Int64s | None = None
    places: tuple[Floats, Floats] | None = None


@dataclass(frozen=True)
class Scored:
    """What alarms follow, in order of (key, event time).

    rows: the row of each position, or -1 for a gap without one. kinds: what would be found, a
    position in KINDS. places: where the sensor was, shape (rows, 2), or None.
    """

    slots: Int64s
    times: Int64s
    x: Floats
    scores: Floats
    expected: Floats
    rows: Int64s
    kinds: Int64s
    which: Int64s | None = None
    places: Floats | None = None


class Scorer:
    """The detector of a Detect step, and the alarms of its keys, on a block of state.

    A row of the block has the state of the detector, that of the alarm, the position of the sensor
    if the input has one, and the time of its last reading.
    """

    def __init__(
        self, detection: Detection, schema: pa.Schema, outputs: dict[str, pa.Schema]
    ) -> None:
        self.detection, self.detector = detection, detection.detector
        self.schema, self.outputs = schema, outputs
        self.key_schema = pa.schema([schema.field(key).with_metadata(None) for key in detection.by])
        self.width = width_of(self.detector)
        self.has_place = set(PLACE) <= set(schema.names)
        self.evidence = Evidence(detection, schema, outputs["alarms"])
        place = np.full(len(PLACE) if self.has_place else 0, np.nan)
        start = np.array(self.detector.start_state(), np.float64)
        self.start = np.r_[start, np.zeros(lifecycle.WIDTH), place, float(BEGINNING)]

    def score(self, block: KeyedBlock, rows: pa.RecordBatch) -> Run:
        """Score at least one row. Changes the block."""
        slots = block.slots(rows.select(self.detection.by), self.start)
        run = segments(slots, micros(rows.column(EVENT_TIME)), *arrival(rows))
        x = self._values(rows)[run.order]
        times = micros(rows.column(EVENT_TIME))[run.order]
        states = np.ascontiguousarray(block.values[run.keys, : self.width])
        scores, expected = self.detector.score_many(x, times / 1e6, run.starts, states)
        block.values[run.keys, : self.width] = states
        places = self._places(block, rows.take(pa.array(run.order)), run, x)
        which = None
        if x.ndim > 1:
            # `expected` is the number of the column that stands out.
            which = np.nan_to_num(expected, nan=0.0).astype(np.int64)
            x, expected = x[np.arange(len(x)), which], np.full(len(x), np.nan)
        return Run(
            rows, run.order, slots[run.order], times, x, scores, expected, run.keys, which, places
        )  # fmt: skip

    def _values(self, rows: pa.RecordBatch) -> Floats:
        columns = [numbers(rows.column(name)) for name in self.detection.columns]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def _places(
        self, block: KeyedBlock, rows: pa.RecordBatch, run: Segments, x: Floats
    ) -> tuple[Floats, Floats] | None:
        """Where each sensor was at its rows and before them. Keeps the last in the block.

        Only rows with a reading count: then the place of a silence is that of the last reading,
        whatever comes before it is noticed.
        """
        if not self.has_place:
            return None
        before = block.values[run.keys, _PLACES].copy()
        here = np.column_stack([numbers(rows.column(name)) for name in PLACE])
        here[np.isnan(x) if x.ndim == 1 else np.isnan(x).all(axis=1)] = np.nan
        found = last_known(here, run.starts, before)
        block.values[run.keys, _PLACES] = found[run.starts[1:] - 1]
        return found, before

    def with_scores(self, run: Run) -> pa.RecordBatch:
        """The rows with their scores; null for a row that has none."""
        schema, name = self.outputs["output"], self.detection.score
        rows, at = run.rows.take(pa.array(run.order)), schema.get_field_index(name)
        column = pa.array(run.scores, mask=np.isnan(run.scores))
        added = rows.add_column(at, schema.field(at), column)
        return pa.RecordBatch.from_arrays(added.columns, schema=schema)

    def follow(self, block: KeyedBlock, run: Run) -> Found:
        """The alarm events of scored rows. Changes the block."""
        rule = self.detection.alarm
        scored = Scored(
            run.slots, run.times, run.x, run.scores, run.expected, run.order,
            np.zeros(len(run.slots), np.int64), run.which, run.places and run.places[0],
        )  # fmt: skip
        return self.followed(
            block,
            scored,
            raise_after=rule.raise_after,
            within=rule.within,
            raise_for=rule.raise_for,
            clear_after=rule.clear_after,
            clear_for=rule.clear_for,
            clear_below=rule.clear_below or self.detector.clear_below,
            levels=rule.levels(),
        )

    def followed(self, block: KeyedBlock, scored: Scored, **rule: Any) -> Found:
        """The alarm events of scores. rule: parameters of `lifecycle.follow`. Changes the block."""
        slots = scored.slots
        starts = np.flatnonzero(np.r_[np.ones(min(len(slots), 1), bool), slots[1:] != slots[:-1]])
        bounds = np.r_[starts, len(slots)].astype(np.int64)
        owners = slots[starts]
        states = np.ascontiguousarray(self.alarms(block)[owners])
        times = scored.times.astype(np.float64)
        lives = lifecycle.follow(scored.scores, times, bounds, states, **rule)
        self.alarms(block)[owners] = states
        at = np.flatnonzero(lives.events)
        return Found(
            detectors=[KINDS[kind] or self.detection.name for kind in scored.kinds[at]],
            slots=slots[at],
            what=lives.events[at],
            times=scored.times[at],
            starts=lives.starts[at].astype(np.int64),
            peaks=lives.peaks[at],
            levels=lives.levels[at],
            scores=scored.scores[at],
            observed=scored.x[at],
            expected=scored.expected[at],
            rows=scored.rows[at],
            which=None if scored.which is None else scored.which[at],
            places=None if scored.places is None else scored.places[at],
        )

    def alarms(self, block: KeyedBlock) -> Floats:
        """The columns of the block with the state of alarms, to read or change."""
        return block.values[:, self.width : self.width + lifecycle.WIDTH]

    @staticmethod
    def last_seen(block: KeyedBlock) -> Floats:
        """The column of the block with the times of last readings, to read or change."""
        return block.values[:, _LAST_SEEN]

    def events(
        self, block: KeyedBlock, judged: pa.RecordBatch, found: list[Found]
    ) -> pa.RecordBatch | None:
        """Alarm events as rows, or None. judged: the rows that `found` counts."""
        places = block.values[:, _PLACES] if self.has_place else None
        return self.evidence.rows(block.keys, places, judged, found)
