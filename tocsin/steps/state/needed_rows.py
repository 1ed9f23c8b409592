"""The rows of a log that later calls need, so that the others are not touched again."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tocsin.kernels.batch import Booleans, no_rows
from tocsin.parts.operator import Memory
from tocsin.steps.state.row_log import begins_with, is_spent, rows_of, same_pieces

_NAME = "needed"


@dataclass(frozen=True)
class NeededRows:
    """Rows that are needed, and those that arrived since.

    log: the batches that they are from. size: the number of rows of the log.
    """

    rows: pa.RecordBatch
    log: list[pa.RecordBatch]
    size: int

    @classmethod
    def of(
        cls, log: list[pa.RecordBatch], state: list[bytes], memory: Memory, schema: pa.Schema
    ) -> NeededRows:
        """The rows of a log that were needed after the last call, and new ones.

        Without memory of that call, these are all rows of the log. schema: of the rows.
        """
        known = cls(no_rows(schema), [], 0)
        before: tuple[list[bytes], NeededRows] | None = memory.pop(_NAME, None)
        if before is not None and same_pieces(before[0], state):
            known = before[1] if begins_with(log, before[1].log) else known
        arrived = log[len(known.log) :]
        if not arrived:
            return known
        rows = rows_of([known.rows, *arrived], schema)
        return cls(rows, list(log), known.size + sum(batch.num_rows for batch in arrived))

    def keep(
        self, needed: Booleans, state: list[bytes], memory: Memory
    ) -> list[pa.RecordBatch] | None:
        """Remember the rows that are needed. Gives the log to keep; None: the one that came.

        needed: a bool a row of `rows`. state: the pieces that the next call gets.
        """
        rows = self.rows if needed.all() else self.rows.filter(pa.array(needed))
        left = NeededRows(rows, self.log, self.size)
        kept = None
        if is_spent(self.size, rows.num_rows):
            kept = [rows] if rows.num_rows else []
            left = NeededRows(rows, kept, rows.num_rows)
        memory[_NAME] = state, left
        return kept
