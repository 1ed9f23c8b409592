"""Detection that late rows correct: aggregates are judged on time, and again with their revisions.

There are two blocks of state. The current one has judged all windows on time. The settled one is
the allowed lateness behind: its windows have been revised, and nothing changes them any more. When
a revision arrives, its sensors are judged again from the settled block up to now, and the events
that this gives are compared with those that were emitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import EVENT_TIME, FOREVER, Int64s, micros, no_rows, traits
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.parts.operator import Advanced, Memory, Operator
from tocsin.steps.detect.corrections import corrections, key_texts
from tocsin.steps.detect.scorer import Scorer
from tocsin.steps.state.needed_rows import NeededRows
from tocsin.steps.state.release_times import release_after, result_available_at
from tocsin.steps.state.row_log import same_pieces

Emitted = list[tuple[str, pa.RecordBatch]]


@dataclass
class _State:
    """The two blocks, the events that may still be corrected, and the time judged up to."""

    current: KeyedBlock
    settled: KeyedBlock
    events: pa.RecordBatch
    released: int


class RevisionOperator(Operator):
    """Scores aggregates and follows alarms as ScoringOperator does, and corrects the alarms."""

    def __init__(self, scorer: Scorer, shards: int) -> None:
        super().__init__(scorer.schema, scorer.outputs, by=scorer.detection.by, shards=shards)
        self.scorer = scorer
        self.lateness = traits(scorer.schema).allowed_lateness

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be judged."""
        return release_after(int(self._available(batch).min())) if batch.num_rows else None

    def _available(self, rows: pa.RecordBatch) -> Int64s:
        times = micros(rows.column(EVENT_TIME))
        return result_available_at(times, rows.column("revision"), self.lateness)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Judge the rows that are available before `time`, and correct emitted alarms."""
        memory = {} if memory is None else memory
        known: tuple[list[bytes], _State] | None = memory.pop("revised", None)
        now = known[1] if known is not None and same_pieces(known[0], state) else self._read(state)
        needed_rows = NeededRows.of(log, state, memory, self.shard_schema)
        rows = needed_rows.rows
        available = self._available(rows)
        is_new = (available >= now.released) & (available < time)
        revisions = np.unique(available[is_new & (rows.column("revision").to_numpy() > 0)])
        outputs: Emitted = []
        start = now.released
        for moment in [*revisions.tolist(), None]:
            stop = time if moment is None else moment + 1
            outputs += self._between(now, rows, available, start, stop, moment)
            start = stop
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        now.released = max(now.released, time)
        # A row is needed until its window is settled.
        needed = micros(rows.column(EVENT_TIME)) + self.lateness >= now.released
        waiting = available >= now.released
        pieces = self._written(now)
        memory["revised"] = pieces, now
        due = release_after(int(available[waiting].min())) if waiting.any() else None
        return Advanced(outputs, pieces, due, log=needed_rows.keep(needed, pieces, memory))

    def _between(
        self,
        now: _State,
        rows: pa.RecordBatch,
        available: Int64s,
        start: int,
        stop: int,
        moment: int | None,
    ) -> Emitted:
        """Judge the rows that are available from `start` until before `stop`.

        moment: the last of these times, if revisions are available then.
        """
        times = micros(rows.column(EVENT_TIME))
        revised = rows.column("revision").to_numpy() > 0
        outputs: Emitted = []
        on_time = rows.filter(pa.array(~revised & (times >= start) & (times < stop)))
        if on_time.num_rows:
            outputs = self._judged(now.current, on_time)
            emitted = [now.events, *(batch for name, batch in outputs if name == "alarms")]
            now.events = pa.concat_batches([one.replace_schema_metadata(None) for one in emitted])
        corrected = (
            rows.filter(pa.array(revised & (available == moment)))
            if moment is not None
            else no_rows(self.shard_schema)
        )
        closing = (times >= start - self.lateness) & (times < stop - self.lateness)
        new: list[pa.RecordBatch] = []
        if closing.any():
            scores, new = self._settle(now, rows.filter(pa.array(closing)))
            outputs += scores
        if moment is not None and corrected.num_rows:
            is_open = ~revised & (times >= stop - self.lateness) & (times < stop)
            new += self._judged_again(now, corrected, rows.filter(pa.array(is_open)))
            outputs += self._corrections(now, corrected, new, moment)
        # The time of an event about a window is the window's end, which is not in the window.
        left = micros(now.events.column("time")) - 1 + self.lateness >= stop
        now.events = now.events.filter(pa.array(left))
        return outputs

    def _judged(self, block: KeyedBlock, rows: pa.RecordBatch) -> Emitted:
        """Scored rows and alarm events of a block."""
        run = self.scorer.score(block, rows)
        events = self.scorer.events(block, run.rows, [self.scorer.follow(block, run)])
        outputs = [("output", self.scorer.with_scores(run))]
        return outputs if events is None else [*outputs, ("alarms", events)]

    def _settle(self, now: _State, closing: pa.RecordBatch) -> tuple[Emitted, list[pa.RecordBatch]]:
        """Judge windows that nothing changes any more: scores of revised ones, and alarm events.

        The scores of the other windows were emitted before.
        """
        scores: Emitted = []
        events: list[pa.RecordBatch] = []
        for name, batch in self._judged(now.settled, self._newest(closing)):
            if name == "alarms":
                events.append(batch)
            else:
                again = batch.filter(pc.greater(batch.column("revision"), 0))
                scores += [("output", again)] if again.num_rows else []
        return scores, events

    def _newest(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The row of the highest revision of each key and window."""
        rows = rows.take(pc.sort_indices(rows, sort_keys=[("revision", "descending")]))
        keys = [rows.column(name) for name in (*self.by, "window_start")]
        _, first = group_ids(keys)
        return rows.take(pa.array(np.sort(first)))

    def _judged_again(
        self, now: _State, corrected: pa.RecordBatch, open_rows: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        """Judge the sensors of revisions again, from settled to now: their alarm events."""
        keys = corrected.select(self.by)
        whose = np.unique(now.settled.slots(keys, self.scorer.start))
        again = KeyedBlock(now.settled.keys.take(pa.array(whose)), now.settled.values[whose].copy())
        mine = open_rows.filter(pa.array(self._are_among(open_rows, keys)))
        judged = self._judged(again, mine) if mine.num_rows else []
        here = now.current.slots(again.keys, self.scorer.start)
        now.current.values[here] = again.values
        return [batch for name, batch in judged if name == "alarms"]

    def _are_among(self, rows: pa.RecordBatch, keys: pa.RecordBatch) -> Any:
        """Which rows have one of the keys."""
        both = [pa.concat_arrays([rows.column(name), keys.column(name)]) for name in self.by]
        ids, _ = group_ids(both)
        return np.isin(ids[: rows.num_rows], ids[rows.num_rows :])

    def _corrections(
        self, now: _State, corrected: pa.RecordBatch, new: list[pa.RecordBatch], moment: int
    ) -> Emitted:
        """Events that correct the emitted ones of the sensors of revisions; keeps the new ones."""
        keys = key_texts(corrected, self.by)
        mine = pc.is_in(now.events.column("key"), keys)
        theirs = [batch.filter(pc.is_in(batch.column("key"), keys)) for batch in new]
        found = corrections(
            now.events.filter(mine).to_pylist(),
            [row for batch in theirs for row in batch.to_pylist()],
            moment,
        )
        others = now.events.filter(pc.invert(mine))
        now.events = pa.concat_batches(
            [others, *(batch.replace_schema_metadata(None) for batch in theirs)]
        )
        if not found:
            return []
        return [("alarms", pa.RecordBatch.from_pylist(found, self.outputs["alarms"]))]

    def _read(self, state: list[bytes]) -> _State:
        if not state:
            current, settled = (
                KeyedBlock.empty(self.scorer.key_schema, len(self.scorer.start)) for _ in range(2)
            )
            events = no_rows(self.outputs["alarms"].remove_metadata())
            return _State(current, settled, events, -FOREVER)
        current, settled = (KeyedBlock.from_bytes(piece) for piece in state[:2])
        return _State(current, settled, from_ipc(state[2]), int(state[3]))

    @staticmethod
    def _written(now: _State) -> list[bytes]:
        return [
            now.current.to_bytes(),
            now.settled.to_bytes(),
            to_ipc(now.events, "lz4"),
            str(now.released).encode(),
        ]
