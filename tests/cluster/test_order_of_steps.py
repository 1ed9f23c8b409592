"""Each step waits for the steps before it if the watermark stops at the end of a window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from infra.cluster.settings import ROOT, Cluster
from tests.support.cluster import Run, as_json, parquet_files, wait_for
from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka
from tocsin.kernels.batch import timestamps

JOB = Path(__file__).parent / "order.yaml"
START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
MINUTE = 60_000_000


def test_an_hour_waits_for_its_last_ten_minutes(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("order.rejects", **{"order.readings": 1})
    publisher = Publisher(
        Kafka(brokers=cluster.at("kafka")),
        "order.readings",
        (ROOT / "tests/faults/reading_v1.avsc").read_text(),
        0,
        "at",
        "sensor",
    )

    def send(minutes: np.ndarray[Any, Any], after: int = 0) -> None:
        """Send a reading of each minute, `after` microseconds after its start.

        The value is the minute.
        """
        times = timestamps(START + minutes * MINUTE + after)
        columns = {
            "sensor": pa.array(["s"] * len(minutes)),
            "at": times,
            "value": pa.array(minutes.astype(float)),
        }
        publisher.publish(pa.RecordBatch.from_pydict(columns))
        publisher.flush()

    def settle() -> None:
        """Wait until all output that the watermark allows is written."""
        known = checkpoints()
        wait_for("checkpoints", lambda: checkpoints() >= known + 6)

    def checkpoints() -> int:
        return int(as_json(tocsin("status", "order", "--json"))["checkpoints"]["completed"])

    tocsin("submit", JOB, LAKE=str(tmp_path / "lake"))
    send(np.arange(60))
    settle()
    # The watermark stops a millisecond after one o'clock. The ten-minute windows are complete, the
    # hour is not.
    send(np.array([60]), after=1_000)
    settle()
    send(np.arange(61, 200))
    files = wait_for(
        "two hours",
        lambda: (
            parquet_files(tmp_path / "lake")[:2]
            if len(parquet_files(tmp_path / "lake")) > 1
            else []
        ),
    )
    rows = [
        row for file in files for row in parquet.read_table(file, partitioning=None).to_pylist()
    ]
    assert [(row["parts"], row["low"], row["high"]) for row in rows] == [
        (6, 0.0, 59.0),
        (6, 60.0, 119.0),
    ]
