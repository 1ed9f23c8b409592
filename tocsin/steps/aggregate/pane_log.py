"""A log of partial results with the panes that each part of it spans, which are looked for once a part."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

START = "_start"
"""The column of the panes' starts."""


@dataclass(frozen=True)
class PaneLog:
    """Partial results, and the first and the last pane of them."""

    part: pa.RecordBatch
    low: int
    high: int


def ranged(log: list[pa.RecordBatch], before: list[PaneLog]) -> list[PaneLog]:
    """A log with its panes. before: what is known of some of its parts."""
    known = {id(one.part): one for one in before}
    found = []
    for part in log:
        one = known.get(id(part))
        if one is None:
            starts = part.column(START).to_numpy()
            one = PaneLog(part, int(starts.min()), int(starts.max()))
        found.append(one)
    return found
