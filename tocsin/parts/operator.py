"""What a step with keyed state does: route rows to shards, keep them there, emit by event time.

An operator is pure. It reads no clock, does no I/O and keeps no state between calls: an engine
hands it a shard's state and rows, and stores the new state.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import shards


@dataclass(frozen=True)
class Routed:
    """A batch split by shard.

    outputs: rows that leave before the shuffle: only `late` may. counts: number of rows by fate.
    """

    by_shard: list[tuple[int, pa.RecordBatch]]
    outputs: dict[str, pa.RecordBatch] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


Memory = dict[str, Any]
"""What a shard remembers between calls to save work. An engine may drop it at any time, so no
result may depend on it."""


@dataclass(frozen=True)
class Advanced:
    """What a shard emitted, and what the engine stores for the next call.

    state: pieces of bytes. An engine that gets its own pieces back, with more behind them, writes
    only those that are new. due: the next time at which the shard wants to be advanced, or None.
    log: the rows that the shard keeps instead of those that it got; None: it keeps what it got.
    """

    outputs: list[tuple[str, pa.RecordBatch]]
    state: list[bytes]
    due: int | None
    counts: dict[str, int] = field(default_factory=dict)
    log: list[pa.RecordBatch] | None = field(default_factory=list)


class Operator:
    """The state machine of a step. All times are microseconds of event time.

    `route` emits only rows of `late`, and `advance` rows of all other outputs. shard_schema: of
    rows that `route` sends to shards. outputs: schemas by output name. by: the columns by which
    `split` finds the shard of a row. lookahead: how long the watermark of the output is held back.
    """

    eager: ClassVar[bool] = False
    """Whether an engine advances a shard when rows arrive, and not when the watermark passes."""
    version: ClassVar[int] = 1
    """Version of the state's format, for `note`."""
    state_name: ClassVar[str] = "state"
    """What an error calls the state."""

    def __init__(
        self,
        shard_schema: pa.Schema,
        outputs: dict[str, pa.Schema],
        *,
        by: Sequence[str] = (),
        shards: int = 1,
        lookahead: int = 0,
    ) -> None:
        self.shard_schema = shard_schema
        self.outputs = outputs
        self.by = list(by)
        self.shards = shards
        self.lookahead = lookahead
        # Outputs that nothing reads. An engine sets it; an operator may then leave them out.
        self.unread: frozenset[str] = frozenset()

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Split a batch by shard, before the shuffle."""
        return Routed(self.split(batch), {}, {"kept": batch.num_rows})

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When a shard wants to be advanced that has just received this batch; None: never."""
        raise NotImplementedError

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit what is complete at `time`.

        log: the rows that the shard kept, then those that arrived since. end: the watermark at the
        end of a bounded input, which comes with the time FOREVER. memory: belongs to this state
        and log, or is empty.
        """
        raise NotImplementedError

    def split(self, batch: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
        """Rows by the shard of their key, in their order."""
        return split_by_key(batch, self.by, self.shards)

    def note(self, **values: Any) -> bytes:
        """A piece of state: JSON values with the version."""
        return json.dumps({"version": self.version, **values}).encode()

    def read_note(self, piece: bytes) -> dict[str, Any]:
        """The values of a `note`. Raises ValueError if another version wrote it."""
        known: dict[str, Any] = json.loads(piece)
        written = known.pop("version", None)
        if written != self.version:
            raise ValueError(
                f"{self.state_name} of version {written}, this program reads version {self.version}"
            )
        return known


def split_by_key(
    batch: pa.RecordBatch, by: list[str], count: int
) -> list[tuple[int, pa.RecordBatch]]:
    """Rows by the shard of their key, in their order; without keys all in shard 0."""
    if not batch.num_rows:
        return []
    if not by or count == 1:
        return [(0, batch)]
    owner = shards([batch.column(name) for name in by], count)
    # NumPy sorts numbers of 16 bits by radix.
    order = np.argsort(owner.astype(np.uint16) if count < 2**16 else owner, kind="stable")
    bounds = np.r_[0, np.cumsum(np.bincount(owner, minlength=count))]
    ordered = batch.take(pa.array(order))
    return [
        (s, ordered.slice(bounds[s], bounds[s + 1] - bounds[s])) for s in np.unique(owner).tolist()
    ]
