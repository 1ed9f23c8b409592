"""Sources of rows in memory: for tests inside job files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.foundation.failure import Mistake
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.part import Param
from tocsin.parts.source import Fetched, Source, Split


class InMemorySource(Source):
    """A test's rows, in their order. The field `partition` of a row sets its partition, else 0."""

    tables: dict[int, list[dict[str, Any]]] = Param(help="rows by partition")
    columns: list[Any] = Param(help="Arrow fields")

    def fields(self) -> list[pa.Field]:
        """The fields of the source that it replaces."""
        return self.columns

    def topic_name(self) -> str:
        """The topic that rejects and late rows name: `given`."""
        return "given"

    def splits(self, live: bool) -> list[Split]:
        """One split for each partition."""
        return [
            Split("given", number, 0, len(rows)) for number, rows in sorted(self.tables.items())
        ]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        """All rows of a partition as one batch; the row number is the offset."""
        rows = self.tables[split.partition]
        if not rows:
            return
        schema = pa.schema(self.columns)
        arrays = [_column([row.get(f.name) for row in rows], f.type) for f in schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        size = len(rows)
        offsets = np.arange(size, dtype=np.int64)
        yield Fetched(
            batch, offsets, np.zeros(size, np.int64), np.full(size, BEGINNING), size, size
        )


def _column(values: list[Any], kind: Any) -> Any:
    if pa.types.is_timestamp(kind):
        return pa.array([None if v is None else str(v) for v in values], pa.string()).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array([None if v is None else float(v) for v in values], kind)
    return pa.array(values, kind)


def in_memory(source: Source, rows: list[dict[str, Any]], what: str) -> InMemorySource:
    """A source of rows. Raises Mistake for a value that its column cannot hold."""
    tables: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        partition = row.get("partition", 0)
        if not isinstance(partition, int) or not 0 <= partition < 1 << 31:
            raise Mistake(f"{what}: '{partition}' is no partition")
        tables.setdefault(partition, []).append(row)
    for column in source.fields():
        try:
            _column([row.get(column.name) for row in rows], column.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise Mistake(f"{what}: '{column.name}' is {column.type}: {reason}") from None
    durations = {
        name: f"{getattr(source, name)} us"
        for name in ("out_of_orderness", "allowed_lateness", "max_future")
    }
    return InMemorySource.model_validate(
        {
            "tables": tables or {0: []},
            "columns": source.fields(),
            "event_time": source.event_time,
            "time_unit": source.time_unit,
            **durations,
        }
    )
