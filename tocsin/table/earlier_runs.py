"""The rows of earlier runs: which of them a further run keeps, leaves out or replaces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import EVENT_TIME, OFFSET, PARTITION, Booleans, by_partition, micros
from tocsin.table import stored
from tocsin.table.commit import NewFile
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.extents import Extents
from tocsin.table.owner import CURRENT_RUN, Writer
from tocsin.table.table import LiveFile, Table


def covered_mark(shard: str, topic: str, partition: int | str) -> str:
    """The name of the mark with the last offset that finished runs have read for a shard."""
    return f"covered/{shard}/{topic}/{partition}"


def has_offsets(rows: Any, topic: str) -> bool:
    """Whether each row of a batch has the place that it was read from: one topic, and an offset."""
    if not topic or not {PARTITION, OFFSET} <= set(rows.schema.names):
        return False
    return not rows.column(PARTITION).null_count and not rows.column(OFFSET).null_count


Marks = dict[str, int | None]


def uncovered(table: Table, rows: Any, shard: str, topic: str, known: Marks) -> Any:
    """The rows that no finished run has read.

    Args:
        table: with the marks of finished runs.
        rows: a batch with partitions and offsets.
        shard: of the rows.
        topic: of the rows.
        known: marks that were read before. They do not change while a run writes.
    """
    partitions = rows.column(PARTITION).to_numpy()
    offsets = rows.column(OFFSET).to_numpy()
    fresh: Booleans = np.ones(rows.num_rows, np.bool_)
    for partition, where in by_partition(partitions) if len(partitions) else []:
        name = covered_mark(shard, topic, partition)
        if name not in known:
            known[name] = table.mark(name)
        last = known[name]
        if last is not None:
            fresh[where] = offsets[where] > last
    return rows if fresh.all() else rows.filter(pa.array(fresh))


def unfinished(table: Table, extents: Extents, writer: Writer) -> list[LiveFile]:
    """The files of bounded runs before this one whose shard did not reach the end of its input."""
    found = []
    for file in table.files():
        extent = extents.of(file.path)
        if not extent.run or extent.run == writer.run:
            continue
        ends = (f"{writer.owner}/{extent.run}/{shard}/end" for shard in extent.shards)
        if any(table.mark(end) is None for end in ends):
            found.append(file)
    return found


@dataclass
class Replacement:
    """What units replace: files of earlier runs in their spans.

    A file that reaches beyond the spans is written again with the rest of its rows.
    """

    removes: list[LiveFile] = field(default_factory=list)
    rests: list[NewFile] = field(default_factory=list)


class EarlierFiles:
    """The files of other runs, to be replaced by the units of this one."""

    def __init__(self, writer: Writer, extents: Extents) -> None:
        self._writer = writer
        self._extents = extents
        self._may_exist = True
        # Written for an attempt to commit, and used again by the next.
        self._rests: dict[tuple[str, frozenset[tuple[int, int]]], NewFile | None] = {}

    def replaced(self, table: Table, spans: Iterable[tuple[int, int]]) -> Replacement:
        """What units with these spans replace.

        spans: start and end, microseconds since 1970.
        """
        found, spans = Replacement(), list(spans)
        # Only runs with an end leave the id of a run.
        if not spans or not self._may_exist or CURRENT_RUN not in table.properties:
            return found
        others = [file for file in table.files() if self._is_other(file)]
        self._may_exist = bool(others)
        for file in others:
            extent = self._extents.of(file.path)
            touched = frozenset(
                (start, until)
                for start, until in spans
                if start < extent.until and extent.start < until
            )
            if not touched:
                continue
            found.removes.append(file)
            rest = self._rest(file, touched)
            if rest is not None:
                found.rests.append(rest)
        return found

    def unused(self, used: Iterable[NewFile]) -> list[NewFile]:
        """Rests that no commit has; they are forgotten."""
        known = {file.path for file in used}
        found = [one for one in self._rests.values() if one is not None and one.path not in known]
        self._rests = {}
        return found

    def _is_other(self, file: LiveFile) -> bool:
        return self._extents.of(file.path).run != self._writer.run

    def _rest(self, file: LiveFile, spans: frozenset[tuple[int, int]]) -> NewFile | None:
        if (file.path, spans) not in self._rests:
            self._rests[file.path, spans] = self._write_rest(file, spans)
        return self._rests[file.path, spans]

    def _write_rest(self, file: LiveFile, spans: frozenset[tuple[int, int]]) -> NewFile | None:
        extent = self._extents.of(file.path)
        if any(start <= extent.start and extent.until <= until for start, until in spans):
            return None
        path = Path(self._writer.place) / file.path
        try:
            rows = parquet.read_table(stored.fetched(path), partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise Failure(f"{path}: cannot be read: {error}") from None
        times = _times(rows, path)
        inside = np.zeros(rows.num_rows, np.bool_)
        for start, until in spans:
            inside |= (start <= times) & (times < until)
        rest = rows.filter(pa.array(~inside))
        if not rest.num_rows:
            return None
        return write_data_file(self._writer.place, data_path(extent.start, "rest"), rest)


def _times(rows: Any, path: Path) -> Any:
    """The time by which rows are in units: of a reading, of a window's end, of an alarm event."""
    if EVENT_TIME in rows.column_names:
        return micros(rows.column(EVENT_TIME))
    if "window_end" in rows.column_names:
        return micros(rows.column("window_end")) - 1
    if "alarm_id" in rows.column_names and "time" in rows.column_names:
        return micros(rows.column("time"))
    raise Failure(f"{path}: has no time, so a run cannot replace a part of it")
