"""The network between sensors and topic: readings arrive out of order, late, twice or never."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Int64s, micros, timestamps
from tocsin.simulator.city import City

RECEIVED = pa.field("received_at", TIMESTAMP)
"""The time of arrival; it becomes the Kafka timestamp, not a field of the message."""


def delivered(rows: pa.RecordBatch, random: np.random.Generator, city: City) -> pa.RecordBatch:
    """Rows in order of arrival, with a column `received_at`.

    The city's fractions of rows arrive up to 20 s later, minutes later, twice or never.
    """
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
    """A city's rows in order of arrival.

    length: of a block, microseconds. make: gives the rows of a block from its bounds (microseconds)
    and a generator.
    """
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
    """Rows of several blocks in order of arrival.

    blocks: the upper bound of the event times (microseconds) and the rows of each.
    """
    waiting: pa.RecordBatch | None = None
    for until, made in blocks:
        together = made if waiting is None else pa.concat_batches([waiting, made])
        together = together.sort_by("received_at")
        split = int((micros(together.column("received_at")) < until).sum())
        yield together.slice(0, split)
        waiting = together.slice(split)
    if waiting is not None:
        yield waiting
