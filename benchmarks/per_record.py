"""The one-minute aggregation written per record in idiomatic Beam Python, on the same runner: the comparison of run.py.

ReadFromKafka needs Java, so the messages are read by the same consumer; everything after that is a row at a time.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any

import apache_beam as beam
import confluent_kafka
import fastavro
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import FixedWindows, TimestampedValue


class ReadPartition(beam.DoFn):  # type: ignore[misc]
    """Messages of a partition, up to its end."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.brokers, self.topic = brokers, topic

    def process(self, partition: int) -> Iterator[bytes]:
        """One message an element."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.brokers, "group.id": "bench", "enable.auto.commit": False})
        place = confluent_kafka.TopicPartition(self.topic, partition, 0)
        _, high = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        position = 0
        while position < high:
            for message in consumer.consume(10_000, timeout=1):
                position = message.offset() + 1
                yield message.value()
        consumer.close()


class Decode(beam.DoFn):  # type: ignore[misc]
    """Avro to a dictionary with its event time."""

    def __init__(self, schema: str) -> None:
        self.path = schema

    def setup(self) -> None:
        """Once a worker."""
        self.schema = fastavro.schema.load_schema(self.path)

    def process(self, message: bytes) -> Iterator[Any]:
        """One reading an element."""
        struct.unpack_from(">bI", message)
        row: Any = fastavro.schemaless_reader(BytesIO(message[5:]), self.schema, None)
        observed: datetime = row["observed_at"]
        if row["value"] is not None:
            yield TimestampedValue(((row["sensor_id"], row["metric"]), row["value"]), observed.timestamp())


class Stats(beam.CombineFn):  # type: ignore[misc]
    """Count, sum, min and max."""

    def create_accumulator(self) -> tuple[int, float, float, float]:
        """Empty."""
        return 0, 0.0, float("inf"), -float("inf")

    def add_input(self, state: Any, value: float) -> Any:
        """One value."""
        return state[0] + 1, state[1] + value, min(state[2], value), max(state[3], value)

    def merge_accumulators(self, states: Any) -> Any:
        """All of them."""
        counts, sums, least, most = zip(*states, strict=True)
        return sum(counts), sum(sums), min(least), max(most)

    def extract_output(self, state: Any) -> Any:
        """As it is."""
        return state


def _totals(pairs: Any) -> tuple[int, int]:
    windows = readings = 0
    for one, count in pairs:
        windows, readings = windows + one, readings + count
    return windows, readings


def main(brokers: str, topic: str, schema: str, partitions: int, output: str) -> None:
    """Run it; write the number of windows and the number of readings."""
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.Create(range(partitions))
            | beam.ParDo(ReadPartition(brokers, topic))
            | beam.ParDo(Decode(schema))
            | beam.WindowInto(FixedWindows(60))
            | beam.CombinePerKey(Stats())
            | beam.Map(lambda pair: (1, pair[1][0]))
            | "Globally" >> beam.WindowInto(beam.window.GlobalWindows())
            | beam.CombineGlobally(_totals).without_defaults()
            | "Write" >> beam.Map(lambda total: open(output, "w").write(f"{total[0]} {total[1]}"))  # noqa: PTH123, SIM115
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
