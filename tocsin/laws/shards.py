"""The shards of an operator as an engine keeps them, for laws and tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import FOREVER
from tocsin.parts.operator import Advanced, Operator, Routed

Emitted = list[tuple[str, pa.RecordBatch]]


class Shards:
    """Keeps state, rows and memory of each shard.

    forgets: how often a shard starts again, with an empty memory and a copy of its state: equal
    bytes, but other objects. remade: makes a new operator for each call, as a restart does.
    """

    def __init__(
        self,
        operator: Operator,
        random: np.random.Generator,
        *,
        forgets: float = 0.2,
        remade: Callable[[], Operator] | None = None,
    ) -> None:
        self.operator, self.random = operator, random
        self.forgets, self.remade = forgets, remade
        self.states: dict[int, list[bytes]] = {}
        self.logs: dict[int, list[pa.RecordBatch]] = {}
        self.memories: dict[int, dict[str, Any]] = {}
        self.due: dict[int, int | None] = {}

    def take(self, routed: Routed) -> None:
        """Rows arrive, and wait until their shard is advanced."""
        for shard, part in routed.by_shard:
            self.logs.setdefault(shard, []).append(part)
            wanted, known = self.operator.due(part), self.due.get(shard)
            self.due[shard] = min((at for at in (wanted, known) if at is not None), default=None)

    def take_eagerly(self, routed: Routed) -> Emitted:
        """Rows arrive at an eager operator, which emits at once."""
        outputs: Emitted = []
        for shard, part in routed.by_shard:
            outputs += self._called(shard, [part], -FOREVER, None).outputs
        return outputs

    def advance(self, shard: int, time: int, end: int | None = None) -> Emitted:
        """The watermark has passed a time."""
        advanced = self._called(shard, self.logs.get(shard, []), time, end)
        if advanced.log is not None:
            self.logs[shard] = list(advanced.log)
        return advanced.outputs

    def _called(
        self, shard: int, log: list[pa.RecordBatch], time: int, end: int | None
    ) -> Advanced:
        state = self.states.get(shard, [])
        if self.remade is not None or self.random.random() < self.forgets:
            self.memories.pop(shard, None)
            state = [bytes(bytearray(piece)) for piece in state]
        operator = self.operator if self.remade is None else self.remade()
        memory = self.memories.setdefault(shard, {})
        advanced = operator.advance(state, log, time, end, memory)
        self.states[shard], self.due[shard] = advanced.state, advanced.due
        return advanced
