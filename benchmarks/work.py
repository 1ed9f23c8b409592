"""The works of the contenders, and the comparison of their answers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.data import CLOSER, METRICS, Readings, answer
from benchmarks.topics import fill, fill_city
from infra.cluster.settings import ROOT
from tocsin.lake.datasets import files_of


@dataclass(frozen=True)
class Work:
    """A job over a topic.

    kind: "tumbling": count, sum, min and max of each sensor and metric for each minute; "edge": the
    same, from messages of many readings; "sliding": the same for the last hour, every minute;
    "detect": each reading scored against its sensor's past; "city": the whole air-quality job on
    simulated readings.
    """

    name: str
    title: str
    readings: Readings
    kind: str = "tumbling"

    @property
    def topic(self) -> str:
        """The topic; its name identifies its content, so it is filled once."""
        r = self.readings
        if self.kind == "city":
            return f"bench-city-{r.messages}"
        return f"bench-{r.messages}-{r.sensors}-{r.period}-{r.each}{'-edges' if r.each > 1 else ''}"

    @property
    def schema(self) -> str:
        """The Avro schema of its messages."""
        return "benchmarks/reading.avsc" if self.readings.each == 1 else "benchmarks/edge.avsc"

    @property
    def job(self) -> str:
        """Tocsin's job file."""
        return (
            "jobs/air_quality.yaml" if self.kind == "city" else f"benchmarks/jobs/{self.kind}.yaml"
        )

    @property
    def has_answer(self) -> bool:
        """Whether results are compared with the right ones, not only counted."""
        return self.kind not in ("detect", "city")

    def fill(self, brokers: str) -> None:
        """Fill the topic if it is missing."""
        if self.kind == "city":
            fill_city(brokers, self.topic, self.readings.sensors, self.readings.messages)
        else:
            fill(brokers, self.topic, self.readings)

    def results(self) -> tuple[str, int]:
        """The step whose results end the job, and their number; 0: until no more arrive."""
        if self.kind == "city":
            return "Aggregate", 0
        if self.kind == "detect":
            return "Detect", self.readings.messages
        return "Aggregate", right(self).num_rows


_DENSE = Readings(3_000_000, sensors=600, period=600)
WORKS = {
    work.name: work
    for work in (
        Work(
            "a3",
            "(a) 3 million messages of one reading, 5.8 readings a window and series",
            Readings(3_000_000),
        ),
        Work(
            "a12",
            "(a) 12 million messages of one reading, 5.8 readings a window and series",
            Readings(12_000_000),
        ),
        Work(
            "dense",
            "(a) 3 million messages of one reading, 100 readings a window and series",
            _DENSE,
        ),
        Work(
            "a03",
            "(a) 300,000 messages of one reading, for those that are too slow for more",
            Readings(300_000),
        ),
        Work(
            "b",
            "(b) 24,000 messages of 500 readings of one edge computer, "
            "5.8 readings a window and series",
            Readings(24_000, each=500),
            "edge",
        ),
        Work(
            "c",
            "(c) sliding windows of 1 h every 1 min over the messages of the denser (a)",
            _DENSE,
            "sliding",
        ),
        Work(
            "d10k",
            "(d) detection with state, 6 million readings of 10,000 series",
            Readings(6_000_000, sensors=2_500, period=1_000, disorder=500),
            "detect",
        ),
        Work(
            "d100k",
            "(d) detection with state, 6 million readings of 100,000 series",
            Readings(6_000_000, sensors=25_000, disorder=500),
            "detect",
        ),
        Work(
            "d1m",
            "(d) detection with state, 6 million readings of 1,000,000 series",
            Readings(6_000_000, sensors=250_000, period=100_000, disorder=500),
            "detect",
        ),
        Work(
            "e",
            "(e) the whole air-quality job to lake and alarms, 3 million readings of 1,000 sensors",
            Readings(3_000_000, sensors=1_000),
            "city",
        ),
    )
}


@dataclass(frozen=True)
class Verdict:
    """A comparison.

    lost: readings that no result counts. wrong: results that differ from the right ones, or that
    should not exist.
    """

    lost: int
    wrong: int

    def __str__(self) -> str:
        return (
            "right"
            if not self.lost and not self.wrong
            else f"{self.lost:,} readings lost, {self.wrong:,} results wrong"
        )


@cache
def right(work: Work) -> pa.Table:
    """The right answer: minute (milliseconds), sensor_id, metric, readings, total, least, most."""
    found = answer(work.readings)
    series = found["series"]
    minutes = pa.table(
        {
            "minute": found["window"],
            "sensor_id": np.char.add(
                "urn:city:sensor:", np.char.zfill((series // len(METRICS)).astype(str), 7)
            ),
            "metric": np.array(METRICS)[series % len(METRICS)],
            **{name: found[name] for name in ("readings", "total", "least", "most")},
        }
    )
    if work.kind != "sliding":
        return minutes
    connection = duckdb.connect()
    connection.register("minutes", minutes)
    return connection.sql(
        "select minute - back * 60000 as minute, sensor_id, metric, "
        "sum(readings)::bigint as readings, sum(total) as total, "
        "min(least) as least, max(most) as most "
        "from minutes, range(60) as backs(back) group by 1, 2, 3"
    ).to_arrow_table()


def verdict(work: Work, found: str) -> Verdict:
    """found: a query for the columns of `right`."""
    connection = duckdb.connect()
    connection.register("expected", right(work))
    connection.execute(
        f"create table found as select * from ({found}) where sensor_id not like '%{CLOSER}'"
    )
    expected = int(_one(connection, "select sum(readings) from expected"))
    counted = int(_one(connection, "select coalesce(sum(readings), 0) from found"))
    same = "minute, sensor_id, metric, readings, total, least, most"
    wrong = _one(
        connection,
        f"select count(*) from (select {same} from found except all select {same} from expected)",
    )
    missing = _one(
        connection,
        f"select count(*) from (select {same} from expected except all select {same} from found)",
    )
    # A reading counts once in each of its windows.
    times = expected / work.readings.count
    return Verdict(round((expected - counted) / times), max(int(wrong), int(missing)))


def _one(connection: Any, query: str) -> Any:
    found = connection.execute(query).fetchone()
    assert found is not None
    return found[0]


_LAKE = """
  extra_transforms:
    - type: WriteToLake
      input: Aggregate
      config: {lake: "${LAKE}", dataset: minutes, span: 10 min}
"""


def job_of(work: Work, lake: bool = False) -> str:
    """Tocsin's job for a work; with `lake`, it writes its results to LAKE for the comparison."""
    if not lake:
        return work.job
    with_lake = ROOT / ".bench" / f"{work.kind}_lake.yaml"
    with_lake.write_text((ROOT / work.job).read_text() + _LAKE)
    return str(with_lake)


def cleared(path: Path) -> Path:
    """The path, after deleting it."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path


def lake_query(lake: Path) -> str:
    """The rows that a Tocsin job has written."""
    listed = ", ".join(f"'{file}'" for file in files_of(lake / "minutes"))
    return (
        f"select epoch_ms(window_start) as minute, sensor_id, metric, readings, total, least, most "
        f"from read_parquet([{listed}]) where revision = 0"
    )
