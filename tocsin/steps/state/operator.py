"""What a step with keyed state is, without Beam: rows are sent to shards, kept there, and released by event time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import shards
from tocsin.kernels.batch import no_rows


@dataclass(frozen=True)
class Routed:
    """A batch on its way to the shards, and what does not go there: by output name. counts: rows by fate."""

    by_shard: list[tuple[int, pa.RecordBatch]]
    outputs: dict[str, pa.RecordBatch] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


Memory = dict[str, Any]
"""What a shard's step remembers between calls to save work. It may be gone at any time, and no result depends on it."""


@dataclass(frozen=True)
class Advanced:
    """What a shard gave at a time. due: the next time at which it wants to be advanced, or None.

    state: pieces in an order of their own; those that it was given, with more behind them, cost only what is more.
    log: the rows that the shard keeps in place of those that it was given; None: it keeps what it was given.
    """

    outputs: list[tuple[str, pa.RecordBatch]]
    state: list[bytes]
    due: int | None
    counts: dict[str, int] = field(default_factory=dict)
    log: list[pa.RecordBatch] | None = field(default_factory=list)


def rows_of(log: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """A log's rows as one batch of the schema, whatever was noted on its batches."""
    plain = [batch.replace_schema_metadata(schema.metadata) for batch in log]
    return pa.concat_batches(plain) if plain else no_rows(schema)


# Spent rows that may stay in a log in any case.
_SPENT = 4_000


def is_spent(rows: int, left: int) -> bool:
    """Whether more of a log is spent than not, so that it had better be written anew. left: rows that are still needed."""
    return rows > max(2 * left, _SPENT if left else 0)


def same_pieces(one: list[bytes], other: list[bytes]) -> bool:
    """Whether they are the very same objects, and not just equal."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


class KeyedStep(Protocol):
    """A step with state. All times are microseconds of event time."""

    shards: int
    shard_schema: pa.Schema
    outputs: dict[str, pa.Schema]
    # Whether rows are advanced when they come, and not when the watermark has passed them.
    eager: bool

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows to shards, before the shuffle."""

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When a shard that just got this batch wants to be advanced."""

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Give what is complete at `time`. log: rows that were kept, and those that have come since.

        end: the watermark of a bounded input's end. memory: belongs to the shard's rows up to now, or is empty.
        """


def split_by_key(
    batch: pa.RecordBatch, by: list[str], count: int
) -> list[tuple[int, pa.RecordBatch]]:
    """Rows by the shard of their key, in their order."""
    if not batch.num_rows:
        return []
    if not by:
        return [(0, batch)]
    owner = shards([batch.column(name) for name in by], count)
    # NumPy sorts numbers of 16 bits by radix.
    order = np.argsort(owner.astype(np.uint16) if count < 2**16 else owner, kind="stable")
    bounds = np.r_[0, np.cumsum(np.bincount(owner, minlength=count))]
    ordered = batch.take(pa.array(order))
    return [
        (s, ordered.slice(bounds[s], bounds[s + 1] - bounds[s])) for s in np.unique(owner).tolist()
    ]
