"""Rows for windows in which a key has no readings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import FOREVER, Int64s, micros, no_rows
from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.kernels.time.windows import Session
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.aggregate.window_operator import WindowOperator

# Columns of a key's state: its last window with readings, and the last one that was emitted.
_REAL, _EMITTED = 0, 1


class GapFillingOperator(Operator):
    """A WindowOperator that also emits windows without readings.

    It emits them for `keep` microseconds after the last window of the key with readings.

    Revision 0 of a window without readings has counts of 0, and nulls. The watermark alone ends the
    window, so no reading of that key is needed. The end of a bounded input is not a gap. Late rows
    revise the window.
    """

    def __init__(self, filled: WindowOperator, keep: int) -> None:
        super().__init__(filled.shard_schema, filled.outputs, by=filled.by, shards=filled.shards)
        assert not isinstance(filled.windows, Session)
        self.filled = filled
        self.windows = filled.windows
        self.keep = keep
        self.key_schema = pa.schema([self.shard_schema.field(name) for name in self.by])

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Route as the WindowOperator does."""
        return self.filled.route(batch)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the WindowOperator wants to be advanced."""
        return self.filled.due(batch)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit the windows that are complete at `time`, including those without readings."""
        block, own = self._known(state)
        done = self.filled.advance(state[1:], log, time, end, memory)
        horizon = time if time < FOREVER else end
        gaps, changed = self._gaps(
            block, [batch for tag, batch in done.outputs if tag == "output"], horizon
        )
        outputs = [*done.outputs, *([("output", gaps)] if gaps.num_rows else [])]
        if time >= FOREVER:
            return Advanced(outputs, [], None, done.counts, done.log)
        piece = own if own is not None and not changed else block.to_bytes()
        moments = [moment for moment in (done.due, self._due(block)) if moment is not None]
        return Advanced(
            outputs, [piece, *done.state], min(moments, default=None), done.counts, done.log
        )

    def _known(self, state: list[bytes]) -> tuple[KeyedBlock, bytes | None]:
        if not state:
            return KeyedBlock.empty(self.key_schema, 2), None
        return KeyedBlock.from_bytes(state[0]), state[0]

    def _gaps(
        self, block: KeyedBlock, results: list[pa.RecordBatch], horizon: int | None
    ) -> tuple[pa.RecordBatch, bool]:
        """Rows of windows without readings up to the horizon, and whether the block changed."""
        rows = [
            batch.filter(pc.equal(batch.column("revision"), 0)).replace_schema_metadata(None)
            for batch in results
        ]
        real = pa.concat_batches(rows) if rows else no_rows(self.filled.schema.remove_metadata())
        slots = block.slots(real.select(self.key_schema.names), np.full(2, np.nan))
        at = self.windows.windows_of(micros(real.column("window_start")))
        order = np.lexsort((at, slots))
        slots, at = slots[order], at[order]
        first = np.r_[True, slots[1:] != slots[:-1]] if len(slots) else np.zeros(0, bool)
        # Between the windows with readings.
        before = np.where(first, block.values[slots, _REAL], np.r_[0, at[:-1]])
        emitted = np.where(first, block.values[slots, _EMITTED], np.r_[0, at[:-1]])
        known = ~np.isnan(before)
        owners, windows = self._between(
            slots[known], before[known], emitted[known], at[known] - self.windows.every
        )
        last = np.r_[first[1:], True] if len(first) else first
        block.values[slots[last]] = at[last, None]
        # After the last of them.
        if horizon is not None and block.keys.num_rows:
            every = np.arange(block.keys.num_rows)
            until = np.full(
                len(every), self.windows.first_ending_after(horizon) - self.windows.every
            )
            behind = self._between(every, block.values[:, _REAL], block.values[:, _EMITTED], until)
            np.maximum.at(block.values[:, _EMITTED], behind[0], behind[1])
            owners, windows = np.r_[owners, behind[0]], np.r_[windows, behind[1]]
            over = self._last_kept(block.values[:, _REAL].astype(np.int64)) <= until
            if over.any():
                keys = block.keys
                filled = self._rows(keys, owners, windows)
                block.keep(~over)
                return filled, True
        return self._rows(block.keys, owners, windows), bool(len(slots) or len(owners))

    def _last_kept(self, real: Int64s) -> Int64s:
        """The last window that is emitted for a key. real: its last window with readings."""
        return np.maximum(
            self.windows.last_starting_before(self.windows.ends_of(real) + self.keep), real
        )

    def _between(
        self, slots: Int64s, real: np.ndarray, emitted: np.ndarray, until: Int64s
    ) -> tuple[Int64s, Int64s]:
        """Slots and windows after `emitted`, up to `until` and to the last one after `real`."""
        every = self.windows.every
        from_, to = (
            emitted.astype(np.int64) + every,
            np.minimum(until, self._last_kept(real.astype(np.int64))),
        )
        counts = np.maximum((to - from_) // every + 1, 0)
        rows = np.repeat(np.arange(len(slots)), counts)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return slots[rows], from_[rows] + steps * every

    def _rows(self, keys: pa.RecordBatch, owners: Int64s, windows: Int64s) -> pa.RecordBatch:
        """Rows with the measures of no readings, in the order of (window, keys)."""
        count = len(owners)
        nothing = no_rows(self.filled.outputs["late"])
        none = np.zeros(0, np.int64)
        arrays = self.filled.partials.measures.fold(nothing, none, none, count)
        bounds = [pa.array(windows)] * 4
        columns = [column.take(pa.array(owners)) for column in keys.columns]
        partial = pa.RecordBatch.from_arrays([*bounds, *columns, *arrays], schema=self.shard_schema)
        return self.filled.partials.finished(
            partial, self.windows.starts_of(windows), self.windows.ends_of(windows), 0, {}
        )

    def _due(self, block: KeyedBlock) -> int | None:
        """When the next window ends that is emitted for a key."""
        if not block.keys.num_rows:
            return None
        following = block.values[:, _EMITTED].astype(np.int64) + self.windows.every
        return int(self.windows.ends_of(following).min())
