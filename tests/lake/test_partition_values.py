"""Whatever a partition column holds, a query of the lake gives it back in its type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.lakes import START, partitioned
from tocsin.kernels.path_encoding import path_part
from tocsin.lake.partition_values import partition_types, partition_value
from tocsin.lake.query import open_lake
from tocsin.lake.retention import erase
from tocsin.parts.registry import find

ODD = ["", "%", "%25", "a/b", "..", "a", "A", "x=y", "007", "1.0", "true", "null", "2026-03-02"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@given(value=st.none() | TEXTS)
@example(value="__HIVE_DEFAULT_PARTITION__")
def test_the_name_of_a_folder_gives_its_value_back(value: str | None) -> None:
    assert partition_value(path_part(value)) == value


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, "__HIVE_DEFAULT_PARTITION__", *ODD], pa.string()),
        ([None, 0, -7, 2**62], pa.int64()),
        ([None, True, False], pa.bool_()),
        ([None, 1.5, -0.25, 1e300], pa.float64()),
    ],
    ids=["texts", "integers", "truths", "numbers"],
)
def test_a_query_gives_every_value_back(values: list[Any], kind: Any, tmp_path: Path) -> None:
    sink = find("write", "write_to_lake")(
        lake=str(tmp_path), dataset="odd", partition_by=["date", "place"]
    )
    sink.write(partitioned(pa.array(values, kind)), f"{START}.s000.r0")
    connection, _ = open_lake(tmp_path)
    found = connection.execute('select place, value from odd order by "value"').fetchall()
    assert found == [(value, float(at)) for at, value in enumerate(values)]
    assert [type(one) for one, _ in found] == [type(one) for one in values]
    days = connection.execute("select distinct date::varchar from odd").fetchall()
    assert days == [("2026-03-02",)]


def test_a_column_whose_type_changed_is_text() -> None:
    heads = [{"tocsin.partitions": f'{{"place": "{kind}"}}'} for kind in ("int32", "string")]
    assert partition_types(heads) == {"place": "VARCHAR"}
    assert partition_types([{}]) == {}


@pytest.mark.parametrize("gone", ["", "%", "__HIVE_DEFAULT_PARTITION__", "x" * 300])
def test_erasing_an_odd_value_deletes_its_rows_only(gone: str, tmp_path: Path) -> None:
    values = [None, "", "%", "__HIVE_DEFAULT_PARTITION__", "x" * 300]
    sink = find("write", "write_to_lake")(lake=str(tmp_path), dataset="odd", partition_by=["place"])
    sink.write(partitioned(pa.array(values)), f"{START}.s000.r0")
    assert [one.rows for one in erase(tmp_path, "place", gone)] == [1]
    found = open_lake(tmp_path)[0].execute('select value from odd order by "value"').fetchall()
    assert found == [(float(at),) for at, value in enumerate(values) if value != gone]
