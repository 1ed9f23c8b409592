"""Partial results of windows: folded from rows, merged, and finished."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import (
    FOREVER,
    SYSTEM_FIELDS,
    Int64s,
    Offsets,
    merge_offsets,
    offsets_of,
    timestamps,
    with_offsets,
)
from tocsin.steps.aggregate.measures import Measures

START, END, ACCEPTED, ON_TIME = "_start", "_end", "_accepted", "_on_time"
"""Columns of a partial result, microseconds: the bounds of its pane or session, and the first
window that takes its rows at all (revision 1) and on time (revision 0)."""


class Partials:
    """Partial results of some keys, by pane or session.

    schema: their columns. results: the columns of a finished window.
    """

    def __init__(
        self, rows: pa.Schema, results: pa.Schema, by: list[str], measures: Measures
    ) -> None:
        self.by, self.measures, self.results = by, measures, results
        self.schema = pa.schema(
            [
                *(pa.field(name, pa.int64()) for name in (START, END, ACCEPTED, ON_TIME)),
                *(rows.field(name).with_metadata(None) for name in by),
                *measures.partial_fields,
            ]
        )

    def folded(
        self, rows: pa.RecordBatch, times: Int64s, ids: Int64s, first: Int64s, bounds: list[Int64s]
    ) -> pa.RecordBatch:
        """Rows by group as partial results.

        ids: the group of each row. first: the first row of each group. bounds: START, END, ACCEPTED
        and ON_TIME of each group.
        """
        arrays = self.measures.fold(rows, times, ids, len(first))
        keys = [rows.column(name).take(pa.array(first)) for name in self.by]
        return pa.RecordBatch.from_arrays(
            [*map(pa.array, bounds), *keys, *arrays], schema=self.schema
        )

    def concatenated(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results in one batch, without their offsets."""
        plain = [part.replace_schema_metadata(None) for part in parts]
        same = self.schema.equals
        return pa.concat_batches(
            [one if same(one.schema) else one.cast(self.schema) for one in plain]
        )

    def together(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results in one batch, with the offsets of all of them."""
        offsets = merge_offsets([offsets_of(part) for part in parts])
        return with_offsets(self.concatenated(parts), offsets)

    def merged(self, batch: pa.RecordBatch, ids: Int64s, first: Int64s) -> pa.RecordBatch:
        """One partial result a group. ids: the group of each row. first: the first row of each."""
        starts, ends = bounds_of(
            ids, batch.column(START).to_numpy(), batch.column(END).to_numpy(), len(first)
        )
        rows = pa.array(first)
        kept = [batch.column(name).take(rows) for name in (ACCEPTED, ON_TIME, *self.by)]
        arrays = self.measures.merge(batch, ids, len(first))
        return pa.RecordBatch.from_arrays(
            [pa.array(starts), pa.array(ends), *kept, *arrays], schema=self.schema
        )

    def merged_by_key(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """One partial result a key, whatever its pane."""
        batch = self.concatenated(parts)
        if self.by:
            ids, first = group_ids([batch.column(name) for name in self.by])
        else:
            ids, first = (
                np.zeros(batch.num_rows, np.int64),
                np.zeros(min(batch.num_rows, 1), np.int64),
            )
        return self.merged(batch, ids, first) if len(first) < batch.num_rows else batch

    def finished(
        self, partial: pa.RecordBatch, starts: Int64s, ends: Int64s, revision: int, offsets: Offsets
    ) -> pa.RecordBatch:
        """Results in the order of (window, keys), so that every run gives the same rows.

        starts, ends: bounds of the window of each row.
        """
        results = self.measures.finish(partial, starts, ends)
        size = partial.num_rows
        columns = [
            timestamps(starts),
            timestamps(ends),
            *(partial.column(name) for name in self.by),
            *results,
            pa.repeat(pa.scalar(revision, pa.int32()), size),
            timestamps(ends - 1),
            *(pa.nulls(size, field.type) for field in SYSTEM_FIELDS[1:]),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.results)
        if size > 1:
            batch = batch.sort_by([(name, "ascending") for name in ("window_start", *self.by)])
        return with_offsets(batch, offsets)


def bounds_of(ids: Int64s, starts: Int64s, ends: Int64s, groups: int) -> tuple[Int64s, Int64s]:
    """The earliest start and the latest end of each group."""
    first, last = np.full(groups, FOREVER, np.int64), np.full(groups, -FOREVER, np.int64)
    np.minimum.at(first, ids, starts)
    np.maximum.at(last, ids, ends)
    return first, last
