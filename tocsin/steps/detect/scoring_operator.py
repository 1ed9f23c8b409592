"""Detection state of a shard: readings put in order, scored, and turned into alarm events."""

from __future__ import annotations

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
from tocsin.steps.state.row_log import begins_with, same_pieces
from tocsin.steps.state.waiting_batches import WaitingBatches

_Shard = tuple[IncrementalBlock, WaitingBatches]


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
        # Removed while they change, so an exception cannot leave a half-updated block behind.
        known, waiting = memory.pop("shard", (None, WaitingBatches()))
        if known is None or not (
            same_pieces(known.pieces, state) and begins_with(log, waiting.log)
        ):
            known = IncrementalBlock.read(state, self.scorer.key_schema, len(self.scorer.start))
            waiting = WaitingBatches()
        note = known.note
        waiting.take(log, note.get("seen", 0), note.get("released", -FOREVER))
        keys = known.block.keys.num_rows
        ready = [
            batch.replace_schema_metadata(self.shard_schema.metadata)
            for batch in waiting.release(time)
        ]
        rows = pa.concat_batches(ready) if ready else no_rows(self.shard_schema)
        feed = Feed(**note.get("feed", {}))
        outputs, changed = self._judge(known.block, rows, feed, time if time < FOREVER else end)
        first = waiting.first()
        due = [] if first is None else [release_after(first)]
        silent = None if self.silence is None else self.silence.next_time(known.block, feed)
        next_time = min([*due, *([] if silent is None else [silent])], default=None)
        if time >= FOREVER:
            return Advanced(outputs, [], next_time)
        kept = waiting.kept()
        note = {"released": time, "seen": len(waiting.log)}
        if self.silence is not None:
            note["feed"] = feed.as_note()
        pieces = known.write(keys, changed, note)
        memory["shard"] = known, waiting
        return Advanced(outputs, pieces, next_time, log=kept)

    def _known(self, shard: _Shard | None, state: list[bytes], log: list[pa.RecordBatch]) -> _Shard:
        """The shard that memory has, if it belongs to this state and log, or one read from them."""
        is_ours = shard is not None and same_pieces(shard[0].pieces, state)
        if shard is not None and is_ours and begins_with(log, shard[1].log):
            return shard
        width = len(self.scorer.start)
        return IncrementalBlock.read(state, self.scorer.key_schema, width), WaitingBatches()

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
