"""The 1-minute totals in Bytewax, a message at a time.

Run as: python bytewax_per_record.py BROKERS TOPIC PARTITIONS MESSAGES SCHEMA ANSWER
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import bytewax.operators as op
import fastavro
import pyarrow as pa
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.testing import TestingSink, run_main
from pyarrow import parquet

START = datetime(2026, 1, 1, tzinfo=UTC)


def add(
    state: tuple[int, float, float, float], row: dict[str, Any]
) -> tuple[int, float, float, float]:
    """One reading more."""
    count, total, least, most = state
    value = row["value"]
    return count + 1, total + value, min(least, value), max(most, value)


def merge(
    a: tuple[int, float, float, float], b: tuple[int, float, float, float]
) -> tuple[int, float, float, float]:
    """Two windows as one."""
    return a[0] + b[0], a[1] + b[1], min(a[2], b[2]), max(a[3], b[3])


def main(brokers: str, topic: str, schema: str, answer: str) -> None:
    """Read to the end; write the totals where `answer` names a file."""
    parsed = fastavro.schema.load_schema(schema)

    def keyed(message: Any) -> tuple[str, dict[str, Any]]:
        row: Any = fastavro.schemaless_reader(BytesIO(message.value), parsed, None)
        return f"{row['sensor_id']} {row['metric']}", row

    found: list[Any] = []
    flow = Dataflow("minutes")
    messages = op.input(
        "messages", flow, KafkaSource([brokers], [topic], tail=False, batch_size=10_000)
    )
    windows = fold_window(
        "minutes",
        op.map("decode", messages, keyed),
        EventClock(lambda row: row["observed_at"], wait_for_system_duration=timedelta(seconds=5)),
        TumblingWindower(length=timedelta(minutes=1), align_to=START),
        lambda: (0, 0.0, float("inf"), -float("inf")),
        add,
        merge,
        ordered=False,
    )
    op.output("totals", windows.down, TestingSink(found))
    run_main(flow)
    if answer:
        rows = [
            (int(START.timestamp() * 1000) + 60_000 * window, *key.split(" "), *totals)
            for key, (window, totals) in found
        ]
        names = ["minute", "sensor_id", "metric", "readings", "total", "least", "most"]
        parquet.write_table(
            pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), answer
        )
    print(len(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[5], sys.argv[6])
