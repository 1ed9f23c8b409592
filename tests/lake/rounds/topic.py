"""The topic of a round: the readings that the lake has to hold, each once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import readings_schema, timestamps

START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
DAY = 86_400_000_000
SPAN = DAY // 4
LATENESS = 2
"""Spans after which the late rows of a unit fall due."""
NAME = "city.locks"
SHARDS, MOMENTS = 4, 6
APPENDERS = {0: (0, 1), 1: (2,), 2: (3,)}
"""The shards of each appender."""
KEYS = [f"lock-{number}" for number in range(8)]
ERASABLE = KEYS[:3]
ZONES = ["north", "south"]
WIDER = MOMENTS // 2
"""The moment from which readings have a further column."""


@dataclass(frozen=True)
class Reading:
    """A row. day: of its event time, from 0. unit: moment of the event, and revision."""

    key: str
    zone: str
    value: float
    time: int
    partition: int
    offset: int
    moment: int
    quarter: int
    revision: int
    extra: float | None

    @property
    def day(self) -> int:
        """The day of the event, from 0."""
        return (self.time - START) // DAY

    @property
    def unit(self) -> tuple[int, int, int]:
        """Its unit: shard, quarter of a day, revision."""
        return self.partition, self.quarter, self.revision


class Topic:
    """The readings of a seed, by shard and by the moment at which they fall due."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"topic {seed}")
        self._due: dict[tuple[int, int], list[Reading]] = {}
        for shard in range(SHARDS):
            offset = 0
            for moment in range(MOMENTS):
                made = list(self._made(shard, moment, offset))
                self._due[shard, moment] = made
                offset += len(made)

    def _made(self, shard: int, moment: int, offset: int) -> Iterator[Reading]:
        chance = self._chance
        units = [(moment, 0, chance.randint(3, 8))]
        if moment >= LATENESS:
            units.append((moment - LATENESS, 1, chance.randint(0, 2)))
        for quarter, revision, count in units:
            for _ in range(count):
                yield Reading(
                    chance.choice(KEYS),
                    chance.choice(ZONES),
                    round(chance.uniform(0, 100), 3),
                    START + quarter * SPAN + chance.randrange(SPAN),
                    shard,
                    offset,
                    moment,
                    quarter,
                    revision,
                    chance.random() if moment >= WIDER else None,
                )
                offset += 1

    @cached_property
    def readings(self) -> dict[tuple[int, int], Reading]:
        """All readings by partition and offset."""
        every = (one for some in self._due.values() for one in some)
        return {(one.partition, one.offset): one for one in every}

    def units(self, shard: int, moment: int) -> Iterator[tuple[str, list[Reading]]]:
        """The units of a shard that fall due at a moment: name and readings."""
        due = self._due[shard, moment]
        for key in sorted({(one.quarter, one.revision) for one in due}):
            quarter, revision = key
            rows = [one for one in due if (one.quarter, one.revision) == key]
            yield f"{START + quarter * SPAN}.s{shard:03d}.r{revision}", rows


def moment_of(mark: int | None) -> int:
    """The last moment that a mark covers, or -1."""
    return -1 if mark is None else (mark - START) // SPAN - 1


def batch_of(readings: list[Reading], rule: int = 0) -> pa.RecordBatch:
    """Readings as a step gets them. rule: the version of the job that wrote them."""
    rows: dict[str, Any] = {
        "lock_id": pa.array([one.key for one in readings]),
        "zone": pa.array([one.zone for one in readings]),
        "value": pa.array([one.value for one in readings]),
        "rule": pa.array([rule] * len(readings), pa.int32()),
    }
    if readings[0].extra is not None:
        rows["extra"] = pa.array([one.extra for one in readings])
    times = pa.array([one.time for one in readings]).to_numpy()
    fields = [pa.field(name, column.type) for name, column in rows.items()]
    schema = readings_schema(fields, topic=NAME, allowed_lateness=LATENESS * SPAN)
    columns = [
        *rows.values(),
        timestamps(times),
        timestamps(times),
        pa.array([one.partition for one in readings], pa.int32()),
        pa.array([one.offset for one in readings], pa.int64()),
        pa.array([0] * len(readings), pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
