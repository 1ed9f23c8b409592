"""The alarms that a shard follows, and their form on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.alarms.event import ALARM_FIELDS
from tocsin.kernels.alarms.columns import ALARM_STATE, SEVERITIES, STATE_WIDTH, by_name, start_state
from tocsin.kernels.batch import Int64s, no_rows
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.steps.manage_alarms.dependencies import Topology

KEYS = pa.schema([pa.field("rule", pa.string()), pa.field("key", pa.string())])
"""What identifies an alarm over all its episodes."""

_ALARMS = pa.schema(ALARM_FIELDS)
_NOTE = b"tocsin.alarms"
# Version 1 kept its note under another name.
_NO_NOTE = b'{"version": 1}'
_UNKNOWN = -2


@dataclass
class ShardState:
    """Alarms by slot.

    block: ALARM_STATE by KEYS. rows: the alarm events that `latest_row` and `episode_row` count.
    assets: number of each alarm's asset, or -1. next_sample: when health is sampled next,
    microseconds, or NaN. raised: raises by severity since the last sample. pieces: the bytes that
    it was read from or written to.
    """

    block: KeyedBlock
    rows: pa.RecordBatch
    assets: Int64s
    next_sample: float = np.nan
    raised: list[int] = field(default_factory=lambda: [0] * SEVERITIES)
    pieces: list[bytes] = field(default_factory=list)

    @classmethod
    def empty(cls) -> ShardState:
        """A shard without alarms."""
        block = KeyedBlock.empty(KEYS, STATE_WIDTH)
        return cls(block, no_rows(_ALARMS), np.zeros(0, np.int64))

    @property
    def alarms(self) -> Any:
        """The states of the alarms, by name: `alarms.active`."""
        return by_name(self.block.values, ALARM_STATE)

    def episodes(self) -> Int64s:
        """For each row of an alarm event the number of its `alarm_id`."""
        encoded = pc.dictionary_encode(self.rows.column("alarm_id")).indices
        found: Int64s = encoded.to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    def add(self, alarms: pa.RecordBatch, keys: pa.RecordBatch, topology: Topology) -> Int64s:
        """The slots of keys, which begin with those of the alarm events; both are added."""
        if alarms.num_rows:
            self.rows = pa.concat_batches([self.rows, alarms.select(_ALARMS.names).cast(_ALARMS)])
        slots = self.block.slots(keys, start_state())
        new = self.block.keys.num_rows - len(self.assets)
        self.assets = np.r_[self.assets, np.full(new, _UNKNOWN)]
        self._find_assets(alarms, slots[: alarms.num_rows], topology)
        return slots

    def _find_assets(self, alarms: pa.RecordBatch, slots: Int64s, topology: Topology) -> None:
        """Find the asset of an alarm with its first event; a command has no labels."""
        if not topology.names:
            self.assets[:] = -1
            return
        new, first = np.unique(slots, return_index=True)
        first = first[self.assets[new] == _UNKNOWN]
        labels = alarms.column("labels").take(pa.array(first)).to_pylist()
        for slot, named in zip(slots[first], labels, strict=True):
            self.assets[slot] = topology.asset(dict(named or []))

    def forget(self, kept: Any) -> None:
        """Keep the alarms where `kept` is true, and the rows that these count."""
        if not kept.all():
            self.block.keep(kept)
            self.assets = self.assets[kept]
        alarms = self.alarms
        used = np.column_stack([alarms.latest_row, alarms.episode_row])
        rows, back = np.unique(used[used >= 0].astype(np.int64), return_inverse=True)
        used[used >= 0] = back
        alarms.latest_row, alarms.episode_row = used[:, 0], used[:, 1]
        self.rows = self.rows.take(pa.array(rows))

    def values(self) -> dict[str, Any]:
        """The rest of `pieces`, next to the block and the rows, as JSON values."""
        is_sampled = not np.isnan(self.next_sample)
        return {
            "next_sample": self.next_sample if is_sampled else None,
            "raised": self.raised,
            "assets": self.assets.tolist(),
        }

    def write(self, note: bytes) -> None:
        """Write the state to `pieces`."""
        rows = self.rows.replace_schema_metadata({_NOTE: note})
        self.pieces = [self.block.to_bytes(), to_ipc(rows, "lz4")]


def note_of(pieces: list[bytes]) -> bytes:
    """The note that `write` was given."""
    metadata = from_ipc(pieces[1]).schema.metadata or {}
    note: bytes = metadata.get(_NOTE, _NO_NOTE)
    return note


def read_state(pieces: list[bytes], values: dict[str, Any]) -> ShardState:
    """The state that these pieces hold. values: of `ShardState.values`."""
    next_sample = values["next_sample"]
    return ShardState(
        KeyedBlock.from_bytes(pieces[0]),
        from_ipc(pieces[1]).replace_schema_metadata(None),
        np.array(values["assets"], np.int64),
        np.nan if next_sample is None else next_sample,
        values["raised"],
        list(pieces),
    )
