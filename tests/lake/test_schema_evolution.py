"""Columns of a dataset that change: new, wider, narrower, gone, and what a plan says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.support.lakes import HOUR, START, partitioned
from tests.support.tables import live_files, live_rows, strays, table_of
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import readings_schema
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.footers import footer, schema_in
from tocsin.lake.newest import newest_in_polars
from tocsin.lake.widening import widen
from tocsin.parts.registry import find
from tocsin.table.widening import is_wider


def sink(lake: Path, **config: Any) -> Any:
    made = find("write", "write_to_lake")(
        **{"lake": str(lake), "dataset": "places", "span": "1 h", **config}
    )
    made.set_step_name("city/Store")
    return made


def batch(kind: pa.DataType, hour: int = 0, **more: Any) -> pa.RecordBatch:
    one = partitioned(pa.array([1, None, 3], kind), at=START + hour * HOUR)
    for name, values in more.items():
        one = one.append_column(name, pa.array(values))
    return one


def write(one: Any, rows: pa.RecordBatch, hour: int = 0) -> None:
    one.write(rows, f"{START + hour * HOUR}.s000.r0")
    one.flush()


def places(lake: Path) -> list[Any]:
    return sorted(live_rows(lake, "places").column("place").to_pylist(), key=str)


def faults(lake: Path) -> list[str]:
    """What an audit finds; the offsets of these rows repeat."""
    return [one for one in audit_lake(lake).problems if "readings are there twice" not in one]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [(pa.int32(), pa.int64()), (pa.int8(), pa.int32()), (pa.float32(), pa.float64())],
    ids=str,
)
def test_a_column_is_widened_while_a_job_writes(
    narrow: pa.DataType, wide: pa.DataType, tmp_path: Path
) -> None:
    running = sink(tmp_path)
    write(running, batch(narrow))
    with pytest.raises(Failure, match=f"--column place={wide}") as refused:
        write(sink(tmp_path), batch(wide, 1), 1)
    assert "tocsin lake FOLDER widen --dataset places" in refused.value.sentence
    # A unit is on the disk in the narrow type, and is committed in the wide one.
    running.write(batch(narrow, 1), f"{START + HOUR}.s000.r0")
    before = table_of(tmp_path, "places").version
    head = footer(live_files(tmp_path, "places")[0])
    done = widen(tmp_path / "places", "place", wide)
    assert (done.version, done.files) == (before + 1, 1)
    assert footer(live_files(tmp_path, "places")[0]) == head
    running.flush()
    write(running, batch(narrow, 2), 2)
    write(sink(tmp_path), batch(wide, 3), 3)
    assert {schema_in(file).field("place").type for file in live_files(tmp_path, "places")} == {
        wide
    }
    assert places(tmp_path) == sorted([1, None, 3] * 4, key=str)
    assert faults(tmp_path) == []
    assert widen(tmp_path / "places", "place", wide).version is None
    assert DeltaTable(tmp_path / "places").to_pyarrow_table().num_rows == 12
    assert newest_in_polars(tmp_path, "places").collect().height == 12
    assert DeltaTable(tmp_path / "places", version=before).to_pyarrow_table().num_rows == 3
    compact(tmp_path, 0)
    assert places(tmp_path) == sorted([1, None, 3] * 4, key=str)
    # The replaced file stays for older versions; no other file is left.
    assert len(strays(tmp_path, "places")) == 1 + 4


def test_only_types_that_hold_all_values_are_wider() -> None:
    kinds = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()]
    pairs = [(wide, narrow) for wide in kinds for narrow in kinds if is_wider(wide, narrow)]
    assert (pa.float64(), pa.int64()) not in pairs
    for wide, narrow in pairs:
        ends = (
            [-1.5, 3.4e38]
            if pa.types.is_floating(narrow)
            else [-(2 ** (narrow.bit_width - 1)), 2 ** (narrow.bit_width - 1) - 1]
        )
        column = pa.array(ends, narrow)
        assert column.cast(wide).cast(narrow).equals(column)
    assert not any(is_wider(kind, kind) for kind in kinds)


def test_a_type_that_does_not_hold_all_values_is_a_sentence(tmp_path: Path, tocsin: Any) -> None:
    write(sink(tmp_path), batch(pa.int64()))
    for column, says in {
        "place=int32": "the column 'place' is int64, and int32 does not hold all its values",
        "place=double": "double does not hold all its values",
        "plaice=int64": "has no column 'plaice'",
    }.items():
        options = ("--dataset", "places", "--column", column)
        code, _, errors = tocsin("lake", tmp_path, "widen", *options)
        assert (code, says in errors) == (1, True), errors
    for column in ("place", "place=long text"):
        wrong = tocsin("lake", tmp_path, "widen", "--dataset", "places", "--column", column)
        assert wrong[0] == 2
    assert table_of(tmp_path, "places").version == 1


def test_rows_of_a_narrower_type_are_stored_in_the_tables(tmp_path: Path) -> None:
    write(sink(tmp_path), batch(pa.int64()))
    write(sink(tmp_path), batch(pa.int16(), 1), 1)
    assert places(tmp_path) == sorted([1, None, 3] * 2, key=str)
    assert faults(tmp_path) == []


def test_a_column_that_a_job_drops_stays_and_is_null(tmp_path: Path) -> None:
    write(sink(tmp_path), batch(pa.int64(), unit=["a", "b", "c"]))
    write(sink(tmp_path), batch(pa.int64(), 1), 1)
    assert table_of(tmp_path, "places").schema.field("unit").type == pa.string()
    units = DeltaTable(tmp_path / "places").to_pyarrow_table().column("unit").to_pylist()
    assert sorted(units, key=str) == [None, None, None, "a", "b", "c"]


WIDER = (
    "the column 'place' is int32 in the dataset 'places', and int64 in these rows; widen "
    "it with `tocsin lake FOLDER widen --dataset places --column place=int64`"
)


def changes_of(one: Any, kind: pa.DataType, *more: pa.Field) -> list[tuple[str, bool]]:
    fields = [pa.field("place", kind), pa.field("value", pa.float64()), *more]
    schema = readings_schema(fields, topic="t", allowed_lateness=0)
    return [(change.sentence, change.is_refused) for change in one.target_changes(schema)]


def test_a_plan_says_what_happens_to_a_table(tmp_path: Path) -> None:
    new = sink(tmp_path)
    ((sentence, refused),) = changes_of(new, pa.int32())
    assert (sentence, refused) == ("the dataset 'places' is new, with 7 columns", False)
    assert not (tmp_path / "places").exists(), "a plan writes nothing"
    write(new, batch(pa.int32(), unit=["a", "b", "c"]))
    one = sink(tmp_path)
    found = changes_of(one, pa.int64(), pa.field("extra", pa.string()))
    assert found == [
        (WIDER, True),
        ("adds the column 'extra' (string), null in the rows so far", False),
        ("the column 'unit' stays in the table, and is null in new rows", False),
    ]
    assert changes_of(one, pa.int16())[0] == (
        "stores 'place' (int16) as the table's int32",
        False,
    )
    one.set_step_name("town/Store")
    found = changes_of(one, pa.int32())
    assert any("belongs to 'city/Store'" in text and refused for text, refused in found)
    more = sink(tmp_path, shards=2)
    assert any("`shards: 1`" in s and refused for s, refused in changes_of(more, pa.int32()))


def test_a_run_is_refused_before_it_starts(tmp_path: Path) -> None:
    write(sink(tmp_path), batch(pa.int32()))
    one = sink(tmp_path)
    fields = [pa.field("place", pa.int64()), pa.field("value", pa.float64())]
    one.check_schema(readings_schema(fields, topic="t", allowed_lateness=0))
    with pytest.raises(Failure, match="widen it with `tocsin lake FOLDER widen"):
        one.check_target()


def test_plan_diff_shows_the_changes_of_tables(tmp_path: Path, tocsin: Any) -> None:
    def job(kind: str) -> Path:
        path = tmp_path / kind / "city.yaml"
        path.parent.mkdir()
        fields = [
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "place", "type": ["null", kind]},
            {"name": "value", "type": "double"},
        ]
        schema = {"type": "record", "name": "R", "fields": fields}
        (path.parent / "r.avsc").write_text(json.dumps(schema))
        path.write_text(
            "pipeline:\n  type: chain\n  transforms:\n"
            "    - {type: ReadTelemetry, config: {topic: t, schema: r.avsc, event_time: at}}\n"
            "    - {type: WriteToLake, name: Store, "
            f"config: {{lake: {tmp_path}/lake, dataset: places}}}}\n"
        )
        return path

    after = job("long")
    code, out, errors = tocsin("plan", after, "--diff", after)
    assert code == 0, errors
    assert "table  Store: the dataset 'places' is new" in out
    write(sink(tmp_path / "lake"), batch(pa.int32()))
    code, out, _ = tocsin("plan", after, "--diff", after, "--json")
    assert code == 2
    assert '"is_refused": true' in out
