"""Files of a lake: their names, columns and footers, which readers and reruns rely on."""

from __future__ import annotations

import json
import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from tests.support.lakes import HOUR, ROWS, SCHEMA, START, batch_of
from tests.support.tables import live_files, strays, table_of
from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import (
    SYSTEM_FIELDS,
    readings_schema,
    timestamps,
    with_offsets,
    with_traits,
)
from tocsin.parts.registry import find


def sink(lake: Path, **config: Any) -> Any:
    return find("write", "write_to_lake")(
        **{"lake": str(lake), "dataset": "locks", "span": "1 h", **config}
    )


def files(lake: Path) -> list[str]:
    """Every file, hidden ones too, by its path in the lake."""
    return sorted(str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file())


def write(one: Any, batch: pa.RecordBatch, unit: str) -> None:
    one.write(batch, unit)
    one.flush()


def rows(lake: Path) -> list[pa.Table]:
    """The rows of each live file."""
    return [parquet.read_table(file, partitioning=None) for file in live_files(lake, "locks")]


def footer(file: Path) -> dict[str, str]:
    metadata = parquet.read_metadata(file).metadata or {}
    return {k.decode(): v.decode() for k, v in metadata.items() if k.startswith(b"tocsin.")}


def test_a_file_is_named_by_its_unit_and_says_what_it_holds(tmp_path: Path) -> None:
    write(sink(tmp_path, retention="2 d"), batch_of(1), f"{START + HOUR}.s003.r1")
    (file,) = live_files(tmp_path, "locks")
    name = str(file.relative_to(tmp_path))
    form = r"locks/data/2026-03-02/20260302T010000Z-1h-s003-r1-[0-9a-f]{16}\.parquet"
    assert re.fullmatch(form, name)
    assert footer(file) == {
        "tocsin.offsets": json.dumps({"city.locks": {"0": [ROWS, 2 * ROWS - 1]}}),
        "tocsin.unit": f"{START + HOUR}.s003.r1",
        "tocsin.until": str(START + 2 * HOUR),
        "tocsin.lateness": "0",
        "tocsin.run": "",
        "tocsin.keys": "[]",
        "tocsin.parts": '["date"]',
        "tocsin.retention": str(48 * HOUR),
    }


def test_no_name_is_used_twice(tmp_path: Path) -> None:
    for lake in (tmp_path / "one", tmp_path / "other"):
        write(sink(lake), batch_of(0), f"{START}.s000.r0")
    assert len({file.name for file in tmp_path.rglob("*.parquet")}) == 2


def test_nobody_sees_a_file_before_its_commit(tmp_path: Path) -> None:
    one = sink(tmp_path)
    one.write(batch_of(0), f"{START}.s000.r0")
    assert (live_files(tmp_path, "locks"), len(strays(tmp_path, "locks"))) == ([], 1)
    one.flush()
    assert (len(live_files(tmp_path, "locks")), strays(tmp_path, "locks")) == (1, [])


def test_readings_keep_their_origin_but_not_the_watermark(tmp_path: Path) -> None:
    write(sink(tmp_path), batch_of(0), f"{START}.s000.r0")
    (table,) = rows(tmp_path)
    assert table.schema.names == [
        *("lock_id", "value", "lat", "lng", "_event_time", "_partition", "_offset", "_index"),
        "date",
    ]
    assert table.column("_offset").to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("kind", ["aggregated", "alarms"])
def test_results_are_stored_without_the_columns_of_readings(tmp_path: Path, kind: str) -> None:
    name = "window_start" if kind == "aggregated" else "alarm_id"
    column = timestamps(np.array([START])) if kind == "aggregated" else pa.array(["1f"])
    fields = [pa.field(name, column.type), pa.field("lock_id", pa.string())]
    schema = with_traits(
        readings_schema(fields, topic="city.locks", allowed_lateness=0),
        aggregated=kind == "aggregated",
        keys=("lock_id",) if kind == "aggregated" else (),
    )
    columns = [column, pa.array(["l-1"]), timestamps(np.array([START + HOUR - 1]))]
    nulls = [pa.nulls(1, field.type) for field in SYSTEM_FIELDS[1:]]
    batch = pa.RecordBatch.from_arrays([*columns, *nulls], schema=schema)
    write(sink(tmp_path), with_offsets(batch, {"0": (3, 9)}), f"{START}.s000.r0")
    (file,), (table,) = live_files(tmp_path, "locks"), rows(tmp_path)
    assert table.schema.names == [name, "lock_id", "date"]
    keys = json.loads(footer(file)["tocsin.keys"])
    assert keys == (["window_start", "lock_id"] if kind == "aggregated" else [])
    offsets = json.loads(footer(file)["tocsin.offsets"])
    assert offsets == {"city.locks": {"0": [3, 9]}}


def test_parts_of_the_time_are_columns_and_split_files_with_those_of_the_input(
    tmp_path: Path,
) -> None:
    parts = ["year", "month", "date", "hour", "lock_id"]
    write(sink(tmp_path, partition_by=parts), batch_of(5), f"{START + 5 * HOUR}.s000.r0")
    tables = sorted(rows(tmp_path), key=lambda table: table.column("lock_id")[0].as_py())
    assert [table.column("value").to_pylist() for table in tables] == [
        [500.0 + number, 503.0 + number] for number in range(3)
    ]
    for table in tables:
        assert table.schema.names[-4:] == parts[:4]
        (values,) = set(zip(*(table.column(name).to_pylist() for name in parts[:4]), strict=True))
        assert values == (2026, "2026-03", date(2026, 3, 2), 5)
        assert len(set(table.column("lock_id").to_pylist())) == 1
    assert table_of(tmp_path, "locks").partition_by == []


