"""The network delays, duplicates and loses the configured fractions of rows, and invents none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from tocsin.kernels.batch import micros, timestamps
from tocsin.simulator.city import City
from tocsin.simulator.delivery import by_blocks, delivered, in_order_of_arrival

SIZE = 20_000
SECOND = 1_000_000


def rows(first: int = 0, size: int = SIZE) -> pa.RecordBatch:
    number = np.arange(first, first + size)
    return pa.RecordBatch.from_pydict(
        {"number": pa.array(number), "observed_at": timestamps(number.astype(np.int64) * SECOND)}
    )


def test_fractions_are_lost_duplicated_and_late() -> None:
    city = City(out_of_order=0.1, late=0.05, duplicated=0.2, missing=0.3)
    found = delivered(rows(), np.random.default_rng(1), city)
    copies = Counter(found.column("number").to_pylist())
    assert len(copies) / SIZE == pytest.approx(0.7, abs=0.02)
    assert sum(count == 2 for count in copies.values()) / len(copies) == pytest.approx(
        0.2, abs=0.02
    )
    delay = micros(found.column("received_at")) - micros(found.column("observed_at"))
    assert (delay >= 0).all()
    assert (delay >= 120 * SECOND).mean() == pytest.approx(0.05, abs=0.01)
    assert delay.max() < 940 * SECOND


def test_a_perfect_network_delivers_each_row_once() -> None:
    city = City(out_of_order=0.0, late=0.0, duplicated=0.0, missing=0.0)
    found = delivered(rows(), np.random.default_rng(1), city)
    assert sorted(found.column("number").to_pylist()) == list(range(SIZE))
    assert (np.diff(micros(found.column("received_at"))) >= 0).all()


def test_blocks_are_merged_in_order_of_arrival_without_loss() -> None:
    city = City(out_of_order=0.5, late=0.1, duplicated=0.0, missing=0.0)
    random = np.random.default_rng(2)
    blocks = [
        ((at + 1) * 1000 * SECOND, delivered(rows(at * 1000, 1000), random, city))
        for at in range(5)
    ]
    batches = list(in_order_of_arrival(blocks))
    found = pa.Table.from_batches(batches)
    assert sorted(found.column("number").to_pylist()) == list(range(5_000))
    assert (np.diff(micros(found.column("received_at").combine_chunks())) >= 0).all()
    for (until, _), batch in zip(blocks, batches, strict=False):
        assert micros(batch.column("received_at")).max() < until


def test_blocks_cover_the_citys_duration_once() -> None:
    city = City(duration=2_500 * SECOND, missing=0.0, duplicated=0.0)
    bounds: list[tuple[int, int]] = []

    def make(first: int, last: int, _random: np.random.Generator) -> pa.RecordBatch:
        bounds.append((first - city.start, last - city.start))
        return rows(first // SECOND, 1)

    assert sum(batch.num_rows for batch in by_blocks(city, 1_000 * SECOND, make)) == 3
    assert bounds == [
        (0, 1_000 * SECOND),
        (1_000 * SECOND, 2_000 * SECOND),
        (2_000 * SECOND, 2_500 * SECOND),
    ]


def test_no_block_gives_no_batch() -> None:
    assert list(in_order_of_arrival([])) == []
