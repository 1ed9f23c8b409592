"""Detection state of a shard: readings put in order, scored, and turned into alarm events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import EVENT_TIME, FOREVER, WATERMARK, Int64s, micros, no_rows, traits
from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.detect.evidence import Found
from tocsin.steps.detect.scorer import Scorer
from tocsin.steps.detect.silence import Feed, Outage
from tocsin.steps.detect.silence_alarms import SilenceAlarms
from tocsin.steps.state.incremental_block import IncrementalBlock
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import first_release, release_after
from tocsin.steps.state.row_log import is_spent, same_pieces


class ScoringOperator(Operator):
    """Scores rows in order of (key, event time), and follows each key's alarm.

    silence: for a detector of silence. A row stays in the log after it is released, until most rows
    of the log are released.
    """

    def __init__(self, scorer: Scorer, silence: SilenceAlarms | None, shards: int) -> None:
        super().__init__(scorer.schema, scorer.outputs, by=scorer.detection.by, shards=shards)
        self.scorer, self.silence = scorer, silence
        self.is_aggregated = traits(scorer.schema).aggregated

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard. Rows behind their partition's watermark go to `late`.

        Revisions of aggregates are not judged.
        """
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
        return first_release(batch)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Release and judge the rows before `time`, and silence up to `time` or the input's end."""
        memory = {} if memory is None else memory
        # Removed while the block changes, so an exception cannot leave a half-updated block behind.
        known: IncrementalBlock | None = memory.pop("block", None)
        if known is None or not same_pieces(known.pieces, state):
            known = IncrementalBlock.read(state, self.scorer.key_schema, len(self.scorer.start))
        keys = known.block.keys.num_rows
        ready, waiting = self._released(log, known.note, time)
        rows = pa.concat_batches(ready) if ready else no_rows(self.shard_schema)
        feed = Feed(**known.note.get("feed", {}))
        outputs, changed = self._judge(known.block, rows, feed, time if time < FOREVER else end)
        due = [release_after(first) for _, _, first in waiting]
        silent = None if self.silence is None else self.silence.next_time(known.block, feed)
        next_time = min([*due, *([] if silent is None else [silent])], default=None)
        if time >= FOREVER:
            return Advanced(outputs, [], next_time)
        kept = None
        left = sum(len(at) for _, at, _ in waiting)
        if is_spent(sum(batch.num_rows for batch in log), left):
            kept = [batch.take(pa.array(at)) for batch, at, _ in waiting]
        note: dict[str, Any] = {"released": time, "seen": len(log if kept is None else kept)}
        if self.silence is not None:
            note["feed"] = feed.as_note()
        pieces = known.write(keys, changed, note)
        memory["block"] = known
        return Advanced(outputs, pieces, next_time, log=kept)

    def _released(
        self, log: list[pa.RecordBatch], note: dict[str, Any], time: int
    ) -> tuple[list[pa.RecordBatch], list[tuple[pa.RecordBatch, Int64s, int]]]:
        """The rows that are released now, and the waiting rows of each batch.

        Waiting rows are a batch, row numbers, and the earliest time of these rows.
        """
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
        """Outputs, and the slots of the block that changed."""
        outputs: list[tuple[str, pa.RecordBatch]] = []
        found: list[Found] = []
        changed = [np.zeros(0, np.int64)]
        base, outages, judged = feed.base, list[Outage](), rows
        if rows.num_rows:
            run = self.scorer.score(block, rows)
            judged = run.rows
            changed.append(run.keys)
            if "output" not in self.unread:
                outputs.append(("output", self.scorer.with_scores(run)))
            if self.silence is None:
                found.append(self.scorer.follow(block, run))
            else:
                found, registered, base, outages = self.silence.rows_arrive(block, run, feed)
                changed.append(registered)
        if self.silence is not None and horizon is not None:
            silent = self.silence.time_passes(block, feed, horizon, base, outages)
            found += silent
            changed += [one.slots for one in silent]
        events = self.scorer.events(block, judged, found)
        if events is not None:
            outputs.append(("alarms", events))
        touched = np.unique(np.concatenate(changed))
        return outputs, touched[touched >= 0]