def test_a_unit_over_midnight_is_a_file_for_each_day(tmp_path: Path) -> None:
    batch = pa.Table.from_batches([batch_of(23), batch_of(24)]).combine_chunks().to_batches()[0]
    write(sink(tmp_path, span="2 h"), batch, f"{START + 23 * HOUR}.s000.r0")
    days = sorted(set(table.column("date").to_pylist()).pop() for table in rows(tmp_path))
    assert days == [date(2026, 3, 2), date(2026, 3, 3)]
    assert table_of(tmp_path, "locks").version == 1


def test_a_lake_on_another_object_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="'gs://bucket/lake' is an address"):
        find("write", "write_to_lake")(lake="gs://bucket/lake", dataset="locks")


@pytest.mark.parametrize("of", ["archive", "step"])
def test_a_job_with_a_lake_on_another_store_is_refused_at_check(of: str, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").touch()
    lake = "lake: 'gs://city/lake', dataset: raw"
    archive = f", archive: {{{lake}}}" if of == "archive" else ""
    settings = f"topic: t, event_time: at, fields: {{at: timestamp}}{archive}"
    step = f"    - {{type: WriteToLake, config: {{{lake}}}}}\n" if of == "step" else ""
    text = (
        "pipeline:\n  type: chain\n  transforms:\n"
        f"    - {{type: ReadTelemetry, config: {{{settings}}}}}\n{step}"
    )
    with pytest.raises(JobError) as wrong:
        check_text(str(tmp_path / "job.yaml"), text, trusted=True)
    assert "'gs://city/lake' is an address, and jobs write lakes to folders" in str(wrong.value)


def test_a_lake_may_be_a_file_address(tmp_path: Path) -> None:
    lake = tmp_path / "a lake"
    write(
        find("write", "write_to_lake")(lake=lake.as_uri(), dataset="locks"),
        batch_of(0),
        f"{START}.s000.r0",
    )
    assert len(live_files(lake, "locks")) == 1


@pytest.mark.parametrize("kind", [pa.month_day_nano_interval(), pa.decimal256(60, 0)])
def test_a_column_of_a_type_that_no_table_holds_is_refused(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(Fault, match="the column 'odd' cannot be stored: a Delta table has no type"):
        sink(tmp_path).check_schema(SCHEMA.append(pa.field("odd", kind)))


def test_the_check_before_a_run_leaves_nothing(tmp_path: Path) -> None:
    sink(tmp_path).check_target()
    assert (files(tmp_path), (tmp_path / "locks").is_dir()) == ([], True)


def test_a_lake_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = sink(tmp_path / "file" / "lake")
    with pytest.raises(Failure, match="cannot write the lake"):
        one.check_target()
    with pytest.raises(Failure, match="cannot write the lake"):
        one.write(batch_of(0), f"{START}.s000.r0")


def test_another_steps_dataset_fails_the_check_before_a_run(tmp_path: Path) -> None:
    one, other = sink(tmp_path), sink(tmp_path)
    one.set_step_name("city/one")
    other.set_step_name("city/other")
    write(one, batch_of(0), f"{START}.s000.r0")
    one.check_target()
    with pytest.raises(Failure, match="'locks' belongs to 'city/one', and 'city/other' may not"):
        other.check_target()


def test_a_file_whose_writing_failed_is_not_left(tmp_path: Path, monkeypatch: Any) -> None:
    def full(table: Any, where: str, **_: Any) -> None:
        Path(where).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(Failure, match="No space left on device"):
        sink(tmp_path).write(batch_of(0), f"{START}.s000.r0")
    assert [name for name in files(tmp_path) if name.endswith(".parquet")] == []


def test_another_process_writes_to_the_same_folder(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(sink(Path("lake")))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert pickle.loads(sent).lake == str(tmp_path / "lake")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"span": "1500 ms"}, "whole seconds"),
        ({"span": "100 ms"}, "whole seconds"),
        ({"geometry": ["lat", "lon"]}, "lon"),
        ({"partition_by": ["date", "lock"]}, "no column 'lock' in its input"),
    ],
)
def test_what_does_not_fit_the_input_is_refused(
    tmp_path: Path, config: dict[str, Any], why: str
) -> None:
    with pytest.raises(Exception, match=why) as refused:
        sink(tmp_path, **config).check_schema(SCHEMA)
    assert type(refused.value).__name__ in ("Fault", "Faults")


def test_a_column_that_would_be_overwritten_is_refused(tmp_path: Path) -> None:
    schema = SCHEMA.append(pa.field("geometry", pa.string()))
    with pytest.raises(Fault, match="has a column 'geometry' already"):
        sink(tmp_path, geometry=["lat", "lng"]).check_schema(schema)
    sink(tmp_path, span="1 s", geometry=["lat", "lng"]).check_schema(SCHEMA)


def test_what_a_run_asks_of_the_sink(tmp_path: Path) -> None:
    one = sink(tmp_path)
    assert (one.file_span(), one.is_by_arrival(), one.unit_shards()) == (HOUR, False, 1)
    other = sink(tmp_path, span="15 min", by_arrival=True, shards=4)
    assert (other.file_span(), other.is_by_arrival(), other.unit_shards()) == (HOUR // 4, True, 4)
