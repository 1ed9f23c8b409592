"""The 1-minute totals in Quix Streams; arguments as in bytewax_per_record.py.

The messages have no key, so they are grouped through a topic of their own, as its documentation says.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from quixstreams import Application
from quixstreams.dataframe.windows import Count, Max, Min, Sum
from quixstreams.models.serializers.avro import AvroDeserializer


def main(brokers: str, topic: str, schema: str, answer: str) -> None:
    """Read until nothing has come for ten seconds; write the totals where `answer` names a file."""
    found: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            brokers,
            consumer_group=f"quix-{uuid.uuid4().hex}",
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="WARNING",
        )
        readings = app.topic(
            topic,
            value_deserializer=AvroDeserializer(json.loads(Path(schema).read_text())),
            timestamp_extractor=lambda row, headers, at, kind: int(
                row["observed_at"].timestamp() * 1000
            ),
        )
        frame = app.dataframe(readings).apply(
            lambda row: {**row, "observed_at": int(row["observed_at"].timestamp() * 1000)}
        )
        frame = frame.group_by(lambda row: f"{row['sensor_id']} {row['metric']}", name="series")
        windows = frame.tumbling_window(60_000, grace_ms=5_000).agg(
            readings=Count(), total=Sum("value"), least=Min("value"), most=Max("value")
        )
        windows.final().update(
            lambda row, key, at, headers: found.append((key, row)), metadata=True
        )
        app.run(timeout=10)
    if answer:
        names = ["minute", "sensor_id", "metric", "readings", "total", "least", "most"]
        rows = [
            (row["start"], *key.split(" "), *(row[name] for name in names[3:]))
            for key, row in found
        ]
        parquet.write_table(
            pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), answer
        )
    print(len(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[5], sys.argv[6])
