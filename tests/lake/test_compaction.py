"""Compaction merges small files under the eyes of readers, and loses and repeats no row."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from tests.support.lakes import DAY, ROWS, rows_of
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact


def test_small_files_become_large_ones_with_the_same_rows(lake: Path) -> None:
    before = {name: rows_of(lake, name) for name in ("locks", "others")}
    done = {one.dataset: one for one in compact(lake, DAY)}
    # Two days are more than a day older than the newest file; the third stays.
    assert (done["locks"].before, done["locks"].after, done["locks"].rows) == (72, 26, 48 * ROWS)
    assert done["others"].after == 3 * (2 + 24)
    assert {name: rows_of(lake, name) for name in before} == before
    assert audit_lake(lake).is_good
    assert audit_lake(lake).offsets["city.locks"]["0"] == [0, 72 * ROWS - 1]
    assert compact(lake, DAY)[0].rows == 0, "all folders are compacted"
    assert not [path for path in lake.iterdir() if path.name.startswith(".")]
    # A later run merges compacted files with newer ones.
    assert [one.after for one in compact(lake, 0, "locks")] == [3]
    assert rows_of(lake, "locks") == before["locks"]


def test_readers_see_all_rows_or_repeat_their_query(lake: Path) -> None:
    counts: list[int] = []
    stop = threading.Event()

    def read() -> None:
        connection = duckdb.connect()
        while not stop.is_set() or not counts:
            try:
                found = connection.execute(
                    f"select count(*) from read_parquet('{lake}/locks/**/*.parquet')"
                ).fetchone()
                counts.append(found[0])
            except duckdb.Error:
                # It listed the folder before the exchange, and opened a file after it.
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for older_than in (2 * DAY, DAY, 0):
            compact(lake, older_than, "locks")
    finally:
        stop.set()
        reader.join()
    assert set(counts) == {72 * ROWS}


def test_a_file_that_says_no_window_is_left_alone(tmp_path: Path) -> None:
    """Files that others put into a lake have no footer of its own."""
    folder = tmp_path / "doors" / "date=2026-03-02"
    folder.mkdir(parents=True)
    for name in ("a.parquet", "b.parquet"):
        parquet.write_table(pa.table({"value": [1.0]}), folder / name)
    assert [one.rows for one in compact(tmp_path, 0)] == [0]
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "b.parquet"]


def test_the_name_of_a_merged_file_says_from_when_to_when_and_how_many(lake: Path) -> None:
    (folder, *_) = sorted(path for path in (lake / "locks").iterdir() if path.is_dir())
    starts = sorted(file.name.split("-")[0] for file in folder.glob("*.parquet"))
    compact(lake, DAY, "locks")
    assert [file.name for file in folder.glob("*.parquet")] == [
        f"{starts[0]}-{starts[-1]}-{len(starts)}.parquet"
    ]
