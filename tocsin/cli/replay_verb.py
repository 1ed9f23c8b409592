"""`tocsin replay`."""

from __future__ import annotations

from pathlib import Path

from pyarrow import parquet

from tocsin.cli.console import DONE, note
from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka


def replay(
    recording: Path,
    *,
    topic: str,
    schema: Path,
    time_column: str = "received_at",
    speed: float = 0.0,
    brokers: str | None = None,
) -> int:
    """Publish a recording (Parquet) to a topic, at real, accelerated or full speed.

    Parameters
    ----------
    recording
        Parquet file with the columns of the schema.
    topic
        Topic to write to; messages are Avro in Confluent framing.
    schema
        Avro schema of the messages.
    time_column
        Column that determines the order, the pace and the Kafka timestamps.
    speed
        Event time over real time: 1 is real time, 60 a minute in a second, 0 full speed.
    brokers
        Kafka brokers [env: TOCSIN_BROKERS].
    """
    publisher = Publisher(
        Kafka(brokers=brokers), topic, schema.read_text("utf-8"), speed, time_column
    )
    table = parquet.read_table(recording).sort_by(time_column)
    count = 0
    for batch in table.to_batches(max_chunksize=50_000):
        count += publisher.publish(batch)
        note(f"{count:,} of {table.num_rows:,} readings")
    publisher.flush()
    return DONE
