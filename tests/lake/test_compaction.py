"""Compaction merges small files under the eyes of readers, and loses and repeats no row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.table_files import DAY, HOUR, ROWS, START, put, readings, rows_of, write_hours
from tocsin.foundation.failure import Failure
from tocsin.lake import compaction
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import Compacted, compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.footers import footer, units_in
from tocsin.lake.query import open_views


def test_small_files_become_large_ones_with_the_same_rows(lake: Path) -> None:
    before = {name: rows_of(lake, name) for name in ("locks", "others")}
    version = table_of(lake / "locks").version
    done = {one.dataset: one for one in compact(lake, DAY)}
    # Two days are more than a day older than the newest file; the third stays.
    assert (done["locks"].before, done["locks"].after, done["locks"].rows) == (12, 6, 8 * ROWS)
    assert table_of(lake / "locks").version == version + 1, "one commit a dataset"
    assert {name: rows_of(lake, name) for name in before} == before
    assert audit_lake(lake).problems == []
    assert audit_lake(lake).offsets["city.locks"]["0"] == [0, 67 * ROWS - 1]
    assert compact(lake, DAY)[0].rows == 0, "all days are compacted"
    # A later run merges compacted files with newer ones.
    assert [one.after for one in compact(lake, 0, "locks")] == [3]
    assert rows_of(lake, "locks") == before["locks"]


def test_the_footer_of_the_merged_file_says_the_same(lake: Path) -> None:
    compact(lake, 0, "locks")
    first = files_of(lake / "locks")[0]
    head = footer(first)
    assert units_in(head) == sorted(f"{START + hour * HOUR}.s000.r0" for hour in (0, 6, 12, 18))
    assert json.loads(head["tocsin.offsets"]) == {"city.locks": {"0": [0, 19 * ROWS - 1]}}
    assert (head["tocsin.until"], head["tocsin.run"]) == (str(START + 19 * HOUR), "")
    assert (head["tocsin.keys"], head["tocsin.retention"]) == ("[]", str(2 * DAY))
    about = json.loads(parquet.read_schema(first).metadata[b"geo"])
    assert "bbox" not in about["columns"]["geometry"]
    offsets = parquet.read_table(first).column("_offset").to_pylist()
    assert offsets == sorted(offsets), "rows are sorted"


def test_a_query_that_began_before_reads_the_old_files(lake: Path) -> None:
    before = rows_of(lake, "locks")
    connection, _ = open_views(lake)
    compact(lake, 0, "locks")
    query = "select lock_id, value, _offset from locks order by all"
    assert connection.execute(query).fetchall() == before
    old = str(table_of(lake / "locks").version - 1)
    assert len(files_of(lake / "locks", old)) == 12


@pytest.mark.parametrize("differs", ["run", "topic", "keys", "retention", "day"])
def test_files_of_two_kinds_stay_apart(differs: str, tmp_path: Path) -> None:
    other: dict[str, Any] = {
        "run": {"run": "b"},
        "topic": {"offsets": '{"other": {"0": [0, 9]}}'},
        "keys": {"keys": '["lock_id"]'},
        "retention": {"retention": "7"},
        "day": {"unit": f"{START + DAY}.s000.r0"},
    }[differs]
    for hour, head in enumerate([{}, {}, other, other]):
        put(tmp_path / "d", readings(hour), hour, **head)
    assert compact(tmp_path, 0) == [Compacted("d", 4, 2, 4 * ROWS)]


def test_shards_of_a_run_with_an_end_stay_apart(tmp_path: Path) -> None:
    """A further run removes the shards that did not reach their end."""
    for number, run in enumerate(["", "", "a", "a"]):
        unit = f"{START}.s00{number % 2}.r0"
        put(tmp_path / "d", readings(number), unit=unit, run=run)
    assert [one.after for one in compact(tmp_path, 0)] == [3]


def test_a_group_of_files_ends_when_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hours(tmp_path / "d", range(10))
    sizes = [file.stat().st_size for file in files_of(tmp_path)]
    monkeypatch.setattr(compaction, "LARGE", 3 * max(sizes))
    assert compact(tmp_path, 0)[0].after in (3, 4)
    # A file as large as the limit is large.
    monkeypatch.setattr(
        compaction, "LARGE", min(file.stat().st_size for file in files_of(tmp_path))
    )
    assert compact(tmp_path, 0)[0].rows == 0


def test_columns_that_came_later_are_null_before(tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0, more=[1.5] * ROWS))
    put(tmp_path / "d", readings(1), 1)
    compact(tmp_path, 0)
    (file,) = files_of(tmp_path)
    assert parquet.read_table(file).column("more").to_pylist() == [1.5] * ROWS + [None] * ROWS


def test_a_file_that_says_no_window_is_left_alone(tmp_path: Path) -> None:
    """Files of other programs have no footer of a lake."""
    for _ in range(2):
        put(tmp_path / "d", pa.table({"value": [1.0]}), unit=None, until=None)
    assert compact(tmp_path, 0) == [Compacted("d", 2, 2, 0)]


def test_a_missing_file_is_named_and_nothing_changes(lake: Path) -> None:
    gone = files_of(lake / "others")[5]
    gone.unlink()
    version = table_of(lake / "others").version
    with pytest.raises(Failure, match=f"{gone}: cannot be read"):
        compact(lake, 0, "others")
    assert table_of(lake / "others").version == version


def test_a_group_whose_file_was_removed_meanwhile_is_planned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction brings back no row that another writer removed after it read the files."""
    from tocsin.lake.retention import erase

    write_hours(tmp_path / "d", range(4))
    real = compaction.commit
    rounds: list[int] = []

    def slow(place: str, change_of: Any) -> Any:
        if not rounds:
            erase(tmp_path, "lock_id", "l-1")
        rounds.append(1)
        return real(place, change_of)

    monkeypatch.setattr(compaction, "commit", slow)
    assert compact(tmp_path, 0)[0].after == 1
    assert len(rounds) == 2
    assert {row[0] for row in rows_of(tmp_path, "d")} == {"l-0", "l-2"}
    assert len(rows_of(tmp_path, "d")) == 4 * 4
