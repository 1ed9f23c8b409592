"""A sealed connection opens the lake and what it was given, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.lake import sealed
from tocsin.lake.sealed import TooMuch, WritingQuery, read_only, rows_of, seal, timed


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Folders with one file each. The names have quotes in them."""
    found = {}
    for at, name in enumerate(("lake's", "also's", "other")):
        found[name] = tmp_path / name
        found[name].mkdir()
        parquet.write_table(pa.table({"x": [at]}), found[name] / "a.parquet")
    return found


def value(connection: Any, file: Path) -> Any:
    path = str(file).replace("'", "''")
    return connection.execute(f"select x from read_parquet('{path}')").fetchall()


def test_only_given_folders_and_files_are_opened(folders: dict[str, Path]) -> None:
    lake, also, other = folders.values()
    connection = duckdb.connect()
    seal(connection, lake, [also / "a.parquet"])
    assert value(connection, lake / "a.parquet") == [(0,)]
    assert value(connection, also / "a.parquet") == [(1,)]
    parquet.write_table(pa.table({"x": [9]}), also / "b.parquet")
    for file in (also / "b.parquet", other / "a.parquet"):
        with pytest.raises(duckdb.PermissionException):
            value(connection, file)


def test_a_given_folder_opens_all_its_files(folders: dict[str, Path]) -> None:
    lake, also, _ = folders.values()
    connection = duckdb.connect()
    seal(connection, lake, [also])
    assert value(connection, also / "a.parquet") == [(1,)]
    # A folder whose name only begins in the same way is another one.
    twin = also.parent / f"{also.name}2"
    twin.mkdir()
    parquet.write_table(pa.table({"x": [7]}), twin / "a.parquet")
    with pytest.raises(duckdb.PermissionException):
        value(connection, twin / "a.parquet")


def test_a_sealed_connection_keeps_its_settings(folders: dict[str, Path]) -> None:
    connection = duckdb.connect()
    seal(connection, folders["lake's"])
    for setting in ("enable_external_access = true", "threads = 1"):
        with pytest.raises(duckdb.Error):
            connection.execute(f"set {setting}")


@pytest.mark.parametrize(
    "query", ["select 1", "describe select 1", "summarize select 1", "explain select 1", "from t"]
)
def test_queries_that_read_give_their_result(query: str) -> None:
    connection = duckdb.connect()
    connection.execute("create table t as select 1 as x")
    assert len(read_only(connection, query).fetchall()) >= 1


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("insert into t values (2)", "INSERT"),
        ("set threads = 1", "SET"),
        ("copy t to 'x.csv'", "COPY"),
        ("select 1; drop table t", "DROP"),
        ("drop table t; select 1", "DROP"),
    ],
)
def test_a_query_that_writes_is_refused_before_anything_runs(query: str, kind: str) -> None:
    connection = duckdb.connect()
    connection.execute("create table t as select 1 as x")
    with pytest.raises(WritingQuery, match=f"and not {kind}"):
        read_only(connection, query)
    assert connection.execute("select * from t").fetchall() == [(1,)]


@pytest.mark.parametrize("query", ["", "  ", "-- a comment", ";"])
def test_an_empty_query_is_refused(query: str) -> None:
    with pytest.raises(WritingQuery, match="the query is empty"):
        read_only(duckdb.connect(), query)


def test_several_queries_give_the_last_result() -> None:
    assert read_only(duckdb.connect(), "select 1; select 2").fetchall() == [(2,)]


def test_a_query_ends_in_its_time(folders: dict[str, Path]) -> None:
    lake, _, _ = folders.values()
    connection = duckdb.connect()
    seal(connection, lake)
    endless = "select max(hash(a.range + b.range)) from range(1000000) a, range(1000000) b"
    with pytest.raises(TooMuch, match=r"longer than 0\.2 s"), timed(connection, 0.2):
        read_only(connection, endless).fetchall()
    with timed(connection, 60):
        assert read_only(connection, "select 1").fetchall() == [(1,)]


def test_a_query_has_half_of_the_memory_and_a_part_of_the_disk(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    lake, _, other = folders.values()
    connection, free = duckdb.connect(), duckdb.connect()
    spill = tmp_path / "spill"
    spill.mkdir()
    seal(connection, lake, spill=spill)
    with pytest.raises(duckdb.PermissionException):
        value(connection, other / "a.parquet")
    settings = "select current_setting('memory_limit'), current_setting('max_temp_directory_size')"
    memory, disk = connection.execute(settings).fetchone() or ("", "")
    assert (memory != free.execute(settings).fetchall()[0][0], disk) == (True, "10.0 GiB")


def test_a_result_is_bounded(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "MOST_ROWS", 20_000)
    connection = duckdb.connect()
    seal(connection, folders["lake's"])
    assert len(rows_of(read_only(connection, "select * from range(20000)"))) == 20_000
    with pytest.raises(TooMuch, match="more than 20,000 rows"):
        rows_of(read_only(connection, "select * from range(1000000000000)"))
