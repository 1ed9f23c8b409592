"""The 1-minute totals in Bytewax with batches written by hand; arguments as in bytewax_per_record.py.

Bytewax's windows take a record at a time, so partial totals, their state, the watermark of each partition and the closing of
windows are all the user's here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, run_main
from pyarrow import parquet

LATENESS = timedelta(seconds=5)
KEYS = ["minute", "sensor_id", "metric"]
FIRST = [("value", "count"), ("value", "sum"), ("value", "min"), ("value", "max")]
AGAIN = [("readings", "sum"), ("total", "sum"), ("least", "min"), ("most", "max")]
NAMES = [*KEYS, "readings", "total", "least", "most"]
Part = tuple[int, datetime, pa.Table]


class Windows(StatefulBatchLogic[Part, pa.Table, Any]):
    """Open windows as tables of partial totals."""

    def __init__(self, partitions: int) -> None:
        self.seen: dict[int, datetime] = {}
        self.partitions = partitions
        self.open: list[pa.Table] = []

    def on_batch(self, values: list[Part]) -> tuple[Iterable[pa.Table], bool]:
        """More partial totals; gives those of closed windows."""
        for partition, latest, table in values:
            self.seen[partition] = max(latest, self.seen.get(partition, latest))
            self.open.append(table)
        if len(self.seen) < self.partitions or len(self.open) < 20:
            return [], False
        whole = merged(self.open)
        closed = pc.less_equal(
            whole["minute"], pa.scalar(min(self.seen.values()) - LATENESS - timedelta(minutes=1))
        )
        self.open = [whole.filter(pc.invert(closed))]
        return [whole.filter(closed)], False

    def on_eof(self) -> tuple[Iterable[pa.Table], bool]:
        """All that is open."""
        return [merged(self.open)], True

    def snapshot(self) -> Any:
        """All open windows."""
        return dict(self.seen), list(self.open)


def merged(parts: list[pa.Table]) -> pa.Table:
    """Partial totals of the same window and series as one."""
    return pa.concat_tables(parts).group_by(KEYS).aggregate(AGAIN).rename_columns(NAMES)


def main(brokers: str, topic: str, partitions: int, schema: str, answer: str) -> None:
    """Read to the end; write the totals where `answer` names a file."""
    text = Path(schema).read_text()

    def partial(messages: list[Any]) -> list[tuple[str, Part]]:
        found = []
        for partition in {message.partition for message in messages}:
            values = [message.value for message in messages if message.partition == partition]
            rows = pa.Table.from_batches(pyruhvro.deserialize_array_threaded(values, text, 1))
            rows = rows.append_column(
                "minute", pc.floor_temporal(rows["observed_at"], unit="minute")
            )
            table = rows.group_by(KEYS).aggregate(FIRST).rename_columns(NAMES)
            found.append(("all", (partition, pc.max(rows["observed_at"]).as_py(), table)))
        return found

    found: list[Any] = []
    flow = Dataflow("minutes")
    messages = op.input(
        "messages", flow, KafkaSource([brokers], [topic], tail=False, batch_size=50_000)
    )
    parts = op.flat_map_batch("partial", messages, partial)
    op.output(
        "totals",
        op.stateful_batch("windows", parts, lambda _: Windows(partitions)),
        TestingSink(found),
    )
    run_main(flow)
    whole = pa.concat_tables([table for _, table in found])
    if answer:
        parquet.write_table(
            whole.set_column(
                0, "minute", whole["minute"].cast(pa.timestamp("ms", "UTC")).cast("int64")
            ),
            answer,
        )
    print(whole.num_rows)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[5], sys.argv[6])
