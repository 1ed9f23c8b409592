"""A recording as batches of a source: in order of event time, with no late row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import csv

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import INDEX, OFFSET, PARTITION, WATERMARK, Int64s, timestamps
from tocsin.kernels.time.event_times import event_micros
from tocsin.parts.source import Source

ROWS = 500_000
"""The most rows of a batch."""


class Recording:
    """A recording with the columns of a source.

    path: a Parquet or CSV file, or a folder of them. Raises Failure where it is missing,
    unreadable, or lacks a column of the source.
    """

    def __init__(self, path: str, source: Source) -> None:
        if not Path(path).exists():
            raise Failure(f"no recording at '{path}'")
        kind = "csv" if path.endswith(".csv") or list(Path(path).glob("*.csv")) else "parquet"
        self.schema = source.schema_of_rows()
        fields = source.fields()
        try:
            found = ds.dataset(path, format=_as_text(fields) if kind == "csv" else kind)
            missing = [field.name for field in fields if field.name not in found.schema.names]
            if missing:
                raise Failure(
                    f"the recording '{path}' has no column {', '.join(missing)} "
                    f"(it has {', '.join(found.schema.names)})"
                )
            table = found.to_table(columns=[field.name for field in fields]).cast(pa.schema(fields))
        except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Failure(f"cannot read the recording '{path}': {error}") from None
        column = table.column(source.event_time).combine_chunks()
        times = event_micros(column, source.time_unit)
        if (np.diff(times) < 0).any():
            order = np.argsort(times, kind="stable")
            table, times = table.take(pa.array(order)), times[order]
        self.table, self.times = table, times

    def batches(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Batches, each with the time (microseconds) up to which the readings are then complete."""
        for first in range(0, len(self.times), ROWS):
            times = self.times[first : first + ROWS]
            last = first + len(times)
            following = self.times[last] if last < len(self.times) else self.times[-1]
            yield self._batch(first, times), int(following)

    def _batch(self, first: int, times: Int64s) -> pa.RecordBatch:
        part = self.table.slice(first, len(times)).combine_chunks()
        system = {
            WATERMARK: pa.nulls(len(times), self.schema.field(WATERMARK).type),
            PARTITION: pa.array(np.zeros(len(times), np.int32)),
            OFFSET: pa.array(np.arange(first, first + len(times))),
            INDEX: pa.array(np.zeros(len(times), np.int32)),
        }
        columns = [
            system[field.name]
            if field.name in system
            else timestamps(times)
            if field.name not in part.schema.names
            else part.column(field.name).chunk(0)
            for field in self.schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _as_text(fields: list[pa.Field]) -> ds.CsvFileFormat:
    """CSV whose text columns stay text, even if they hold digits such as 007."""
    texts = {field.name: field.type for field in fields if pa.types.is_string(field.type)}
    return ds.CsvFileFormat(convert_options=csv.ConvertOptions(column_types=texts))
