"""How a network delivers what sensors send: out of order, late, twice, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Int64s, micros, timestamps
from tocsin.simulator.city import City

RECEIVED = pa.field("received_at", TIMESTAMP)
"""When a reading arrives; it becomes the Kafka timestamp and is not part of the message."""


def delivered(rows: pa.RecordBatch, random: np.random.Generator, city: City) -> pa.RecordBatch:
    """Rows with `received_at`, by that time. Shares of the city's: up to 20 s late, minutes late, sent twice, lost."""
    size = rows.num_rows
    delay = random.exponential(400_000, size)
    turn = random.random(size)
    delay += np.where(turn < city.out_of_order, random.uniform(0, 20e6, size), 0)
    delay += np.where(turn > 1 - city.late, random.uniform(120e6, 900e6, size), 0)
    kept = np.flatnonzero(random.random(size) >= city.missing)
    arrived: Int64s = (micros(rows.column("observed_at")) + delay.astype(np.int64)) // 1000 * 1000
    twice = kept[random.random(len(kept)) < city.duplicated]
    again = arrived[twice] + random.integers(1_000, 15_000, len(twice)) * 1000
    which, when = np.r_[kept, twice], np.r_[arrived[kept], again]
    order = np.argsort(when, kind="stable")
    found = rows.take(pa.array(which[order]))
    return found.append_column(RECEIVED, timestamps(when[order]))


def by_blocks(
    city: City, length: int, make: Callable[[int, int, np.random.Generator], pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """A city's rows in the order in which they arrive, made block by block: `make` gets a block's bounds (microseconds)."""
    end = city.start + city.duration

    def blocks() -> Iterator[tuple[int, pa.RecordBatch]]:
        for block, first in enumerate(range(city.start, end, length)):
            random = city.random(4, block)
            yield (
                first + length,
                delivered(make(first, min(first + length, end), random), random, city),
            )

    return in_order_of_arrival(blocks())


def in_order_of_arrival(blocks: Iterable[tuple[int, pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Blocks of rows, each with the time (microseconds) that its event times do not pass, in the order in which all arrive."""
    waiting: pa.RecordBatch | None = None
    for until, made in blocks:
        together = made if waiting is None else pa.concat_batches([waiting, made])
        together = together.sort_by("received_at")
        split = int((micros(together.column("received_at")) < until).sum())
        yield together.slice(0, split)
        waiting = together.slice(split)
    if waiting is not None:
        yield waiting
