"""What tools read from the footers of a lake's files: views, catalog, compaction, retention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.lake import compaction
from tocsin.lake.catalog import catalog
from tocsin.lake.compaction import Compacted, compact
from tocsin.lake.query import (
    brief,
    files_of,
    footer,
    merged,
    offsets_in,
    open_lake,
    quoted,
    unreadable,
)
from tocsin.lake.retention import Deleted, retain

HOUR = 3_600_000_000


def put(file: Path, rows: dict[str, list[Any]], **head: Any) -> Path:
    """A file with a footer: `until`, `unit`, `keys`, and others, without the prefix."""
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {"until": "0", "unit": file.stem, "keys": "[]", "offsets": "{}", **head}
    metadata = {f"tocsin.{name}": str(value) for name, value in about.items() if value is not None}
    parquet.write_table(pa.table(rows).replace_schema_metadata(metadata), file)
    return file


def name(hour: int) -> str:
    return f"19700101T{hour:02}0000Z-1h-s000-r0.parquet"


def test_a_name_with_quotes_is_a_name(tmp_path: Path) -> None:
    put(tmp_path / 'a "b" c' / name(0), {"x": [1, 2]})
    connection, (only,) = open_lake(tmp_path)
    assert (only.name, only.files, only.rows) == ('a "b" c', 1, 2)
    assert quoted('a "b" c') == '"a ""b"" c"'
    assert connection.execute(f"select x from {quoted(only.name)}").fetchall() == [(1,), (2,)]


def test_the_view_of_a_dataset_has_the_newest_revision_of_each_key(tmp_path: Path) -> None:
    keys = json.dumps(["window_start", "k"])
    rows = {"window_start": [0, 0, 1], "k": ["a", "b", "a"]}
    put(tmp_path / "d" / name(0), {**rows, "revision": [0, 0, 0], "x": [1, 2, 3]}, keys=keys)
    late = {"window_start": [0], "k": ["a"], "revision": [2], "x": [9]}
    put(tmp_path / "d" / name(1), late, keys=keys)
    connection, (only,) = open_lake(tmp_path)
    assert (only.files, only.rows) == (2, 3)
    assert (only.first, only.last) == ("19700101T000000Z", "19700101T010000Z")
    newest = connection.execute("select window_start, k, x from d order by all").fetchall()
    assert newest == [(0, "a", 9), (0, "b", 2), (1, "a", 3)]
    assert connection.execute("select count(*) from d_all").fetchall() == [(4,)]
    # Without a file, its rows are not there.
    skipped, (only,) = open_lake(tmp_path, [tmp_path / "d" / name(1)])
    assert (only.files, only.last) == (1, "19700101T000000Z")
    assert skipped.execute("select sum(x) from d").fetchall() == [(6,)]


def test_the_table_of_files_names_topics_and_sources(tmp_path: Path) -> None:
    both = json.dumps({"b": {"0": [1, 2]}, "a": {"0": [3, 4]}})
    put(tmp_path / "d" / name(0), {"x": [1]}, offsets=both)
    put(tmp_path / "d" / name(1), {"x": [1]})
    connection, _ = open_lake(tmp_path)
    found = connection.execute("select topics, sources from tocsin.d order by _file").fetchall()
    assert found == [("a, b", 2), ("", 1)]


def test_offsets_of_files_are_merged_by_topic_and_partition() -> None:
    one = {"a": {"0": (5, 9), "1": (0, 0)}, "b": {"0": (1, 1)}}
    other = {"a": {"0": (2, 7)}, "c": {"3": (4, 4)}}
    assert merged([one, other]) == {
        "a": {"0": (2, 9), "1": (0, 0)}, "b": {"0": (1, 1)}, "c": {"3": (4, 4)},
    }  # fmt: skip
    assert merged([other, one]) == merged([one, other])
    assert merged([]) == offsets_in({}) == {}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    good = put(tmp_path / "d" / name(0), {"x": [1]})
    odd = put(tmp_path / "d" / name(1), {"x": [1]}, offsets="[3]")
    torn = tmp_path / "d" / name(2)
    torn.write_bytes(b"PAR1")
    found = unreadable([good, odd, torn])
    assert list(found) == [odd, torn]
    assert found[odd].startswith(f"{odd}: cannot be read: its footer is not tocsin's: ")
    assert found[torn].startswith(f"{torn}: cannot be read: ")
    with pytest.raises(Failure):
        open_lake(tmp_path)


def test_an_error_is_shortened_to_its_first_line() -> None:
    assert brief(ValueError("  one\ntwo")) == "one"
    assert brief(KeyError()) == "KeyError"


@pytest.mark.parametrize(("now", "gone"), [(99, 0), (100, 1), (101, 1)])
def test_a_file_is_deleted_when_its_last_row_is_old_enough(
    tmp_path: Path, now: int, gone: int
) -> None:
    put(tmp_path / "d" / name(0), {"x": [1, 2]}, until=70, retention=30)
    put(tmp_path / "d" / name(1), {"x": [3]}, until=200, retention=30)
    put(tmp_path / "e" / name(0), {"x": [4]}, until=0)
    assert retain(tmp_path, now) == ([Deleted("d", 1, 2)] if gone else [])
    assert len(files_of(tmp_path / "d")) == 2 - gone
    assert len(files_of(tmp_path / "e")) == 1


def test_the_catalog_of_files_that_say_little(tmp_path: Path) -> None:
    assert catalog(tmp_path) == []
    (tmp_path / "empty").mkdir()
    file = put(tmp_path / "d" / "a=1" / "b=2" / name(1), {"x": [1, 2]}, until=2 * HOUR)
    other = put(
        tmp_path / "d" / "a=1" / "b=3" / name(0), {"x": [3], "y": ["s"]}, retention=5_000_000
    )
    text = other.with_suffix(".crc")
    text.write_text("not a file of rows")
    (found,) = catalog(tmp_path)
    assert found == {
        "dataset": "d",
        "columns": {"x": "int64", "y": "string"},
        "notes": {},
        "partitioned_by": ["a", "b"],
        "rows": 3,
        "files": 2,
        "bytes": file.stat().st_size + other.stat().st_size,
        "from": "1970-01-01T00:00:00+00:00",
        "to": "1970-01-01T02:00:00+00:00",
        "keys": [],
        "topics": [],
        "retention_seconds": 5.0,
    }


@pytest.mark.parametrize(("older_than", "rows"), [(HOUR - 1, 3), (HOUR, 3), (HOUR + 1, 0)])
def test_a_folder_is_compacted_when_all_its_files_are_old_enough(
    tmp_path: Path, older_than: int, rows: int
) -> None:
    put(tmp_path / "d" / "a=1" / name(0), {"x": [1, 2]}, until=1 * HOUR, retention=7)
    put(tmp_path / "d" / "a=1" / name(3), {"x": [3]}, until=2 * HOUR, retention=7)
    put(tmp_path / "d" / "a=2" / name(4), {"x": [4]}, until=3 * HOUR)
    assert compact(tmp_path, older_than) == [Compacted("d", 3, 2 if rows else 3, rows)]
    if not rows:
        return
    one, other = files_of(tmp_path / "d")
    assert one.name == "19700101T000000Z-19700101T030000Z-2.parquet"
    assert parquet.read_table(one, partitioning=None).to_pydict() == {"x": [1, 2, 3]}
    head = footer(one)
    assert json.loads(head["tocsin.units"]) == [name(0)[:-8], name(3)[:-8]]
    assert (head["tocsin.until"], head["tocsin.retention"]) == (str(2 * HOUR), "7")
    assert other.name == name(4)
    # Nothing is left to do, and no folder of the work.
    assert compact(tmp_path, older_than) == [Compacted("d", 2, 2, 0)]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_large_files_and_folders_of_folders_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = put(tmp_path / "d" / name(0), {"x": list(range(5000))})
    smaller = [put(tmp_path / "d" / name(hour), {"x": [hour]}) for hour in (1, 2)]
    put(tmp_path / "e" / name(0), {"x": [1]})
    put(tmp_path / "e" / name(1), {"x": [1]})
    put(tmp_path / "e" / "a=1" / name(1), {"x": [1]})
    # A file as large as the limit is large.
    monkeypatch.setattr(compaction, "LARGE", large.stat().st_size)
    assert compact(tmp_path, 0) == [Compacted("d", 3, 2, 2), Compacted("e", 3, 3, 0)]
    assert large.exists()
    assert not any(file.exists() for file in smaller)
    assert [one.dataset for one in compact(tmp_path, 0, "e")] == ["e"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_single_small_file_stays(tmp_path: Path, count: int) -> None:
    for hour in range(count):
        put(tmp_path / "d" / name(hour), {"x": [hour]})
    (found,) = compact(tmp_path, 0)
    assert (found.rows, found.after) == ((0, 1) if count == 1 else (2, 1))


@pytest.mark.parametrize("name", ["until", "retention"])
@pytest.mark.parametrize("value", ["", "soon", "1.5", "1e3", "9" * 20, "½"])
def test_a_number_of_a_footer_that_is_none_is_a_sentence(
    name: str, value: str, tmp_path: Path
) -> None:
    file = put(tmp_path / "d" / "19700101T000000Z-1h-s000-r0.parquet", {"x": [1]}, **{name: value})
    for read in (lambda: catalog(tmp_path), lambda: retain(tmp_path), lambda: open_lake(tmp_path)):
        with pytest.raises(Failure, match=f"{file}.*'tocsin.{name}' is no number"):
            read()
    assert list(unreadable([file])) == [file]
