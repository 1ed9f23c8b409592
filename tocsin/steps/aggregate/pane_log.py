"""A log of partial results with the panes that each part spans, found once a part."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tocsin.steps.aggregate.partials import START


@dataclass(frozen=True)
class PaneLog:
    """Partial results, and the starts of their first and last pane, microseconds."""

    part: pa.RecordBatch
    low: int
    high: int


def panes_of(log: list[pa.RecordBatch], before: list[PaneLog]) -> list[PaneLog]:
    """The parts of a log with their panes. before: parts whose panes are known."""
    known = {id(one.part): one for one in before}
    found = []
    for part in log:
        one = known.get(id(part))
        if one is None:
            starts = part.column(START).to_numpy()
            one = PaneLog(part, int(starts.min()), int(starts.max()))
        found.append(one)
    return found
