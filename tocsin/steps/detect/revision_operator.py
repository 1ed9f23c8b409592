"""Detection that late rows correct: aggregates are judged on time, and again when their revisions are in.

There are two blocks of state. One has judged all windows up to now, as they were on time. The other is the allowed lateness
behind: its windows have been revised, and nothing changes them any more. When a revision comes, the sensors that it concerns are
judged anew from where the second block stands, and what comes out is compared with what was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.alarms.event import key_text
from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import EVENT_TIME, FOREVER, Int64s, micros, no_rows, timestamps, traits
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.parts.operator import Advanced, Memory, Operator
from tocsin.steps.detect.scoring_operator import ScoringOperator
from tocsin.steps.state.release_times import come_at, moments, release_after
from tocsin.steps.state.row_log import is_spent, rows_of, same_pieces

REVISED = "revised"
"""The reason of an event that late rows caused."""


@dataclass
class _State:
    """current: all windows as they were on time. settled: the allowed lateness behind, as they are for good. told: events that
    may still be corrected. released: up to when rows were judged."""

    current: KeyedBlock
    settled: KeyedBlock
    told: pa.RecordBatch
    released: int


class RevisionOperator(Operator):
    """A ScoringOperator whose alarms are corrected. Times are microseconds."""

    def __init__(self, scoring: ScoringOperator) -> None:
        schema = scoring.shard_schema
        super().__init__(schema, scoring.outputs, by=scoring.by, shards=scoring.shards)
        self.scoring = scoring
        self.lateness = traits(schema).allowed_lateness

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be judged."""
        return release_after(int(self._come(batch).min())) if batch.num_rows else None

    def _come(self, rows: pa.RecordBatch) -> Int64s:
        return come_at(micros(rows.column(EVENT_TIME)), rows.column("revision"), self.lateness)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Judge what has come before `time`, and correct what was told."""
        memory = {} if memory is None else memory
        known: tuple[list[bytes], _State] | None = memory.pop("revised", None)
        now = known[1] if known is not None and same_pieces(known[0], state) else self._read(state)
        rows = rows_of(log, self.shard_schema)
        come = self._come(rows)
        is_new = (come >= now.released) & (come < time)
        corrections = np.unique(come[is_new & (rows.column("revision").to_numpy() > 0)])
        outputs: list[tuple[str, pa.RecordBatch]] = []
        start = now.released
        for moment in [*corrections.tolist(), None]:
            stop = time if moment is None else moment + 1
            outputs += self._between(now, rows, come, start, stop, moment)
            start = stop
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        now.released = max(now.released, time)
        times = micros(rows.column(EVENT_TIME))
        # A row is needed until its window is settled.
        needed = times + self.lateness >= now.released
        waiting = come >= now.released
        kept = None
        if is_spent(len(needed), int(needed.sum())):
            kept = [rows.filter(pa.array(needed))] if needed.any() else []
        pieces = self._written(now)
        memory["revised"] = pieces, now
        return Advanced(
            outputs,
            pieces,
            release_after(int(come[waiting].min())) if waiting.any() else None,
            log=kept,
        )

    def _between(
        self,
        now: _State,
        rows: pa.RecordBatch,
        come: Int64s,
        start: int,
        stop: int,
        moment: int | None,
    ) -> list[tuple[str, pa.RecordBatch]]:
        """Judge what comes from `start` until before `stop`; at `moment`, the last of these, revisions come."""
        times = micros(rows.column(EVENT_TIME))
        revised = rows.column("revision").to_numpy() > 0
        outputs: list[tuple[str, pa.RecordBatch]] = []
        told = [now.told]
        fresh = rows.filter(pa.array(~revised & (times >= start) & (times < stop)))
        if fresh.num_rows:
            outputs += self._judged(now.current, fresh)
            told += [batch for name, batch in outputs if name == "alarms"]
        now.told = pa.concat_batches([one.replace_schema_metadata(None) for one in told])
        closing = (times >= start - self.lateness) & (times < stop - self.lateness)
        corrected = (
            rows.filter(pa.array(revised & (come == moment)))
            if moment is not None
            else no_rows(self.shard_schema)
        )
        new: list[pa.RecordBatch] = []
        if closing.any():
            final = self._newest(rows.filter(pa.array(closing)))
            # Scores of revised windows, as they are for good; those of others were given before.
            for name, batch in self._judged(now.settled, final):
                if name == "alarms":
                    new.append(batch)
                else:
                    again = batch.filter(pc.greater(batch.column("revision"), 0))
                    outputs += [("output", again)] if again.num_rows else []
        if corrected.num_rows:
            assert moment is not None
            open_rows = rows.filter(
                pa.array(~revised & (times >= stop - self.lateness) & (times < stop))
            )
            new += self._judged_anew(now, corrected, open_rows)
            outputs += self._corrections(now, corrected, new, moment)
        # An alarm event about a window has the time of its end, which is not in it.
        left = micros(now.told.column("time")) - 1 + self.lateness >= stop
        now.told = now.told.filter(pa.array(left))
        return outputs

    def _judged(self, block: KeyedBlock, rows: pa.RecordBatch) -> list[tuple[str, pa.RecordBatch]]:
        run = self.scoring.judge(block, rows)
        events = self.scoring.events(block, run.rows, [self.scoring.follow(block, run, 0, [])])
        outputs = [("output", self.scoring.scored(run))]
        return outputs if events is None else [*outputs, ("alarms", events)]

    def _newest(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Of each key and window the row of the newest revision."""
        order = pc.sort_indices(rows, sort_keys=[("revision", "descending")])
        rows = rows.take(order)
        _, first = group_ids(
            [*(rows.column(name) for name in self.by), rows.column("window_start")]
        )
        return rows.take(pa.array(np.sort(first)))

    def _judged_anew(
        self, now: _State, corrected: pa.RecordBatch, open_rows: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        """The sensors of the revisions, from where they are settled up to now. Gives their alarm events on the way."""
        keys = corrected.select(self.by)
        slots = now.settled.slots(keys, self.scoring.start)
        whose = np.unique(slots)
        again = KeyedBlock(now.settled.keys.take(pa.array(whose)), now.settled.values[whose].copy())
        mine = open_rows.filter(pa.array(self._among(open_rows, keys)))
        events = (
            [batch for name, batch in self._judged(again, mine) if name == "alarms"]
            if mine.num_rows
            else []
        )
        here = now.current.slots(again.keys, self.scoring.start)
        now.current.values[here] = again.values
        return events

    def _among(self, rows: pa.RecordBatch, keys: pa.RecordBatch) -> Any:
        """Which rows are of one of the keys."""
        both = [pa.concat_arrays([rows.column(name), keys.column(name)]) for name in self.by]
        ids, _ = group_ids(both)
        return np.isin(ids[: rows.num_rows], ids[rows.num_rows :])

    def _corrections(
        self, now: _State, corrected: pa.RecordBatch, new: list[pa.RecordBatch], moment: int
    ) -> list[tuple[str, pa.RecordBatch]]:
        """What people have to be told, after what they were told of these sensors. Alarms are few: one by one."""
        columns = [corrected.column(name).to_pylist() for name in self.by]
        keys = pa.array(
            {key_text(zip(self.by, one, strict=True)) for one in zip(*columns, strict=True)},
            pa.string(),
        )
        mine = pc.is_in(now.told.column("key"), keys)
        theirs = [batch.filter(pc.is_in(batch.column("key"), keys)) for batch in new]
        before = now.told.filter(mine).to_pylist()
        after = [row for batch in theirs for row in batch.to_pylist()]
        has = {(row["alarm_id"], row["event"], row["time"]) for row in before}
        known, holds = {row["alarm_id"] for row in before}, {row["alarm_id"] for row in after}
        still = {row["alarm_id"] for row in after if row["event"] == "clear"}
        withdrawn = {row["alarm_id"] for row in before if row["event"] == "raise"} - holds
        at = timestamps(np.array([moment], np.int64))[0].as_py()
        told = []
        for row in before:
            if row["event"] == "raise" and row["alarm_id"] in withdrawn:
                told.append({**row, "event": "withdraw", "state": "normal", "time": at})
            elif row["event"] == "clear" and row["alarm_id"] not in still | withdrawn:
                told.append({**row, "event": "resume", "state": "unacknowledged", "time": at})
        for row in after:
            told_of = row["event"] == "raise" and row["alarm_id"] in known
            if not told_of and (row["alarm_id"], row["event"], row["time"]) not in has:
                told.append(row)
        others = now.told.filter(pc.invert(mine))
        now.told = pa.concat_batches(
            [others, *(batch.replace_schema_metadata(None) for batch in theirs)]
        )
        if not told:
            return []
        told.sort(
            key=lambda row: (
                row["time"],
                row["key"],
                row["event"] != "withdraw",
                row["event"] != "raise",
            )
        )
        shown = timestamps(moments(np.full(1, moment, np.int64)))[0].as_py()
        told = [{**row, "reason": REVISED, EVENT_TIME: shown} for row in told]
        return [("alarms", pa.RecordBatch.from_pylist(told, self.scoring.alarm_schema))]

    def _read(self, state: list[bytes]) -> _State:
        if not state:
            current, settled = (
                KeyedBlock.empty(self.scoring.key_schema, len(self.scoring.start)) for _ in range(2)
            )
            return _State(
                current, settled, no_rows(self.scoring.alarm_schema.remove_metadata()), -FOREVER
            )
        current, settled = (KeyedBlock.from_bytes(piece) for piece in state[:2])
        return _State(current, settled, from_ipc(state[2]), int(state[3]))

    @staticmethod
    def _written(now: _State) -> list[bytes]:
        return [
            now.current.to_bytes(),
            now.settled.to_bytes(),
            to_ipc(now.told, "lz4"),
            str(now.released).encode(),
        ]
