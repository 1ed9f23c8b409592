"""The 1-minute totals in idiomatic Beam Python, a row at a time, on the Flink that TOCSIN_JOB_SERVER and TOCSIN_WORKER_POOL name.

Beam's own Kafka source is Java's and needs a second SDK harness, so a splittable DoFn reads. The worker pool wants the package
TOCSIN_CODE. Run as: python per_record_beam.py
BROKERS TOPIC PARTITIONS MESSAGES SCHEMA ANSWER
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import apache_beam as beam
import confluent_kafka
import fastavro
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Duration, Timestamp

SLICE = 1.0


class Partition(beam.RestrictionProvider):
    """The offsets of a partition: brokers, topic and its number."""

    def initial_restriction(self, element: tuple[str, str, int]) -> OffsetRange:
        """All there are."""
        brokers, topic, partition = element
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": brokers, "group.id": "per-record"}
        )
        low, high = consumer.get_watermark_offsets(
            confluent_kafka.TopicPartition(topic, partition), timeout=10
        )
        consumer.close()
        return OffsetRange(low, high)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        """Of offsets."""
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: tuple[str, str, int], restriction: OffsetRange) -> int:
        """In messages."""
        return restriction.size()


class Read(beam.DoFn):
    """One reading an element, with its event time."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.consumers: dict[int, tuple[Any, int]] = {}

    def setup(self) -> None:
        """Once a worker."""
        self.parsed = fastavro.parse_schema(self.schema)

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        element: tuple[str, str, int],
        tracker: Any = beam.DoFn.RestrictionParam(Partition()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """A second's work at a time."""
        brokers, topic, partition = element
        if watermark.current_watermark() is None:
            watermark.set_watermark(MIN_TIMESTAMP)
        place, end = tracker.current_restriction().start, time.monotonic() + SLICE
        consumer, position = self.consumers.pop(partition, (None, -1))
        if consumer is None:
            consumer = confluent_kafka.Consumer(
                {"bootstrap.servers": brokers, "group.id": "per-record"}
            )
        if position != place:
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, place)])
        latest = None
        while True:
            for message in consumer.consume(1000, timeout=0.2):
                if not tracker.try_claim(message.offset()):
                    consumer.close()
                    return
                place = message.offset() + 1
                row: Any = fastavro.schemaless_reader(BytesIO(message.value()), self.parsed, None)
                observed: datetime = row["observed_at"]
                latest = max(latest or observed, observed)
                yield TimestampedValue(
                    ((row["sensor_id"], row["metric"]), row["value"]), observed.timestamp()
                )
            if time.monotonic() > end or place >= tracker.current_restriction().stop:
                break
        if latest is not None:
            watermark.set_watermark(Timestamp.of(latest.timestamp() - 5))
        if place >= tracker.current_restriction().stop:
            tracker.try_claim(place)
            consumer.close()
            return
        self.consumers[partition] = consumer, place
        tracker.defer_remainder(Duration.of(0))


class Totals(beam.CombineFn):
    """Count, sum, min and max."""

    def create_accumulator(self) -> tuple[int, float, float, float]:
        """Empty."""
        return 0, 0.0, float("inf"), -float("inf")

    def add_input(self, state: Any, value: float) -> Any:
        """One value."""
        return state[0] + 1, state[1] + value, min(state[2], value), max(state[3], value)

    def merge_accumulators(self, states: Any) -> Any:
        """Several as one."""
        counts, sums, least, most = zip(*states, strict=True)
        return sum(counts), sum(sums), min(least), max(most)

    def extract_output(self, state: Any) -> Any:
        """As it is."""
        return state


class Write(beam.DoFn):
    """A line for each result."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def start_bundle(self) -> None:
        """No line yet."""
        self.lines: list[str] = []

    def finish_bundle(self) -> None:
        """Append them."""
        with Path(self.answer).open("a") as file:
            file.writelines(self.lines)

    def process(self, pair: Any, window: Any = beam.DoFn.WindowParam) -> None:
        """One line."""
        (sensor, metric), totals = pair
        self.lines.append(
            ",".join(map(str, [window.start.micros // 1000, sensor, metric, *totals])) + "\n"
        )


def main(brokers: str, topic: str, partitions: int, schema: str, answer: str) -> None:
    """Submit it."""
    options = PipelineOptions(
        [
            "--runner=PortableRunner", "--streaming", f"--job_endpoint={os.environ['TOCSIN_JOB_SERVER']}",
            "--environment_type=EXTERNAL", f"--extra_package={os.environ['TOCSIN_CODE']}",
            f"--environment_config={os.environ['TOCSIN_WORKER_POOL']}", "--parallelism=1", "--checkpointing_interval=1000",
            "--max_bundle_size=10000", "--max_bundle_time_mills=1000", "--finish_bundle_before_checkpointing",
            "--save_main_session",
        ]
    )  # fmt: skip
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | beam.Create([(brokers, topic, partition) for partition in range(partitions)])
        | beam.Reshuffle()
        | beam.ParDo(Read(json.loads(Path(schema).read_text())))
        | beam.WindowInto(FixedWindows(60))
        | beam.CombinePerKey(Totals())
        | beam.ParDo(Write(answer))
    )
    pipeline.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[5], sys.argv[6])
