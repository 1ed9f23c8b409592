"""The floor: consume, decode and group_by in one process, without event time, state that survives, or a framework.

Run as: python bare_loop.py BROKERS TOPIC PARTITIONS MESSAGES SCHEMA ANSWER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro
from confluent_kafka import Consumer, TopicPartition
from pyarrow import parquet

MEASURES = [("value", "count"), ("value", "sum"), ("value", "min"), ("value", "max")]
# Messages that are put together before they are grouped.
GATHERED = {False: 500_000, True: 1_000}


def totals(batches: list[pa.RecordBatch]) -> pa.Table:
    """Count, sum, min and max of each minute, sensor and metric."""
    rows = pa.Table.from_batches(batches)
    if "readings" in rows.schema.names:
        rows = pa.Table.from_struct_array(pc.list_flatten(rows["readings"]))
    minutes = pc.floor_temporal(rows["observed_at"], unit="minute")
    return (
        rows.append_column("minute", minutes)
        .group_by(["minute", "sensor_id", "metric"])
        .aggregate(MEASURES)
    )


def main(
    brokers: str, topic: str, partitions: int, messages: int, schema: str, answer: str
) -> None:
    """Read that number of messages; write the totals as Parquet where `answer` names a file."""
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "bare", "queued.min.messages": 1_000_000}
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    text = Path(schema).read_text()
    read, gathered, found, batches = 0, 0, [], []
    while read < messages:
        values = [message.value() for message in consumer.consume(50_000, timeout=1)]
        if not values:
            continue
        read += len(values)
        batches += pyruhvro.deserialize_array_threaded(values, text, 1)
        gathered += len(values)
        if gathered >= GATHERED["edge" in schema] or read >= messages:
            found.append(totals(batches))
            gathered, batches = 0, []
    sums = [
        ("value_count", "sum"),
        ("value_sum", "sum"),
        ("value_min", "min"),
        ("value_max", "max"),
    ]
    whole = pa.concat_tables(found).group_by(["minute", "sensor_id", "metric"]).aggregate(sums)
    if answer:
        whole = whole.rename_columns(
            ["minute", "sensor_id", "metric", "readings", "total", "least", "most"]
        )
        parquet.write_table(
            whole.set_column(
                0, "minute", whole["minute"].cast(pa.timestamp("ms", "UTC")).cast("int64")
            ),
            answer,
        )
    print(whole.num_rows)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6])
