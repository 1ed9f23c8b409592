"""Rows to units of output by event time, so a file has the same rows whenever it is written."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import (
    BEGINNING,
    EVENT_TIME,
    FOREVER,
    INDEX,
    OFFSET,
    PARTITION,
    WATERMARK,
    Booleans,
    Int64s,
    merge_offsets,
    micros,
    offsets_of,
    traits,
    with_offsets,
)
from tocsin.kernels.state.keyed_block import from_ipc, to_ipc
from tocsin.parts.operator import Advanced, Memory, Operator, Routed, split_by_key
from tocsin.parts.sink import Sink
from tocsin.steps.state.late_rows import set_apart

UNIT = "unit:"
_DONE = b"tocsin.done"


class FileOperator(Operator):
    """Collects rows into units: a span of event time, a shard and a revision.

    Revision 0 has the rows on time, revision 1 those within the allowed lateness; later rows go to
    `late`. By arrival, a unit has the rows that arrived while the watermark was in its span, and no
    row is late. A unit is written when the watermark has passed its span, or span and lateness.
    """

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        super().__init__(schema, {"late": schema}, shards=sink.unit_shards())
        span = sink.file_span()
        assert span is not None
        self.span = span
        self.by_arrival = sink.is_by_arrival()
        self.traits = traits(schema)
        self.lateness = self.traits.allowed_lateness

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard; rows later than the allowed lateness to `late`."""
        ends = self._ends(batch)
        late = ends + self.lateness <= micros(batch.column(WATERMARK))
        on_time, outputs = set_apart(batch, late)
        batch = with_offsets(on_time, offsets_of(batch)) if outputs else batch
        by = list(self.traits.keys) or (
            [PARTITION] if batch.column(PARTITION).null_count == 0 else []
        )
        offsets = offsets_of(batch)
        parts = [
            (shard, with_offsets(part, offsets))
            for shard, part in split_by_key(batch, by, self.shards)
        ]
        return Routed(parts, outputs, {"kept": batch.num_rows, "late": int(late.sum())})

    def _ends(self, batch: pa.RecordBatch, *, is_last: bool = False) -> Int64s:
        """The end of each row's unit. is_last: whether no row follows."""
        times = micros(batch.column(EVENT_TIME))
        if self.by_arrival:
            own = times - self.traits.out_of_orderness if is_last else np.full(len(times), FOREVER)
            times = _arrivals(batch, own)
        ends: Int64s = (times // self.span + 1) * self.span
        return ends

    def _revisions(self, batch: pa.RecordBatch, ends: Int64s) -> Int64s:
        if self.traits.aggregated:
            revisions: Int64s = np.minimum(batch.column("revision").to_numpy(), 1).astype(np.int64)
        else:
            revisions = (ends <= micros(batch.column(WATERMARK))).astype(np.int64)
        return revisions

    def _moments(
        self, batch: pa.RecordBatch, *, is_last: bool = False
    ) -> tuple[Int64s, Int64s, Int64s]:
        ends = self._ends(batch, is_last=is_last)
        revisions = self._revisions(batch, ends)
        return ends, revisions, ends + revisions * self.lateness

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first unit of the batch is complete."""
        return _known(int(self._moments(batch)[2].min())) if batch.num_rows else None

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit the units that are complete at `time`."""
        kept = [from_ipc(state[0])] if state else []
        done = json.loads((kept[0].schema.metadata or {}).get(_DONE, b"{}")) if kept else {}
        parts = [part for part in (*kept, *log) if part.num_rows]
        if not parts:
            return Advanced([], state, None)
        offsets = merge_offsets([offsets_of(part) for part in parts])
        rows = pa.concat_batches(
            [part.replace_schema_metadata(self.shard_schema.metadata) for part in parts]
        )
        ends, revisions, moments = self._moments(rows, is_last=time >= FOREVER)
        apart = self._met_no_watermark(rows, is_last=time >= FOREVER)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        for moment_end, revision, is_apart in sorted(
            set(zip(ends.tolist(), revisions.tolist(), apart.tolist(), strict=True))
        ):
            if moment_end + revision * self.lateness > time:
                continue
            unit = f"{moment_end - self.span}.r{revision}"
            named = (ends == moment_end) & (revisions == revision) & (apart == is_apart)
            here = rows.filter(pa.array(named))
            name = f"{unit}.0" if is_apart else self._numbered(unit, done)
            outputs.append((UNIT + name, with_offsets(self._sorted(here), offsets)))
        waiting = moments > time
        rest = rows.filter(pa.array(waiting))
        due = _known(int(moments[waiting].min())) if rest.num_rows else None
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        recent = {
            u: n
            for u, n in done.items()
            if int(u.split(".")[0]) + 3 * self.span + 2 * self.lateness > time
        }
        written = with_offsets(rest, offsets if rest.num_rows else {})
        metadata = {**(written.schema.metadata or {}), _DONE: json.dumps(recent).encode()}
        return Advanced(outputs, [to_ipc(written.replace_schema_metadata(metadata))], due)

    @staticmethod
    def _numbered(unit: str, done: dict[str, int]) -> str:
        """The unit's name, with a number if rows of the unit were emitted before.

        By the rules of lateness a unit is complete once. If it is not, the number in its name keeps
        its rows apart from those before.
        """
        times = done[unit] = done.get(unit, -1) + 1
        return unit if times == 0 else f"{unit}.{times}"

    def _met_no_watermark(self, batch: pa.RecordBatch, *, is_last: bool) -> Booleans:
        """Rows of an archive that end with their partition before it had a watermark.

        Their units may fall due before units that were emitted, so they have names of their own.
        """
        if not (self.by_arrival and is_last):
            return np.zeros(batch.num_rows, np.bool_)
        found: Booleans = _arrivals(batch, np.full(batch.num_rows, FOREVER)) >= FOREVER
        return found

    def _sorted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = [*(name for name in self.traits.keys), EVENT_TIME]
        if "window_start" in batch.schema.names:
            names.insert(0, "window_start")
        names += [name for name in (PARTITION, OFFSET, INDEX) if batch.column(name).null_count == 0]
        return batch.sort_by([(name, "ascending") for name in dict.fromkeys(names)])


def write_units(sink: Sink, shard: int, outputs: list[tuple[str, pa.RecordBatch]]) -> None:
    """Write the units of one advance, and nothing between them and their flush."""
    for name, batch in outputs:
        if name.startswith(UNIT):
            start, _, rest = name.removeprefix(UNIT).partition(".")
            sink.write(batch, f"{start}.s{shard:03d}.{rest}")
    sink.flush()


def _arrivals(batch: pa.RecordBatch, own: Int64s) -> Int64s:
    """The watermark that each row met.

    The first rows of a partition meet none. They arrive with the first row that does, so that the
    rows of a partition stay in their order. Without such a row they get the least of their `own`.
    """
    found = micros(batch.column(WATERMARK))
    first = found <= BEGINNING
    if not first.any():
        return found
    partitions = batch.column(PARTITION).to_numpy(zero_copy_only=False)
    for partition in np.unique(partitions[first]):
        ours = partitions == partition
        met = found[ours & ~first]
        found = np.where(ours & first, (met if len(met) else own[ours]).min(), found)
    return found


def _known(time: int) -> int | None:
    """A time, or None for one that is not known yet."""
    return time if time < FOREVER else None
