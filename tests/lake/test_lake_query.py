"""The SQL of an alarm (`lakeQuery`) shows the alarm's rows, and does nothing else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.streams import SCHEMA, batch_of, rows_of
from tocsin.kernels.batch import FOREVER
from tocsin.lake.sealed import WritingQuery, read_only, seal
from tocsin.steps.detect.step import Detect

LIMIT = Detect.model_validate(
    {
        "of": "value",
        "by": ["sensor"],
        "with": {"threshold": {"above": 50}},
        "alarm": {"raise_after": 2},
        "lake": "air",
    }
)
# What a sensor's name would have to end to become SQL.
PIECES = st.sampled_from(
    ["'", "''", '"', "\\", ";", "--", "/*", "*/", "$$", "\n", "\x1b", "\u202e", "drop table air",
     " or 1=1", "a", "{}"]
)  # fmt: skip


def query_of(sensor: str) -> str:
    """The lake query of an alarm of a sensor."""
    operator = LIMIT.operator(SCHEMA, "air/Limit")
    rows = rows_of([[(sensor, 0, 75.0), (sensor, 60, 80.0)]])[0]
    ((_, part),) = operator.route(batch_of(rows)).by_shard
    (alarm,) = dict(operator.advance([], [part], FOREVER, None).outputs)["alarms"].to_pylist()
    return str(alarm["lake_query"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def connection(folder: Path) -> Any:
    made = duckdb.connect()
    made.execute("create table air (sensor varchar, _event_time timestamptz)")
    seal(made, folder)
    return made


def fill(connection: Any, *sensors: str) -> None:
    when = query_of("a").rpartition("timestamptz ")[2]
    with suppress(duckdb.TransactionException):
        connection.rollback()
    connection.execute("delete from air")
    for sensor in sensors:
        connection.execute(f"insert into air values (?, {when})", [sensor])


@given(sensor=st.lists(PIECES, min_size=1, max_size=6).map("".join) | st.text(min_size=1))
def test_a_sensors_name_stays_a_value_in_the_query(sensor: str, connection: Any) -> None:
    fill(connection, sensor, f"{sensor} of another")
    query = query_of(sensor)
    assert [one.type.name for one in connection.extract_statements(query)] == ["SELECT"]
    assert [row[0] for row in read_only(connection, query).fetchall()] == [sensor]


@pytest.mark.parametrize(
    "query",
    [
        "drop table air",
        "delete from air",
        "insert into air values ('x', null)",
        "update air set sensor = 'x'",
        "select * from air; drop table air",
        "copy air to '{folder}/out.csv'",
        "export database '{folder}'",
        "attach '{folder}/other.db'",
        "create macro f() as 1",
        "install httpfs",
        "call pragma_version()",
        "pragma enable_profiling",
        "set lock_configuration = false",
        "prepare p as drop table air",
        "explain analyze delete from air",
        "explain analyze copy air to '{folder}/out.parquet'",
        "explain (analyze) copy air to '{folder}/out.parquet'",
        "explain (format json, analyze) select 1",
        "/* é */ explain -- select\n analyze copy air to '{folder}/out.parquet'",
        "select 1; explain analyze copy air to '{folder}/out.parquet'",
        "explain delete from air",
        "with gone as (delete from air returning *) select * from gone",
        "with n as (insert into air values ('x', null) returning *) select * from n",
        "with n as (copy air to '{folder}/out.parquet') select * from n",
        "select * from (delete from air returning *)",
        "commit; delete from air",
        "select * from query('delete from air returning *')",
        "select * from query('with n as (copy air to ''{folder}/o.parquet'') select 1')",
        "select (select count(*) from \"QUERY\"('with n as (delete from air returning *) from n'))",
        "from json_execute_serialized_sql('x')",
        "with n as (copy air to '{folder}/out.parquet') pivot air on sensor using count(*)",
        "select 1 where exists (with n as (copy air to '{folder}/o.csv') select 1 from n)",
        "explain select 1; with n as (copy air to '{folder}/o.csv') select 1 from n",
        "select * from read_text('/etc/passwd')",
        "select * from '{folder}/../*.csv'",
        "select getenv('HOME')",
    ],
)
def test_a_hostile_query_of_an_alarm_is_refused(query: str, connection: Any, folder: Path) -> None:
    fill(connection, "a")
    with pytest.raises((WritingQuery, duckdb.Error)):
        read_only(connection, query.format(folder=folder)).fetchall()
    with suppress(duckdb.TransactionException):
        connection.rollback()
    assert connection.execute("select sensor from air").fetchall() == [("a",)]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "query", ["explain select 1", "explain/**/from air", "EXPLAIN with a as (select 1) from a"]
)
def test_a_query_that_reads_is_explained(query: str, connection: Any) -> None:
    assert read_only(connection, query).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "select sum(copy), max(delete) from (select 1 copy, 2 delete)",
        "with recursive t as (select 1 a union all select a + 1 from t where a < 3) from t",
        "with a as materialized (select 1) select * from a union all values (2)",
        "select 'with n as (copy air to x) select 1'",
        "pivot (select 1 a, 'x' b) on b in ('x', 'y') using sum(a)",
        "summarize air",
        "show tables",
        "select 1; select 2",
    ],
)
def test_a_query_that_reads_is_answered(query: str, connection: Any) -> None:
    assert read_only(connection, query).fetchall()
