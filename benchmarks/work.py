"""What the contenders have to do, and whether they did it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.data import CLOSER, METRICS, Readings, answer


@dataclass(frozen=True)
class Work:
    """A job over a topic: count, sum, min and max of each sensor and metric, a minute at a time.

    topic: its name tells what is in it, so that it is filled once. schema: of its messages.
    """

    name: str
    title: str
    readings: Readings

    @property
    def topic(self) -> str:
        r = self.readings
        return f"bench-{r.messages}-{r.sensors}-{r.period}-{r.each}"

    def windows(self) -> int:
        """How many results the right answer has."""
        return len(answer(self.readings)["window"])


WORKS = {
    work.name: work
    for work in (
        Work("a3", "(a) 3 million messages of one reading, 5.8 readings a window and series", Readings(3_000_000)),
        Work("a12", "(a) 12 million messages of one reading, 5.8 readings a window and series", Readings(12_000_000)),
        Work("dense", "(a) 3 million messages of one reading, 100 readings a window and series",
             Readings(3_000_000, sensors=600, period=600)),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """lost: readings that no result counts. wrong: results that differ from the right ones, or that there should not be."""

    lost: int
    wrong: int

    def __str__(self) -> str:
        return "right" if not self.lost and not self.wrong else f"{self.lost:,} readings lost, {self.wrong:,} results wrong"


def right(readings: Readings) -> pa.Table:
    """The right answer as a table: minute (milliseconds), sensor_id, metric, readings, total, least, most."""
    found = answer(readings)
    series = found["series"]
    return pa.table(
        {
            "minute": found["window"],
            "sensor_id": np.char.add("urn:city:sensor:", np.char.zfill((series // len(METRICS)).astype(str), 7)),
            "metric": np.array(METRICS)[series % len(METRICS)],
            **{name: found[name] for name in ("readings", "total", "least", "most")},
        }
    )


def verdict(readings: Readings, found: str) -> Verdict:
    """found: a query for the columns of `right`."""
    connection = duckdb.connect()
    connection.register("expected", right(readings))
    connection.execute(f"create table found as select * from ({found}) where sensor_id not like '%{CLOSER}'")
    expected = int(_one(connection, "select sum(readings) from expected"))
    counted = int(_one(connection, "select coalesce(sum(readings), 0) from found"))
    same = "minute, sensor_id, metric, readings, total, least, most"
    wrong = _one(connection, f"select count(*) from (select {same} from found except all select {same} from expected)")
    missing = _one(connection, f"select count(*) from (select {same} from expected except all select {same} from found)")
    return Verdict(expected - counted, max(int(wrong), int(missing)))


def _one(connection: Any, query: str) -> Any:
    found = connection.execute(query).fetchone()
    assert found is not None
    return found[0]


def lake_query(lake: Path) -> str:
    """What a Tocsin job has written."""
    return (
        f"select epoch_ms(window_start) as minute, sensor_id, metric, readings, total, least, most "
        f"from read_parquet('{lake}/minutes/**/*.parquet') where revision = 0"
    )
