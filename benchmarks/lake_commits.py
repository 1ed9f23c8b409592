"""What many commits cost: opening a dataset while a job commits, and compaction of small files.

    python -m benchmarks.lake_commits --commits 3600 --files 10000

A job that commits every second makes 3,600 commits an hour; here they follow one another. The
table is cared for as in a job: a checkpoint every 100 commits, in a thread.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import readings_schema, timestamps
from tocsin.lake.compaction import compact
from tocsin.parts.registry import find
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.table import create_table, open_table

START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
SECOND = 1_000_000
ROWS = 20
"""Rows of a small file."""
STEP = 300
"""Commits between two lines of the report."""


def batch_of(number: int) -> pa.RecordBatch:
    """The readings of one second."""
    fields = [pa.field("sensor_id", pa.string()), pa.field("value", pa.float64())]
    times = np.full(ROWS, START + number * SECOND)
    columns = [
        pa.array([f"s-{at}" for at in range(ROWS)]),
        pa.array(np.arange(ROWS) + float(number)),
        timestamps(times),
        timestamps(times),
        pa.array([0] * ROWS, pa.int32()),
        pa.array(np.arange(ROWS) + number * ROWS),
        pa.array([0] * ROWS, pa.int32()),
    ]
    schema = readings_schema(fields, topic="t", allowed_lateness=0)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def many_commits(lake: Path, count: int) -> None:
    """Print the times to flush and to open, and the CPU of opening, median and worst, in ms."""
    sink = find("write", "write_to_lake")(lake=str(lake), dataset="seconds", span="1 s")
    sink.set_step_name("bench/seconds")
    flushes: list[float] = []
    opens: list[float] = []
    works: list[float] = []
    for number in range(count):
        sink.write(batch_of(number), f"{START + number * SECOND}.s000.r0")
        begun = time.perf_counter()
        sink.flush()
        flushes.append(1000 * (time.perf_counter() - begun))
        if number % 10 == 9:
            sink._writer.care.wait()  # noqa: SLF001 - the care has the CPU of its own
            begun, work = time.perf_counter(), time.process_time()
            open_table(str(lake / "seconds"))
            opens.append(1000 * (time.perf_counter() - begun))
            works.append(1000 * (time.process_time() - work))
        if (number + 1) % STEP == 0:
            print(
                f"{number + 1:6,} commits: open {statistics.median(opens):5.1f} ms, worst "
                f"{max(opens):6.1f}, "
                f"CPU {statistics.median(works):5.1f} and {max(works):5.1f}; "
                f"flush {statistics.median(flushes):5.1f}, worst "
                f"{max(flushes):6.1f}",
                flush=True,
            )
            flushes, opens, works = [], [], []


def many_files(lake: Path, count: int) -> None:
    """Print the seconds that the compaction of small files takes."""
    dataset = lake / "files"
    files: list[NewFile] = []
    for number in range(count):
        start = START + number * SECOND
        unit = {b"tocsin.unit": f"{start}.s000.r0".encode(), b"tocsin.keys": b"[]"}
        about = {**unit, b"tocsin.until": str(start + SECOND).encode(), b"tocsin.offsets": b"{}"}
        rows = pa.Table.from_batches([batch_of(number)]).replace_schema_metadata(about)
        files.append(write_data_file(str(dataset), data_path(start, "1s-s000-r0"), rows))
    create_table(str(dataset), rows.schema.remove_metadata(), [], {})
    commit(str(dataset), lambda _: Change("WRITE", files))
    begun, work = time.perf_counter(), time.process_time()
    (done,) = compact(lake, 0, "files")
    seconds, work = time.perf_counter() - begun, time.process_time() - work
    print(
        f"{done.before:,} files of {ROWS} rows become {done.after} in {seconds:.1f} s "
        f"({work:.1f} s of CPU)",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=3600)
    parser.add_argument("--files", type=int, default=10_000)
    asked = parser.parse_args()
    lake = Path(tempfile.mkdtemp(prefix="tocsin-lake-"))
    try:
        if asked.commits:
            many_commits(lake, asked.commits)
        if asked.files:
            many_files(lake, asked.files)
    finally:
        shutil.rmtree(lake)


if __name__ == "__main__":
    main()
