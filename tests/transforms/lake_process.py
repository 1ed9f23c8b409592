"""A process that writes the units of two shards to a lake, as the framework does.

Arguments: LAKE RUN ROUNDS. A unit is the rows of a shard and a quarter of an hour, in both
revisions. Units that fall due together are flushed together.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa

from tests.support.lakes import START, partitioned
from tocsin.kernels.batch import with_traits
from tocsin.parts.registry import find

QUARTER = 900_000_000
SHARDS = 2


def name_of(shard: int, quarter: int, revision: int) -> str:
    """The only row of a unit."""
    return f"{shard}-{quarter}-{revision}"


def write_all(lake: Path | str, run: str, rounds: int) -> None:
    """Write some quarters of an hour, with a lateness of two quarters, to the end."""
    sink = find("write", "write_to_lake")(
        lake=str(lake), dataset="places", shards=SHARDS, partition_by=["date"]
    )
    sink.set_step_name("city/places")
    sink.set_run(run)
    for moment in range(rounds):
        for shard in range(SHARDS):
            for quarter, revision in ((moment, 0), (moment - 2, 1)):
                if quarter < 0:
                    continue
                at = START + quarter * QUARTER
                rows = partitioned(pa.array([name_of(shard, quarter, revision)]), at=at)
                schema = with_traits(rows.schema, allowed_lateness=2 * QUARTER)
                offset = (quarter * 2 + revision) * SHARDS + shard
                place = schema.get_field_index("_offset")
                rows = rows.set_column(place, schema.field(place), pa.array([offset]))
                rows = rows.replace_schema_metadata(schema.metadata)
                sink.write(rows, f"{at}.s{shard:03d}.r{revision}")
            sink.flush()
    for shard in range(SHARDS):
        sink.end(shard)


if __name__ == "__main__":
    write_all(sys.argv[1], sys.argv[2], int(sys.argv[3]))
